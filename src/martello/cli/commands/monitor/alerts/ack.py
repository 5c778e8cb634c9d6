"""`martello monitor alerts ack ID`: somebody looks at it."""

from __future__ import annotations

from typing import Any

import click

from martello.cli import options
from martello.cli.store import places


@click.command("ack")
@click.argument("ids", nargs=-1, required=True, metavar="ID…")
@places.flags
@options.debug
def command(ids: tuple[str, ...], **flags: Any) -> int:
    """Acknowledge alerts. Their sinks are told; one that grows stays so, one that gets graver is
    open again.
    """
    from martello.cli.monitor.alerting import mark_command

    return mark_command(ids, "acknowledged", flags)
