"""`martello network learn`: the least policies for the flows that are seen, with their proof."""

from __future__ import annotations

from typing import Any, Final

import click

from martello.cli import options
from martello.cli.network import settings

FORMATS: Final = ("text", "json", "yaml", "sarif", "junit")
REASONS: Final = (
    "metadata",
    "api-server",
    "single",
    "tenant",
    "foreign",
    "undeclared",
    "unanswered",
)


@click.command("learn")
@settings.world_flags
@options.namespaces
@click.option(
    "--flows",
    "flows",
    multiple=True,
    required=True,
    metavar="GLOB",
    help="Files of flows, or - for stdin. Repeatable.",
)
@click.option(
    "--reader", default="", metavar="NAME", help="The format of the flows [default: found out]."
)
@click.option(
    "--max-bad",
    default="1%",
    metavar="SHARE",
    help="How many lines may be unreadable [default: 1%].",
)
@click.option(
    "--dialect",
    type=click.Choice(["NetworkPolicy", "ClusterNetworkPolicy", "CiliumNetworkPolicy"]),
    default="NetworkPolicy",
    help="The kind of the policies [default: NetworkPolicy].",
)
@click.option(
    "--include-declared", is_flag=True, help="Allow what env and ConfigMaps name, though unseen."
)
@click.option(
    "--isolate-unseen", is_flag=True, help="Workloads without a flow get nothing, not everything."
)
@click.option(
    "--internet",
    "internet",
    multiple=True,
    metavar="NS/WORKLOAD",
    help="Anyone outside may reach this workload. Repeatable.",
)
@click.option(
    "--withhold",
    "withhold",
    multiple=True,
    type=click.Choice(REASONS),
    help="Odd flows of this kind are not learned. Repeatable.",
)
@click.option("--write", "folder", default="", metavar="DIR", help="Write the policies there.")
@click.option(
    "--shadow", default="", metavar="DIR", help="What these policies would drop of the flows."
)
@click.option("--drift", is_flag=True, help="What the policies in force allow unseen, and deny.")
@click.option(
    "--days",
    type=click.IntRange(1, 3650),
    default=30,
    help="How far back flows count for --drift [default: 30].",
)
@options.output_of(FORMATS)
@options.debug
def command(**flags: Any) -> int:
    """Read flows, and propose the least policies that allow every one of them; the proposal is
    replayed, and nothing is shown that would deny what was seen. Nothing is written without
    --write DIR. With --shadow DIR: what policies would drop; with --drift: what the policies in
    force allow and nobody uses, or deny and somebody tries.
    """
    from martello.cli.network.learning import learn_command
    from martello.cli.reports import parse_outputs
    from martello.core.errors import BadInput

    chosen = [n for n in ("folder", "shadow", "drift") if flags[n]]
    if len(chosen) > 1:
        raise BadInput("--write, --shadow and --drift exclude each other", "", "give one of them")
    return learn_command(parse_outputs(flags["outputs"] or ("text",), FORMATS), flags)
