"""Goals of one's own: what a pod was given is no path from that pod, only from all others.

Rules know no foothold, so each begins at a proposition of its own, which nothing gives: whoever
begins elsewhere than at a holder of a goal is an outsider to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from martello.paths.facts import Facts
from martello.paths.model import Cut, Label, Path, Proposition

_BEGIN: Final = Label("own", "begins")


def holders(facts: Facts, goal: Proposition) -> frozenset[Proposition]:
    """The pods that were given a goal: an account that is theirs, a secret that they mount."""
    if goal[0] not in ("account", "secret"):
        return frozenset()
    return frozenset(
        ("pods-of", one.id)
        for one in facts.world.pods.get(goal[1], ())
        if (
            one.account == goal[2] and one.tokens
            if goal[0] == "account"
            else any(goal[2] in found for found in one.secrets.values())
        )
    )


def apart(
    facts: Facts, footholds: Iterable[Proposition], own: Iterable[Proposition]
) -> tuple[tuple[Proposition, ...], list[Proposition]]:
    """Footholds and goals in whose place a goal follows from outsiders only."""
    program = facts.program
    given = {goal: holders(facts, goal) for goal in own}
    special = frozenset().union(*given.values())
    anybody = program.id(("own", "anybody"))
    begun: list[Proposition] = []
    for one in footholds:
        begin: Proposition = ("own", "begin", *one)
        begun.append(begin)
        program.rule(program.id(one), [program.id(begin)], _BEGIN)
        if one not in special:
            program.rule(anybody, [program.id(begin)], _BEGIN)
    ends: list[Proposition] = []
    for goal, has in given.items():
        outside = program.id(("own", "outside", *goal))
        program.rule(outside, [anybody], _BEGIN)
        for one in special - has:
            program.rule(outside, [program.id(("own", "begin", *one))], _BEGIN)
        end: Proposition = ("own", "goal", *goal)
        program.rule(program.id(end), [program.id(goal), outside], _BEGIN)
        ends.append(end)
    return tuple(begun), ends


def together(cut: Cut) -> Cut:
    """A cut of footholds and goals that were set apart, told of those themselves."""
    return msgspec.structs.replace(cut, open=tuple(map(_plain, cut.open)))


def _plain(path: Path) -> Path:
    return msgspec.structs.replace(
        path,
        foothold=_named(path.foothold),
        goal=_named(path.goal),
        steps=tuple(step for step in path.steps if step.edge != _BEGIN.edge),
    )


def _named(one: Sequence[str]) -> Proposition:
    return tuple(one[2:]) if one[0] == "own" else tuple(one)
