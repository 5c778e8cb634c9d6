"""`martello paths cut`: the cheapest edits that end the paths."""

from __future__ import annotations

import gc
from typing import Any, Final

import click

from martello.cli import options
from martello.cli.access.settings import events_flag
from martello.cli.paths import settings

FORMATS: Final = ("text", "json", "sarif", "junit")


@click.command("cut")
@settings.from_flag
@settings.to_flag
@settings.system_flag
@settings.world_flags
@events_flag()
@settings.state_flag
@settings.keep_flag
@click.option("--write", "folder", default="", metavar="DIR", help="Write the objects there.")
@options.output_of(FORMATS)
@options.verdict_flags
@options.debug
def command(**flags: Any) -> int:
    """Find the cheapest edits after which no path is left: bindings that nobody uses before those
    that are used (--events), never what --keep names. The edited cluster is read anew as proof.
    Nothing is written without --write DIR. Exit 1 while there are paths at or above --fail-on.
    """
    gc.disable()  # one run, one result: what is read lives until the end
    from martello.cli.paths.finding import cut_command
    from martello.cli.reports import parse_outputs

    return cut_command(parse_outputs(flags["outputs"] or ("text",), FORMATS), flags)
