"""`martello paths [find]`: the ways from footholds to what must not be reached."""

from __future__ import annotations

import gc
from typing import Any, Final

import click

from martello.cli import options
from martello.cli.access.settings import events_flag
from martello.cli.paths import settings

FORMATS: Final = (
    *("text", "json", "sarif", "junit", "markdown", "github"),
    *("dot", "svg", "html", "bloodhound"),
)


@click.command("find")
@settings.from_flag
@settings.to_flag
@settings.system_flag
@settings.world_flags
@events_flag()
@settings.state_flag
@settings.keep_flag
@options.output_of(FORMATS)
@options.verdict_flags
@options.debug
def command(**flags: Any) -> int:
    """Find how an attacker gets from a foothold to cluster-admin, a node or secrets: each step with
    its evidence, the worst first, and the cheapest cut. What nobody could assess is a step with a
    question mark, never left out. With --state, steps that alerts saw in use are told, and make
    their path graver by one level. Exit 1 for paths at or above --fail-on.
    """
    gc.disable()  # one run, one result: what is read lives until the end
    from martello.cli.paths.finding import find_command
    from martello.cli.reports import parse_outputs

    flags["folder"] = ""
    return find_command(parse_outputs(flags["outputs"] or ("text",), FORMATS), flags)
