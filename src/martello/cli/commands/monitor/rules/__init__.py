"""`martello monitor rules VERB`: which rules there are, which can fire, and what they are worth."""

from __future__ import annotations

from typing import Final

import click

from martello.cli.lazy import LazyGroup

VERBS: Final = {
    "check": ("check", "Which rules can fire here at all, and what is wrong with the others."),
    "list": ("listed", "The rules, with severity, kinds of events and techniques."),
    "show": ("show", "One rule: what it looks for, why, and what to do."),
    "test": ("testing", "Run the tests that rules carry; --mutate asks what they are worth."),
    "coverage": ("covered", "Which techniques are seen, and what one more source would show."),
}


class _Verbs(LazyGroup):
    """The verbs of the table above."""

    table = VERBS
    package = "martello.cli.commands.monitor.rules"


@click.group("rules", cls=_Verbs)
def command() -> None:
    """Rules of Falco, Sigma and Martello: PATH is `default`, a file or a directory."""
