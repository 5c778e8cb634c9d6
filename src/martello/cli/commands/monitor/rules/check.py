"""`martello monitor rules check [PATH]`: which rules can fire here at all."""

from __future__ import annotations

from typing import Any

import click

from martello.cli import options
from martello.cli.monitor import settings


@click.command("check")
@settings.paths
@settings.sources
@options.output_of(("text", "json"))
@options.debug
def command(paths: tuple[str, ...], **flags: Any) -> int:
    """Judge rules before they run: fields and values that no event has, columns that no connected
    source fills, rules that say the same. Exit 1 where a rule can never fire or cannot be read, 3
    where one is unassessed.
    """
    from martello.cli.monitor.judging import check_command

    return check_command(paths, flags)
