"""`martello explain ID`: what a check means, from the check's own file."""

from __future__ import annotations

import click

from martello.cli import complete
from martello.cli.options import debug
from martello.core.check import Check
from martello.core.errors import BadInput


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

    checks = load(policies)
    pages = [text(check) for word in words for check in named(word, checks)]
    click.echo(f"\n{'-' * 72}\n".join(pages))


def named(word: str, checks: tuple[Check, ...]) -> list[Check]:
    """The checks that a word means: id, name or alias, in any case. Raises BadInput with the
    nearest.
    """
    wanted = word.lower()
    names: dict[str, list[Check]] = {}
    for check in checks:
        own = {check.id, check.name, *(a for names in check.aliases.values() for a in names)}
        for name in own:
            names.setdefault(name.lower(), []).append(check)
    if wanted in names:
        return names[wanted]
    from martello.cli.errors import nearest

    close = names[nearest(wanted, names)][0]
    raise BadInput(
        f"no such check: {word}",
        "no check has it as id, name or alias",
        f"martello explain {close.id} ({close.name}) is the nearest",
    )
