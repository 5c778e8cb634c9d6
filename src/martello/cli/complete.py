"""Completion: checks where they are typed, and the answers that kubectl asks of its plugins."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


def checks(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The ids that begin with what was typed, and the names once no id does; with the titles."""
    from click.shell_completion import CompletionItem

    from martello.catalogue.load import load
    from martello.core.errors import MartelloError

    try:
        known = sorted(load(), key=lambda check: check.id)
    except MartelloError:
        return []  # a shell that completes is no place for errors
    start = incomplete.lower()
    ids = [(c.id, c.title) for c in known if c.id.lower().startswith(start)]
    names = [(c.name, c.title) for c in known if c.name.startswith(start)]
    return [CompletionItem(word, help=title) for word, title in ids or names]


def kubectl() -> None:
    """Answers `kubectl_complete-martello WORDS...` as kubectl 1.26 and newer expects it: a word and
    its help a line, then a directive (0: complete files if there are none, 4: do not).
    """
    from click.shell_completion import ShellComplete

    from martello.cli.main import cli

    *typed, incomplete = sys.argv[1:] or [""]
    try:
        found = ShellComplete(cli, {}, "martello", "").get_completions(typed, incomplete)
    except click.ClickException:
        found = []
    words = [item for item in found if item.type == "plain"]
    for item in words:
        click.echo(f"{item.value}\t{item.help}" if item.help else item.value)
    click.echo(":4" if words else ":0")
