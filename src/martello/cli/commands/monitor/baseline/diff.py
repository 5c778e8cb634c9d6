"""`martello monitor baseline diff`: what is new for a workload."""

from __future__ import annotations

from typing import Any

import click

from martello.cli import options
from martello.cli.monitor import settings
from martello.cli.store import places


@click.command("diff")
@click.argument("workload")
@settings.in_namespace
@click.option("--since", default="1d", metavar="TIME", show_default=True, help=settings.SINCE)
@places.flags
@options.output_of(("table", "json"))
@options.debug
def command(workload: str, **flags: Any) -> int:
    """Show what was first seen within a time, what waits for a person, and what the last roll-out
    no longer does. Exit 1 where something waits.
    """
    from martello.cli.monitor.baselining import diff_command

    return diff_command(workload, flags)
