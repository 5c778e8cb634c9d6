"""`martello resources VERB`: what a container may take, what quotas bound, whom it can hurt."""

from __future__ import annotations

from typing import Final

import click

from martello.cli.lazy import LazyGroup

VERBS: Final = {
    "admit": ("admit", "Would the API server take this, changed to what, and why not?"),
    "quota": ("quota", "What the quotas really bound, and where their holes are."),
    "advise": ("advise", "What requests and limits should be, by what was used, and how sure."),
    "blast": ("blast", "Whom can this workload starve, evict or block, and what would stop it?"),
    "record": ("record", "Add what metrics-server says now to a file that advise reads."),
}


class _Verbs(LazyGroup):
    """The verbs of the table above."""

    table = VERBS
    package = "martello.cli.commands.resources"


@click.group("resources", cls=_Verbs)
def command() -> None:
    """Resources: what a container may take, what quotas bound, and whom it can hurt.

    The cluster is read by -f (a directory, a file, -, demo, bundle:FILE, git:REV[:DIR],
    cluster[:CONTEXT]) or --context; by default it is that of the current context.
    """
