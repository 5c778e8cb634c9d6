"""`martello gate images FILE...`: manifests judged as the gate would, without a cluster."""

from __future__ import annotations

import sys
from typing import Any

import click

from martello.cli import options
from martello.cli.gate.opening import ledger_flags, open_ledger


@click.command("images")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("-n", "--namespace", default="", metavar="NAME", help="Of objects that name none.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    help="table or json [default: table].",
)
@ledger_flags
@options.debug
def command(files: tuple[str, ...], **flags: Any) -> int:
    """Judge the images of manifests (files, directories, - for stdin) by the ledger, as the gate
    would when they are created. Exit 1 where one is denied, 3 where something could not be read.

    Nothing is asked for, and no scan is queued.
    """
    from datetime import UTC, datetime

    import msgspec

    from martello.adapters.manifests import read_paths
    from martello.cli.gate.telling import Told, created, json_text, table
    from martello.core.approval import micros
    from martello.gate.images import judge
    from martello.gate.judge import Moment, fold

    ledger, rest, _ = open_ledger(flags, None)
    try:
        snapshot = msgspec.structs.replace(rest, approvals=ledger.read())
    finally:
        ledger.close()
    reading = read_paths(files, stdin=sys.stdin.buffer)
    moment = Moment(micros(datetime.now(UTC)))
    told: list[Told] = []
    for resource in reading.resources:
        opinion = judge(created(resource, flags["namespace"]), snapshot, moment)
        told.append(Told(resource, opinion, fold([opinion])))
    unread = [f"{entry.location}: {entry.reason}" for entry in reading.unassessed]
    click.echo((json_text if flags["output"] == "json" else table)(told, unread))
    if any(not one.verdict.allowed for one in told):
        return 1
    return 3 if unread or not told else 0
