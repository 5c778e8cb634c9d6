"""`martello monitor report`: the day, as a page."""

from __future__ import annotations

from typing import Any, Final

import click

from martello.cli import options
from martello.cli.monitor import settings
from martello.cli.store import places

FORMATS: Final = ("markdown", "html", "json")


@click.command("report")
@click.option("--since", default="1d", metavar="TIME", show_default=True, help=settings.SINCE)
@click.option(
    "--until",
    default="",
    metavar="WHEN",
    help=settings.UNTIL,
)
@click.option("--cluster", "clusters", multiple=True, metavar="NAME", help=settings.CLUSTER)
@places.flags
@options.output_of(FORMATS)
@options.debug
def command(**flags: Any) -> int:
    """Tell of a day: what grew or fell that chance does not explain, what alerted, who changed
    what, and what is not known. Exit 3 where a part of the window is not.
    """
    from martello.cli.monitor.reporting import report_command

    return report_command(flags)
