"""`martello resources record FILE`: what metrics-server says now, added to a file of samples."""

from __future__ import annotations

from typing import Any

import click

from martello.cli import options
from martello.cli.resources import settings


@click.command("record")
@click.argument("file", metavar="FILE")
@click.option(
    "--every",
    default="",
    metavar="TIME",
    help="Again and again at this distance, such as 30s or 5m [default: once].",
)
@click.option(
    "--for",
    "length",
    default="",
    metavar="TIME",
    help="End after this time, such as 1h or 14d; every minute [default: at Ctrl-C].",
)
@settings.namespaces_flags
@options.context
@options.kubeconfig
@options.incomplete
@options.debug
def command(file: str, **flags: Any) -> int:
    """Add what metrics-server says now of every container to FILE, a CSV that advise and quota
    read by --samples FILE. Snapshots add up to a history; peaks between two of them are missed and
    kills are not seen, so a Prometheus is better where there is one. Ctrl-C ends it; a snapshot is
    in the file whole or not at all. Exit 0 all was recorded, 3 some of it was not, 4 there is no
    metrics-server, or no right to list pods.metrics.k8s.io.
    """
    from martello.cli.resources.recording import record_command

    return record_command(file, flags)
