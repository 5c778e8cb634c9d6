"""`martello monitor alerts list`: what was told lately."""

from __future__ import annotations

from typing import Any, Final

import click

from martello.cli import options
from martello.cli.monitor import settings
from martello.cli.store import places

_SEVERITIES: Final = ("info", "low", "medium", "high", "critical")


@click.command("list")
@click.option("--since", default="7d", metavar="TIME", show_default=True, help=settings.SINCE)
@click.option(
    "--severity", type=click.Choice(_SEVERITIES), default="info", help="The lowest that is listed."
)
@click.option("--rule", "rule_names", multiple=True, metavar="GLOB", help=settings.RULE)
@click.option("--closed", "everything", is_flag=True, help="Closed ones too.")
@click.option(
    "--fail-on",
    type=click.Choice((*_SEVERITIES, "never")),
    default="high",
    help="What fails [default: high].",
)
@click.option(
    "-n", "--namespace", "namespaces", multiple=True, metavar="NAME", help=settings.NAMESPACE
)
@places.flags
@options.output_of(("table", "json", "jsonl"))
@options.debug
def command(**flags: Any) -> int:
    """List alerts, the newest first, and the sinks where some wait. Exit 1 where an open one
    reaches --fail-on; else 3 where a part of the window was not seen.
    """
    from martello.cli.monitor.alerting import list_command

    return list_command(flags)
