"""`martello monitor alerts respond ID`: what can be done at once."""

from __future__ import annotations

from typing import Any

import click

from martello.cli import options
from martello.cli.store import places


@click.command("respond")
@click.argument("id")
@click.option(
    "--do",
    "actions",
    multiple=True,
    type=click.Choice(["quarantine", "cordon", "evict"]),
    help="Only this. Repeatable.",
)
@click.option("--apply", is_flag=True, help="Make the changes: tried by the server first.")
@options.context
@options.kubeconfig
@places.flags
@options.debug
def command(id: str, **flags: Any) -> int:
    """Show what can be done about an alert, as the calls that do it: a NetworkPolicy around its
    pod, a cordon for its node, an eviction. With --context the pod is read first. Nothing changes
    without --apply, which makes what --do names.
    """
    from martello.cli.monitor.responding import respond_command

    return respond_command(id, flags)
