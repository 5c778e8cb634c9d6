"""`martello network can A B[:PORT[/udp]]`: whether one place reaches another."""

from __future__ import annotations

from typing import Any

import click

from martello.cli import options
from martello.cli.network import settings


@click.command("can")
@click.argument("source", metavar="A")
@click.argument("destination", metavar="B[:PORT[/udp]]")
@settings.world_flags
@settings.fleet_flag
@options.output_of(("text", "json"))
@options.debug
def command(source: str, destination: str, **flags: Any) -> int:
    """Say whether A reaches B on this port, and by which rule. Without a port: whether anything
    passes. Exit 0 yes, 1 no, 3 unknown.
    """
    from martello.cli.network.answering import tell

    if flags["fleet"]:
        from martello.cli.network.across import answer_across

        return tell(answer_across(source, destination, flags), flags)
    from martello.cli.network.asking import answer
    from martello.cli.network.opening import opened

    return tell(answer(opened(flags), source, destination), flags)
