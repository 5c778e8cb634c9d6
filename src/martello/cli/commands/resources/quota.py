"""`martello resources quota`: what quotas really bound, their holes, and guards that close them."""

from __future__ import annotations

from typing import Any, Final

import click

from martello.cli import options
from martello.cli.prometheus import prometheus_flags
from martello.cli.resources import settings

FORMATS: Final = ("text", "json")


@click.command("quota")
@settings.namespaces_flags
@settings.write_flag
@click.option(
    "--apply",
    "apply",
    is_flag=True,
    help="Put LimitRanges and quotas into the live cluster, where it takes all in a dry run.",
)
@click.option("--prometheus", default="", metavar="URL", help="Ask this Prometheus for samples.")
@click.option(
    "--samples",
    multiple=True,
    metavar="FILE",
    help="Samples as CSV or Parquet, or demo. Repeatable.",
)
@click.option("--since", default="30d", metavar="TIME", help="How far back [default: 30d].")
@click.option("--until", default="", metavar="TIME", help="Up to when [default: the last sample].")
@settings.kubelet_flag
@prometheus_flags
@settings.world_flags
@options.output_of(FORMATS)
@options.debug
def command(**flags: Any) -> int:
    """Say what the quotas of each namespace really bound, what escapes them, and what is nearly
    spent. With --write DIR or --apply make LimitRanges, quotas, requests and limits for workloads
    that lack them, and kubelet settings; nothing of them is handed over unless every pod that is
    there, and every workload at its autoscaler's maximum in a rolling update, is admitted with
    them, and no blast is wider than before. Exit 0 no holes, or the proof holds; 1 holes, or it
    does not; 3 unknown.
    """
    if flags["folder"] or flags["apply"]:
        from martello.cli.reports import parse_outputs
        from martello.cli.resources.guarding import guard_command

        return guard_command(parse_outputs(flags["outputs"] or ("text",), FORMATS), flags)
    from martello.cli.resources.bounding import bounds
    from martello.cli.resources.opening import opened
    from martello.cli.resources.telling import tell

    return tell(bounds(opened(flags), flags), flags)
