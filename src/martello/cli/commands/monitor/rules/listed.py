"""`martello monitor rules list [PATH]`: the rules there are."""

from __future__ import annotations

from typing import Any

import click

from martello.cli import options
from martello.cli.monitor import settings


@click.command("list")
@settings.paths
@options.output_of(("text", "json"))
@options.debug
def command(paths: tuple[str, ...], **flags: Any) -> int:
    """List rules: id, severity, kinds of events, title."""
    from martello.cli.monitor.judging import list_command

    return list_command(paths, flags)
