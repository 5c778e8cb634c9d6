"""`martello monitor VERB`: what happens in a cluster, what rules say of it, and why."""

from __future__ import annotations

from typing import Final

import click

from martello.cli.lazy import LazyGroup

VERBS: Final = {
    "run": ("run", "Take what happens, keep it, judge it, and tell: the daemon."),
    "rules": ("rules", "Which rules there are, which can fire here, what they are worth."),
    "hunt": ("hunt", "Ask the history: SQL, or what a rule would have said."),
    "report": ("report", "The day as a page: what grew, what alerted, who changed what."),
    "alerts": ("alerts", "What was told, why, and what became of it; exceptions, responses."),
    "baseline": ("baseline", "What is normal for a workload, what is new, what was decided."),
    "replay": ("replay", "What rules would have said about a log; writes nothing."),
}


class _Verbs(LazyGroup):
    """The verbs of the table above."""

    table = VERBS
    package = "martello.cli.commands.monitor"


@click.group("monitor", cls=_Verbs)
def command() -> None:
    """Logs and monitoring: audit logs and sensors in one place, rules of Falco, Sigma and our own,
    and alerts that say why.
    """
