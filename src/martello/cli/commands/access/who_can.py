"""`martello access who-can VERB RESOURCE[/NAME]`: everybody who may, and through what."""

from __future__ import annotations

from typing import Any

import click

from martello.cli import options
from martello.cli.access import settings


@click.command("who-can")
@click.argument("words", nargs=-1, metavar="VERB RESOURCE[/NAME] | VERB PATH")
@settings.asking_flags
@settings.system_flag
@settings.world_flags
@options.output_of(("text", "json"))
@options.debug
def command(words: tuple[str, ...], **flags: Any) -> int:
    """List every user, group and account that may do this, with the bindings that say so. Without
    -n: everywhere, and in which namespaces. Exit 0, 3 where something could not be read.
    """
    from martello.cli.access.answering import tell
    from martello.cli.access.holding import holders
    from martello.cli.access.opening import opened

    return tell(holders(opened(flags), words, flags), flags)
