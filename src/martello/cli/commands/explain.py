"""`martello explain ID`: what a check means, from the check's own file."""

from __future__ import annotations

import click

from martello.cli.options import debug


@click.command("explain")
@click.argument("words", nargs=-1, required=True, metavar="ID...")
@debug
def command(words: tuple[str, ...]) -> int:
    """Explain checks: danger, remedy, good and bad example, frameworks, other tools' names.

    ID is a check's id (POD-001), its name (privileged-container) or another tool's name for it
    (CKV_K8S_16, C-0057).
    """
    from martello.catalogue.load import load
    from martello.catalogue.page import page

    for check in _find(words, load()):
        click.echo(page(check))
    return 0


def _find(words: tuple[str, ...], checks: tuple[object, ...]) -> list[object]:
    raise NotImplementedError
