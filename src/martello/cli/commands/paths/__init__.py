"""`martello paths [find|cut|diff]`: how an attacker gets from A to B, and what ends it."""

from __future__ import annotations

from typing import Final

import click

from martello.cli.lazy import LazyGroup

VERBS: Final = {
    "find": ("find", "How an attacker gets from a foothold to what must not be reached."),
    "cut": ("cut", "The cheapest edits that end the paths, proved on the edited cluster."),
    "diff": ("diff", "Which paths a change opens and closes, and which lines open them."),
}


class _Verbs(LazyGroup):
    """The verbs of the table above; `find` where none is given."""

    table = VERBS
    package = "martello.cli.commands.paths"

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Puts `find` in front of flags that are not the group's own."""
        words = [word for word in args if not word.startswith("-")]
        helps = {"-h", "--help"} & set(args)
        if not args or (args[0].startswith("-") and not helps and not set(words[:1]) & set(VERBS)):
            args = ["find", *args]
        return super().parse_args(ctx, args)


@click.group("paths", cls=_Verbs)
def command() -> None:
    """Attack paths: the facts of all practices joined, step by step, each with its evidence.

    `martello paths` alone is `paths find`. The cluster is read by -f (a directory, a file, -, demo,
    bundle:FILE, git:REV[:DIR], cluster[:CONTEXT]) or --context; by default it is that of the
    current context.
    """
