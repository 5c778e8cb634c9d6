"""`martello monitor baseline accept`: what waits is wanted."""

from __future__ import annotations

from typing import Any

import click

from martello.cli import options
from martello.cli.monitor import settings
from martello.cli.store import places


@click.command("accept")
@click.argument("workload")
@click.argument("values", nargs=-1, metavar="[VALUE]…")
@settings.in_namespace
@places.flags
@options.debug
def command(workload: str, values: tuple[str, ...], **flags: Any) -> int:
    """Say that facts are wanted: those that wait, or the VALUES that are named. The running daemon
    takes it within a minute. Exit 1 where there is nothing to accept.
    """
    from martello.cli.monitor.baselining import accept_command

    return accept_command(workload, values, flags)
