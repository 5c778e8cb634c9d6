"""`martello monitor baseline forget`: it is learned anew."""

from __future__ import annotations

from typing import Any

import click

from martello.cli import options
from martello.cli.monitor import settings
from martello.cli.store import places


@click.command("forget")
@click.argument("workload")
@settings.in_namespace
@places.flags
@options.debug
def command(workload: str, **flags: Any) -> int:
    """Forget what is known of a workload: the running daemon learns it anew, from within a minute
    on. Exit 1 where nothing is known of it.
    """
    from martello.cli.monitor.baselining import forget_command

    return forget_command(workload, flags)
