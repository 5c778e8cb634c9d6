"""`martello access why VERB RESOURCE[/NAME]`: every grant, or what misses by one word."""

from __future__ import annotations

from typing import Any

import click

from martello.cli import options
from martello.cli.access import settings


@click.command("why")
@click.argument("words", nargs=-1, metavar="VERB RESOURCE[/NAME] | VERB PATH")
@settings.who_flags
@settings.asking_flags
@settings.events_flag()
@settings.world_flags
@options.output_of(("text", "json"))
@options.debug
def command(words: tuple[str, ...], **flags: Any) -> int:
    """Say why WHO may do this, by every binding with its subject, role and rule; or why not, and
    which grants miss it by one field. Exit 0 yes, 1 no, 3 unknown.
    """
    from martello.cli.access.answering import tell
    from martello.cli.access.asking import answer
    from martello.cli.access.opening import opened

    return tell(answer(opened(flags), words, flags, full=True), flags)
