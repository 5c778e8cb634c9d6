"""`martello monitor baseline VERB`: what is normal, what is new, and what people decide of it."""

from __future__ import annotations

from typing import Final

import click

from martello.cli.lazy import LazyGroup

VERBS: Final = {
    "show": ("show", "What a workload does, how often, since when, and in which state."),
    "diff": ("diff", "What is new for it, and what it no longer does."),
    "budget": ("budget", "The threshold that stays within so many alerts a day, back-tested."),
    "accept": ("accept", "Say that what waits is wanted."),
    "forget": ("forget", "Let it be learned anew."),
}


class _Verbs(LazyGroup):
    """The verbs of the table above."""

    table = VERBS
    package = "martello.cli.commands.monitor.baseline"


@click.group("baseline", cls=_Verbs)
def command() -> None:
    """Baselines: WORKLOAD is deploy/billing, sa/runner or user/alice, as the daemon has learned."""
