"""`martello gate VERB`: the door of the cluster."""

from __future__ import annotations

from typing import Final

import click

from martello.cli.lazy import LazyGroup

VERBS: Final = {
    "serve": ("serve", "Answer the API server: webhooks for images."),
    "install": ("install", "Print what a cluster needs to ask the gate."),
    "images": ("images", "Judge the images of manifests as the gate would."),
}


class _Verbs(LazyGroup):
    """The verbs of the table above."""

    table = VERBS
    package = "martello.cli.commands.gate"


@click.group("gate", cls=_Verbs)
def command() -> None:
    """The door of the cluster: only images that the ledger approves get in.

    Admission reads a snapshot in memory. It asks no registry and no database.
    """
