"""What a change opens and closes: goals and footholds, blamed on the fewest changed facts."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

import msgspec

from martello.paths.cut import one_proof
from martello.paths.facts import Facts
from martello.paths.find import GOALS, Options, find, footholds_of
from martello.paths.hitting import cheapest
from martello.paths.model import Fact, PathClass, Proposition
from martello.paths.own import holders
from martello.paths.reach import reach

_PLAIN: Final = Options()
_ROUNDS: Final = 500


class Opened(msgspec.Struct, frozen=True, eq=False):
    """A class of paths that was not there before, and the changed facts that open it."""

    paths: PathClass
    blame: tuple[Fact, ...]


class Difference(msgspec.Struct, frozen=True, eq=False):
    """What a change does: classes that it opens, and (foothold, goal) pairs that it closes."""

    opened: tuple[Opened, ...]
    closed: tuple[tuple[Proposition, Proposition], ...]


def diff(
    before: Facts,
    after: Facts,
    *,
    footholds: Iterable[Proposition] | None = None,
    goals: Iterable[Proposition] | None = None,
    options: Options = _PLAIN,
) -> Difference:
    """Compares two worlds by names: what leads to a goal in one and not in the other."""
    asked = tuple(goals) if goals is not None else (*GOALS, *options.own)
    given = tuple(footholds) if footholds is not None else None
    was = _pairs(before, given or footholds_of(before, options), asked, options.own)
    is_now = _pairs(after, given or footholds_of(after, options), asked, options.own)
    opened: list[Opened] = []
    for goal in asked:
        new = [one for one, end in is_now if end == goal and (one, end) not in was]
        if new:
            for found in find(after, footholds=new, goals=[goal], options=options):
                opened.append(Opened(found, blame(before, after, found.footholds, goal)))
    gone = sorted(pair for pair in was if pair not in is_now)
    return Difference(tuple(opened), tuple(gone))


def _pairs(
    facts: Facts,
    footholds: Iterable[Proposition],
    goals: Iterable[Proposition],
    own: Collection[Proposition],
) -> set[tuple[Proposition, Proposition]]:
    program = facts.program
    starts = [n for one in footholds if (n := program.find(one)) is not None]
    who = reach(program, starts)
    given = {goal: holders(facts, goal) for goal in own}
    return {
        (program.names[start], goal)
        for goal in goals
        if (end := program.find(goal)) is not None
        for bit, start in enumerate(starts)
        if who[end] >> bit & 1 and start != end and program.names[start] not in given.get(goal, ())
    }


def blame(
    before: Facts, after: Facts, footholds: Iterable[Proposition], goal: Proposition
) -> tuple[Fact, ...]:
    """The smallest set of changed facts without which the goal is out of reach again: a cut that
    may touch nothing else, each at the same price. A fact whose rules changed counts by its name.
    """
    program = after.program
    old = {before.program.names[n] for n in before.program.facts}
    new = {
        n
        for n, fact in program.facts.items()
        if program.names[n] not in old or _moved(before, n, after)
    }
    starts = [n for one in footholds if (n := program.find(one)) is not None]
    end = program.find(goal)
    if end is None:
        return ()
    sets: list[frozenset[int]] = []
    without: frozenset[int] = frozenset()
    for _ in range(_ROUNDS):
        proved = one_proof(program, starts, [end], without, None)
        if proved is None:
            break
        proofs = proved[0]
        touched = frozenset(n for n in proofs.leaves(end) if n in new)
        if not touched:
            touched = frozenset(n for n in proofs.leaves(end) if n in program.facts) - without
        if not touched:
            break
        sets.append(touched)
        without = cheapest(sets, dict.fromkeys(frozenset().union(*sets), 1)).chosen
    return tuple(program.facts[n] for n in sorted(without))


def _moved(before: Facts, number: int, after: Facts) -> bool:
    """Whether a fact of the same name says something else, or stands in an object of another
    content.
    """
    name = after.program.names[number]
    there = before.program.find(name)
    if there is None or there not in before.program.facts:
        return True
    one, other = before.program.facts[there], after.program.facts[number]
    if (one.says, one.sure) != (other.says, other.sure):
        return True
    if one.resource is None or other.resource is None:
        return one.resource is not other.resource
    return name[0] == "grant" and _role(before, name) != _role(after, name)


def _role(facts: Facts, name: Proposition) -> object:
    """The rules of the role that a grant gives."""
    held = next((one for one in facts.world.held if one.name == name), None)
    role = facts.world.roles.get(held.role) if held is not None else None
    return [rule.lists for rule in role.rules] if role is not None else None
