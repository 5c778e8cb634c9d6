"""`martello access can VERB RESOURCE[/NAME]`: whether a principal may do something."""

from __future__ import annotations

from typing import Any

import click

from martello.cli import options
from martello.cli.access import settings


@click.command("can")
@click.argument("words", nargs=-1, metavar="VERB RESOURCE[/NAME] | VERB PATH")
@settings.who_flags
@settings.asking_flags
@click.option("--list", "listed", is_flag=True, help="Everything that WHO may do.")
@settings.system_flag
@settings.world_flags
@options.output_of(("text", "json"))
@options.debug
def command(words: tuple[str, ...], listed: bool, **flags: Any) -> int:
    """Say whether WHO may do this, by which binding and rule. Without -n it is asked for all
    namespaces at once. With --list: everything that WHO may do. Exit 0 yes, 1 no, 3 unknown.
    """
    from martello.cli.access.answering import tell
    from martello.cli.access.opening import opened
    from martello.core.errors import BadInput

    if listed:
        from martello.cli.access.listing import rights

        if words:
            raise BadInput("--list takes no verb", f"{' '.join(words)} was given", "")
        return tell(rights(opened(flags), flags), flags)
    from martello.cli.access.asking import answer

    return tell(answer(opened(flags), words, flags), flags)
