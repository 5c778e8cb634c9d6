"""`martello db VERB`: the advisory database."""

from __future__ import annotations

from typing import Final

import click

from martello.cli.lazy import LazyGroup

VERBS: Final = {
    "update": ("update", "Fetch the feeds that are needed, and build the database of them."),
    "build": ("build", "Build the database of a folder of feeds, without a network."),
    "status": ("status", "What the database knows, how old it is, whether it is whole."),
    "push": ("push", "Hand the database out through a registry of your own."),
    "pull": ("pull", "Take the database from a registry."),
}


class _Verbs(LazyGroup):
    """The verbs of the table above."""

    table = VERBS
    package = "martello.cli.commands.db"


@click.group("db", cls=_Verbs)
def command() -> None:
    """The advisory database: one file. Only `db update` reads public feeds, and only when typed."""
