"""`martello resources admit FILE…`: what the API server would make of these objects."""

from __future__ import annotations

from typing import Any

import click

from martello.cli import options
from martello.cli.resources import settings


@click.command("admit")
@click.argument("objects", nargs=-1, required=True, metavar="FILE...")
@settings.namespace_flag
@click.option(
    "--replicas",
    type=click.IntRange(0, 1_000_000),
    metavar="N",
    help="So many pods of each workload [default: as many as it says].",
)
@click.option(
    "--admission-config",
    "configuration",
    metavar="FILE",
    help="The API server's AdmissionConfiguration: what is limited by default.",
)
@settings.world_flags
@options.output_of(("text", "json"))
@options.debug
def command(objects: tuple[str, ...], **flags: Any) -> int:
    """Say what the API server would make of these objects, in their order: changed to what, or why
    refused, by which LimitRange or quota. Objects that name no namespace go where -n says, else
    into default. Exit 0 all are let in, 1 one is not, 3 unknown.
    """
    from martello.cli.resources.admitting import answers
    from martello.cli.resources.opening import opened
    from martello.cli.resources.telling import tell

    return tell(answers(opened(flags), objects, flags), flags)
