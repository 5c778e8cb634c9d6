"""`martello monitor rules test [PATH]`: the tests that rules carry."""

from __future__ import annotations

from typing import Any

import click

from martello.cli import options
from martello.cli.monitor import settings


@click.command("test")
@settings.paths
@click.option(
    "--mutate", is_flag=True, help="Change each part of each rule, and see whether a test notices."
)
@options.output_of(("text", "json"))
@options.debug
def command(paths: tuple[str, ...], **flags: Any) -> int:
    """Run the tests that rules carry. Exit 1 where one fails."""
    from martello.cli.monitor.judging import test_command

    return test_command(paths, flags)
