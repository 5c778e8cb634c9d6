"""`martello monitor alerts retry`: dead letters are sent again."""

from __future__ import annotations

from typing import Any

import click

from martello.cli import options
from martello.cli.monitor import settings
from martello.cli.store import places


@click.command("retry")
@click.argument("ids", nargs=-1, metavar="[ID]…")
@click.option("--sink", default="", metavar="NAME", help=settings.SINK)
@places.flags
@options.debug
def command(ids: tuple[str, ...], sink: str, **flags: Any) -> int:
    """Let the daemon send again what a sink refused or did not take within a day: all of it, or of
    these alerts.
    """
    from martello.cli.monitor.alerting import retry_command

    return retry_command(ids, sink, flags)
