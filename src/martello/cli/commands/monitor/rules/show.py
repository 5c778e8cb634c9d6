"""`martello monitor rules show RULE…`: all that is known of a rule."""

from __future__ import annotations

from typing import Any

import click

from martello.cli import options
from martello.cli.monitor import settings


@click.command("show")
@click.argument("names", nargs=-1, required=True, metavar="RULE…")
@click.option("--rules", multiple=True, metavar="PATH", help=settings.RULES)
@options.output_of(("text", "json"))
@options.debug
def command(names: tuple[str, ...], **flags: Any) -> int:
    """Show rules, by id, title or alias: what they look for, why it matters, what to do."""
    from martello.cli.monitor.judging import show_command

    return show_command(names, flags)
