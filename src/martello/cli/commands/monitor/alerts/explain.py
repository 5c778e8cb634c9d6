"""`martello monitor alerts explain ID`: why it fired."""

from __future__ import annotations

from typing import Any

import click

from martello.cli import options
from martello.cli.monitor import settings
from martello.cli.store import places


@click.command("explain")
@click.argument("id")
@click.option("--rules", "rules", multiple=True, metavar="PATH", help=settings.RULES)
@places.flags
@options.output_of(("table", "json"))
@options.debug
def command(id: str, **flags: Any) -> int:
    """Tell why an alert fired: each comparison of its rule, and what it was for each event that is
    kept. Exit 3 where the rule is not there, or is another one now.
    """
    from martello.cli.monitor.alerting import show_command

    return show_command(id, flags, explain=True)
