"""Cuts, choke points and differences of random small worlds: against trying everything, against the
edited world read anew, and against the simulated API server.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import combinations

import msgspec
import pytest
from tests.support.paths.attacker import Attacker
from tests.support.paths.server import ENFORCE, Raw, Server
from tests.support.paths.small import Small

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, Resource, resource_of
from martello.paths import Facts, cut, diff, facts
from martello.paths.change import applied, verified
from martello.paths.find import choke_points
from martello.paths.horn import closure
from martello.paths.model import Proposition
from martello.paths.reach import reach

WORLDS = range(120)
ADMIN: Proposition = ("admin", "")
EDITS = 9  # of a goal, of which all sets are tried


@lru_cache(maxsize=len(WORLDS))
def world(number: int) -> tuple[Small, Facts]:
    small = Small(f"cut{number}")
    return small, facts(small.cluster())


def _pairs(known: Facts, small: Small) -> dict[Proposition, set[Proposition]]:
    """By foothold, everything that it leads to."""
    program = known.program
    names = list(small.footholds())
    who = reach(program, [program.id(one) for one in names])
    kinds = ("admin", "node", "account", "secret", "pods-of", "user", "group")
    return {
        name: {n for i, n in enumerate(program.names) if who[i] >> bit & 1 and n[0] in kinds}
        for bit, name in enumerate(names)
    }


def _goals(number: int) -> Iterable[tuple[Proposition, Proposition]]:
    """A foothold and a goal of a world: an administrator where there is one, else something."""
    small, known = world(number)
    for name, gained in _pairs(known, small).items():
        far = sorted(gained - {name}, key=lambda one: (one != ADMIN, one[0] != "node", one))
        if far:
            yield name, far[0]


@pytest.mark.parametrize("block", range(6))
def test_cuts_are_the_cheapest_and_close_the_edited_world(block: int) -> None:
    brute = 0
    for number in WORLDS[block::6]:
        small, known = world(number)
        for name, goal in _goals(number):
            found = cut(known, footholds=[name], goals=[goal])
            assert found.optimal
            cost = _cheapest(known, name, goal)
            if cost is not None:
                brute += 1
                assert (-1 if found.open else found.cost) == cost, (number, name, goal)
            assert verified(known, found, [name], [goal]).verified, (number, name, goal)
            if not found.open:
                assert not _leads(small, applied(known.cluster, found.edits), name, goal), (
                    f"world {number}: {name} to {goal} after {[e.id for e in found.edits]}"
                )
    assert brute > 10


def _cheapest(known: Facts, name: Proposition, goal: Proposition) -> int | None:
    """The cheapest set of edits by trying all: -1 where none closes, None where there are many."""
    program = known.program
    start, end = program.id(name), program.id(goal)
    edits = {e.id: e for fact in program.facts.values() for e in fact.edits}
    if len(edits) > EDITS:
        return None
    best = -1
    for count in range(len(edits) + 1):
        for chosen in combinations(edits.values(), count):
            cost = sum(one.weight for one in chosen)
            ids = {one.id for one in chosen}
            gone = {n for n, f in program.facts.items() if ids & {e.id for e in f.edits}}
            if (best < 0 or cost < best) and not closure(program, [start], gone)[end]:
                best = cost
    return best


def _leads(small: Small, edited: Cluster, name: Proposition, goal: Proposition) -> bool:
    """Whether an attacker on the simulated API server still gets there in the edited world."""
    server = Server((one.raw for one in edited.resources), small.minor)
    attacker = Attacker(server)
    who = small.footholds()[name]
    if who is not None:
        attacker.hold(who)
    else:
        space, _, pod = name[1].partition("/")
        attacker.run(server.objects[("Pod", space, pod)])
    attacker.search()
    if goal == ADMIN or attacker.admin:
        return attacker.admin
    return goal[0] == "node" and goal[1] in attacker.nodes


def test_choke_points_are_what_no_way_does_without() -> None:
    compared = 0
    for number in WORLDS:
        _, known = world(number)
        program = known.program
        for name, goal in _goals(number):
            start, end = program.id(name), program.id(goal)
            found = set(choke_points(known, [name], goal))
            for fact in program.facts:
                if program.makes[fact]:
                    continue  # it may come to be without the fact
                if not closure(program, [start], {fact})[end]:
                    compared += 1
                    assert program.names[fact] in found, (number, name, goal)
                else:
                    assert program.names[fact] not in found, (number, name, goal)
    assert compared > 100


def test_a_world_does_not_differ_from_itself() -> None:
    for number in WORLDS[:40]:
        small, known = world(number)
        other = facts(Small(f"cut{number}").cluster())
        found = diff(known, other, footholds=list(small.footholds()))
        assert found.opened == ()
        assert found.closed == ()


def test_less_is_never_more() -> None:
    """A grant that is removed, a subject that is taken out, or a namespace that takes restricted
    pods only opens no path.
    """
    changes = 0
    for number in WORLDS[:60]:
        small, known = world(number)
        before = _pairs(known, small)
        for changed in _lesser(known.cluster):
            changes += 1
            after = _pairs(facts(changed), small)
            for name, gained in after.items():
                assert gained <= before[name], (number, name, gained - before[name])
    assert changes > 100


def _lesser(cluster: Cluster) -> Iterable[Cluster]:
    for one in cluster.resources:
        raw = one.raw
        if "roleRef" in raw:
            yield cluster.apply([], [one.ref])
            if len(raw["subjects"]) > 1:
                yield cluster.apply([_with(one, {**raw, "subjects": raw["subjects"][:1]})], [])
        elif raw["kind"] == "Namespace":
            labels = {**one.labels, ENFORCE: "restricted"}
            metadata = {**raw["metadata"], "labels": labels}
            yield cluster.apply([_with(one, {**raw, "metadata": metadata})], [])


def _with(one: Resource, raw: Raw) -> Resource:
    return resource_of(msgspec.to_builtins(raw), Nowhere())
