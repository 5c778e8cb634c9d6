"""`martello monitor alerts close ID`: it is over."""

from __future__ import annotations

from typing import Any

import click

from martello.cli import options
from martello.cli.store import places


@click.command("close")
@click.argument("ids", nargs=-1, required=True, metavar="ID…")
@places.flags
@options.debug
def command(ids: tuple[str, ...], **flags: Any) -> int:
    """Close alerts. Their sinks are told; one that happens again is open again."""
    from martello.cli.monitor.alerting import mark_command

    return mark_command(ids, "closed", flags)
