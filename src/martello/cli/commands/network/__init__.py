"""`martello network VERB`: who can talk to whom, who needs to, and rules that allow just that."""

from __future__ import annotations

from typing import Final

import click

from martello.cli.lazy import LazyGroup

VERBS: Final = {
    "can": ("can", "Whether one place reaches another: exit 0 yes, 1 no, 3 unknown."),
    "explain": ("explain", "Why, and what would change it; or a policy in words."),
    "matrix": ("matrix", "Who reaches whom: a table, a picture, or data."),
    "diff": ("diff", "What a change of policies opens and closes."),
    "lint": ("lint", "Mistakes in policies, and promises that they break."),
    "learn": ("learn", "Write the least policies for the flows that are seen, and prove them."),
    "firewall": ("firewall", "A packet filter for a node, its pods, or the cluster's edge."),
}


class _Verbs(LazyGroup):
    """The verbs of the table above."""

    table = VERBS
    package = "martello.cli.commands.network"


@click.group("network", cls=_Verbs)
def command() -> None:
    """Networks: who can talk to whom, who needs to, and rules that allow just that.

    The cluster is read by -f (a directory, a file, -, demo, bundle:FILE, git:REV[:DIR],
    cluster[:CONTEXT]) or --context; by default it is that of the current context. A place is
    NAMESPACE/WORKLOAD (or a pod's name), NAMESPACE/svc/NAME, node/NAME, internet, an address or a
    CIDR.
    """
