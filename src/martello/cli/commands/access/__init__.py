"""`martello access VERB`: who can do what, why, what is never used, and what a change grants."""

from __future__ import annotations

from typing import Final

import click

from martello.cli.lazy import LazyGroup

VERBS: Final = {
    "can": ("can", "May this principal do this? Exit 0 yes, 1 no, 3 unknown."),
    "who-can": ("who_can", "Who may do this, and through which bindings."),
    "why": ("why", "Why, by every grant; or why not, and what misses by one word."),
    "identities": ("identities", "How one becomes somebody: anonymous, mapped, by which tokens."),
    "diff": ("diff", "What a change of roles and bindings really grants and takes."),
    "trim": ("trim", "What is granted and never used, by the audit log; with proof."),
}


class _Verbs(LazyGroup):
    """The verbs of the table above."""

    table = VERBS
    package = "martello.cli.commands.access"


@click.group("access", cls=_Verbs)
def command() -> None:
    """Rights: who can do what, through which binding and rule, and who needs to.

    The cluster is read by -f (a directory, a file, -, demo, bundle:FILE, git:REV[:DIR],
    cluster[:CONTEXT]) or --context; by default it is that of the current context. Files are joined
    by the roles that every cluster is born with. WHO is NS/ACCOUNT, a user name, node/NAME or
    group:NAME.
    """
