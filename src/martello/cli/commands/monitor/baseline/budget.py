"""`martello monitor baseline budget`: a threshold by what it would cost."""

from __future__ import annotations

from typing import Any

import click

from martello.cli import options
from martello.cli.monitor import settings
from martello.cli.store import places


@click.command("budget")
@click.argument("a_day", metavar="N", type=click.FloatRange(0, 100_000))
@click.option("--since", default="30d", metavar="TIME", show_default=True, help=settings.SINCE)
@click.option("--cluster", "clusters", multiple=True, metavar="NAME", help=settings.CLUSTER)
@places.flags
@options.output_of(("table", "json"))
@options.debug
def command(a_day: float, **flags: Any) -> int:
    """Learn the history anew, and print the smallest threshold (`run --surprise`) that would have
    given no more than N alerts of baselines a day. Exit 3 where a part of it cannot be read.
    """
    from martello.cli.monitor.baselining import budget_command

    return budget_command(a_day, flags)
