"""`martello resources advise [WORKLOAD…]`: what requests and limits should be, and how sure."""

from __future__ import annotations

from typing import Any, Final

import click

from martello.cli import options
from martello.cli.prometheus import prometheus_flags
from martello.cli.resources import settings

FORMATS: Final = ("text", "json", "html")


@click.command("advise")
@click.argument("workloads", nargs=-1, metavar="[WORKLOAD]...")
@settings.namespaces_flags
@click.option("--prometheus", default="", metavar="URL", help="Ask this Prometheus for samples.")
@click.option(
    "--samples",
    multiple=True,
    metavar="FILE",
    help="Samples as CSV or Parquet, or demo. Repeatable.",
)
@click.option("--since", default="30d", metavar="TIME", help="How far back [default: 30d].")
@click.option("--until", default="", metavar="TIME", help="Up to when [default: the last sample].")
@click.option(
    "--horizon", default="14d", metavar="TIME", help="How long it is to last [default: 14d]."
)
@settings.write_flag
@options.everything
@prometheus_flags
@settings.world_flags
@options.output_of(FORMATS)
@options.debug
def command(workloads: tuple[str, ...], **flags: Any) -> int:
    """Say what requests and limits should be by what was used, why, how sure that is, and what it
    would have done to the last part of the time: kills, want, waste, beside today's sizes and the
    rules of VPA and KRR. WORKLOAD is web, deploy/web or shop/deploy/web. Nothing is written without
    --write DIR, and nothing that LimitRanges or quotas would refuse. Exit 0 all was assessed, 1
    sizes would be refused, 3 something was not assessed, 4 the server did not answer.
    """
    from martello.cli.reports import parse_outputs
    from martello.cli.resources.advising import advise_command

    outputs = parse_outputs(flags["outputs"] or ("text",), FORMATS)
    return advise_command(workloads, outputs, flags)
