"""`martello monitor rules coverage [PATH]`: which techniques the rules see."""

from __future__ import annotations

from typing import Any

import click

from martello.cli import options
from martello.cli.monitor import settings


@click.command("coverage")
@settings.paths
@settings.sources
@options.output_of(("text", "json"))
@options.debug
def command(paths: tuple[str, ...], **flags: Any) -> int:
    """Which techniques of MITRE ATT&CK the rules see by connected source, and what one more source
    would show.
    """
    from martello.cli.monitor.judging import coverage_command

    return coverage_command(paths, flags)
