"""`martello monitor alerts show ID`: one alert, whole."""

from __future__ import annotations

from typing import Any

import click

from martello.cli import options
from martello.cli.store import places


@click.command("show")
@click.argument("id")
@places.flags
@options.output_of(("table", "json"))
@options.debug
def command(id: str, **flags: Any) -> int:
    """Show an alert: what, who, where, when, the events it stands on, and each sink's answer."""
    from martello.cli.monitor.alerting import show_command

    return show_command(id, flags)
