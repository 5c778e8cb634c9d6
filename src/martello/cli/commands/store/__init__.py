"""`martello store VERB`: what is kept of events and alerts."""

from __future__ import annotations

from typing import Final

import click

from martello.cli.lazy import LazyGroup

VERBS: Final = {
    "status": ("status", "How much is kept, where, sealed since when, and what waits."),
    "verify": ("verify", "Whether the lake is what was sealed; or the proof of one event."),
    "compact": ("compact", "Join small files of the lake."),
    "retain": ("retain", "Retire what is older than its tier, and delete it; holds."),
}


class _Verbs(LazyGroup):
    """The verbs of the table above."""

    table = VERBS
    package = "martello.cli.commands.store"


@click.group("store", cls=_Verbs)
def command() -> None:
    """What is kept: state (SQLite) and the lake (Parquet files), sealed by signed checkpoints."""
