"""`martello monitor hunt SQL`: the history of every cluster, by a query or by a rule."""

from __future__ import annotations

from typing import Any, Final

import click

from martello.cli import options
from martello.cli.monitor import settings
from martello.cli.store import places

FORMATS: Final = ("table", "json", "jsonl", "csv", "parquet")


@click.command("hunt")
@click.argument("sql", required=False, default="")
@click.option(
    "--rule",
    "rule_names",
    multiple=True,
    metavar="RULE",
    help=settings.RULE,
)
@click.option("--rules", "rules", multiple=True, metavar="PATH", help=settings.RULES)
@click.option("--since", default="30d", metavar="TIME", show_default=True, help=settings.SINCE)
@click.option("--cluster", "clusters", multiple=True, metavar="NAME", help=settings.CLUSTER)
@click.option("--verify", is_flag=True, help="Compare the hash of every file that is read.")
@places.flags
@options.output_of(FORMATS)
@options.debug
def command(sql: str, **flags: Any) -> int:
    """Ask what happened. The tables are audit, process, file, network, priv, kernel, log,
    k8s_event, alerts and gaps; one SELECT, no file and no network. Every answer says how much of
    the window is known. Exit 3 where a part of it is not.
    """
    from martello.cli.monitor.hunting import hunt_command

    return hunt_command(sql, flags)
