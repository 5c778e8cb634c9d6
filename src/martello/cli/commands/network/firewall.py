"""`martello network firewall NODE`: a packet filter for a node, its pods, or the cluster's edge."""

from __future__ import annotations

from typing import Any, Final

import click

from martello.cli import options
from martello.cli.network import settings

FORMATS: Final = ("nft", "json", "calico", "cilium")


@click.command("firewall")
@click.argument("node", required=False, default="", metavar="NODE")
@settings.world_flags
@click.option("--pods", is_flag=True, help="The policies of the pods of this node.")
@click.option(
    "--perimeter", is_flag=True, help="What other clusters may not reach; NODE is a cluster."
)
@settings.fleet_flag
@click.option(
    "--admin", multiple=True, metavar="CIDR", help="Where administrators connect from. Repeatable."
)
@click.option(
    "--health", multiple=True, metavar="CIDR", help="Where health checks come from. Repeatable."
)
@click.option(
    "--failsafe",
    multiple=True,
    type=click.IntRange(1, 65535),
    metavar="PORT",
    help="TCP ports that stay open to everybody [default: 22]. Repeatable.",
)
@click.option(
    "--unknown",
    type=click.Choice(["allow", "deny"]),
    default=None,
    help="What becomes of connections that the policies do not decide [default: refuse].",
)
@click.option("--apply", "apply", is_flag=True, help="Load it; without it nothing is changed.")
@click.option(
    "--confirm-within",
    default="60s",
    metavar="TIME",
    help="Take it back unless it is confirmed within this time [default: 60s].",
)
@click.option(
    "--strict", is_flag=True, help="With --pods: end open connections that the rules deny."
)
@click.option("--confirm", is_flag=True, help="Keep what was loaded: from a new connection.")
@click.option("--rollback", is_flag=True, help="Put back what was there before.")
@options.output_of(FORMATS)
@options.debug
def command(node: str, **flags: Any) -> int:
    """Compile a packet filter (nftables) for a node: who may connect to it; with --pods, the
    policies of its pods; with --perimeter, what other clusters may not reach. It is printed, and
    loaded only with --apply; then it is taken back unless --confirm follows in time.
    """
    from martello.cli.network.filtering import filter_command
    from martello.cli.reports import parse_outputs

    outputs = parse_outputs(flags["outputs"] or ("nft",), FORMATS)
    return filter_command(node, outputs, flags)
