"""`martello resources blast [WORKLOAD]`: whom a workload can starve, evict or block."""

from __future__ import annotations

import gc
from typing import Any, Final

import click

from martello.cli import options
from martello.cli.resources import settings

FORMATS: Final = ("text", "json", "html", "svg")


@click.command("blast")
@click.argument("workloads", nargs=-1, metavar="[WORKLOAD]...")
@settings.namespaces_flags
@click.option(
    "--attacker",
    "level",
    type=click.Choice(["container", "token", "namespace", "tenant"]),
    default="container",
    show_default=True,
    help="What the attacker holds: a container, its token too, its namespace, or its tenant.",
)
@click.option(
    "--target",
    type=click.FloatRange(0, 100),
    metavar="SCORE",
    help="Look for the cheapest guards that bring the score to this; fail above it.",
)
@settings.write_flag
@settings.kubelet_flag
@click.option(
    "--tenant-label",
    default="team",
    show_default=True,
    metavar="LABEL",
    help="The label of namespaces that says whose they are.",
)
@settings.world_flags
@options.output_of(FORMATS)
@options.fail_on
@options.debug
def command(workloads: tuple[str, ...], **flags: Any) -> int:
    """Say whom a hostile workload can starve, evict, kill or block, by which resource, what bounds
    it, and the cheapest guards that would. WORKLOAD is deploy/web or shop/deploy/web; without one
    all are judged. What a kubelet's settings decide that nobody told is marked with a question
    mark. With --write DIR the cheapest guards are shown and written, proved as those of `resources
    quota` are. Exit 0 nobody is hurt at or above --fail-on, 1 somebody is, 3 it is not known.
    """
    gc.disable()  # one run, one result: what is read lives until the end
    from martello.cli.reports import parse_outputs
    from martello.cli.resources.blasting import blast_command

    outputs = parse_outputs(flags["outputs"] or ("text",), FORMATS)
    return blast_command(workloads, outputs, flags)
