"""`martello monitor baseline show`: what is known of a workload."""

from __future__ import annotations

from typing import Any

import click

from martello.cli import options
from martello.cli.monitor import settings
from martello.cli.store import places


@click.command("show")
@click.argument("workload", required=False, default="")
@settings.in_namespace
@places.flags
@options.output_of(("table", "json"))
@options.debug
def command(workload: str, **flags: Any) -> int:
    """Show what is normal: each fact with how often, by how many replicas, from when to when, and
    its state. Without WORKLOAD, everything that is known by name.
    """
    from martello.cli.monitor.baselining import show_command

    return show_command(workload, flags)
