"""`martello monitor alerts VERB`: what was told, why, and what became of it."""

from __future__ import annotations

from typing import Final

import click

from martello.cli.lazy import LazyGroup

VERBS: Final = {
    "list": ("listed", "The alerts that are kept, the newest first, and what waits at sinks."),
    "show": ("show", "One alert with its events and what became of it at its sinks."),
    "explain": ("explain", "Why it fired: each part of its rule for each of its events."),
    "ack": ("ack", "Say that somebody looks at it."),
    "close": ("close", "Say that it is over."),
    "except": ("excepted", "The smallest exception that silences what was wanted, proved."),
    "retry": ("retry", "Send dead letters again."),
    "respond": ("respond", "Quarantine its pod, cordon its node, evict: shown, or --apply."),
}


class _Verbs(LazyGroup):
    """The verbs of the table above."""

    table = VERBS
    package = "martello.cli.commands.monitor.alerts"


@click.group("alerts", cls=_Verbs)
def command() -> None:
    """Alerts that are kept: ID is the beginning of one's id."""
