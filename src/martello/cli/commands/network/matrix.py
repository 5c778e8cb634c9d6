"""`martello network matrix`: who reaches whom, as a table, a picture or data."""

from __future__ import annotations

from typing import Any, Final

import click

from martello.cli import options
from martello.cli.network import settings

FORMATS: Final = ("table", "json", "csv", "html", "svg", "dot")


@click.command("matrix")
@settings.world_flags
@options.namespaces
@click.option(
    "--by",
    type=click.Choice(["namespace", "workload"]),
    default=None,
    help="What rows and columns are [default: namespace; with -n: workload].",
)
@click.option(
    "--exposure", is_flag=True, help="Who may come in: the internet, any pod, pods not there yet."
)
@click.option(
    "--from", "begin", default="", metavar="PLACE", help="How far one gets from here, hop by hop."
)
@click.option(
    "--hops", type=click.IntRange(1, 16), default=None, help="How many hops [default: 3]."
)
@options.output_of(FORMATS)
@options.debug
def command(**flags: Any) -> int:
    """Print who reaches whom. With --exposure: what a stranger reaches; with --from: how far a pod
    gets, hop by hop. Exit 0; 3 where something is not known, or could not be read.
    """
    from martello.cli.network.opening import opened
    from martello.cli.network.showing import show
    from martello.cli.reports import parse_outputs
    from martello.core.errors import BadInput

    if flags["exposure"] and flags["begin"]:
        raise BadInput("--exposure and --from are two questions", "", "give one of them")
    if flags["hops"] is not None and not flags["begin"]:
        raise BadInput("--hops needs --from", "hops are counted from a place", "--from shop/web")
    outputs = parse_outputs(flags["outputs"], FORMATS)
    return show(opened(flags), outputs, flags)
