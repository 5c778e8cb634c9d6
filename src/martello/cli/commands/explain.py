"""`martello explain ID`: what a check means, from the check's own file."""

from __future__ import annotations

import click

from martello.cli import complete
from martello.cli.options import debug


@click.command("explain")
@click.argument("words", nargs=-1, required=True, metavar="ID...", shell_complete=complete.checks)
@click.option("--policies", multiple=True, metavar="DIR", help="Check files of your own.")
@debug
def command(words: tuple[str, ...], policies: tuple[str, ...]) -> None:
    """Explain checks: danger, remedy, good and bad example, frameworks, other tools' names.

    ID is a check's id (POD-001), its name (privileged-container) or another tool's name for it
    (CKV_K8S_16, C-0057).
    """
    from martello.catalogue.load import load
    from martello.catalogue.page import text
    from martello.catalogue.select import named
    from martello.cli.images.settings import vulnerability_named
    from martello.core.errors import BadInput
    from martello.report.text import clean

    checks = load(policies)
    for word in words:
        if vulnerability_named(word):
            why = "this explains checks; what a vulnerability means depends on the image"
            raise BadInput(f"{word} is no check", why, f"martello image explain {word} TARGET")
    by_id = {check.id: check for check in checks}
    try:
        pages = [text(by_id[id]) for word in words for id in sorted(named(checks, [word]))]
    except BadInput:
        _rules(words)
        raise
    pages = ["\n".join(map(clean, page.split("\n"))) for page in pages]
    click.echo(f"\n{'-' * 72}\n".join(pages))


def _rules(words: tuple[str, ...]) -> None:
    """Raises BadInput where one of them is no check but a rule of the monitor."""
    from martello.core.errors import BadInput

    if not any(word.upper().startswith("MON-") for word in words):
        return
    try:
        from martello.practices.monitor.packs import default
    except ModuleNotFoundError:  # rules are of an extra
        return
    rules = default().rules
    for word in words:
        if word.upper() in rules:
            why = "checks judge manifests, rules judge events"
            next = f"martello monitor rules show {word.upper()}"
            raise BadInput(f"{word} is no check but a rule of the monitor", why, next)
