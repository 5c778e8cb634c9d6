"""The engine of rules against the plainest evaluation, on random programs with cycles."""

from __future__ import annotations

from random import Random

import pytest
from tests.support.paths.horns import brute_cut, naive, random_program

from martello.paths.cut import cheapest_cut
from martello.paths.hitting import cheapest
from martello.paths.horn import Program, closure, relevant
from martello.paths.model import FOREVER, Edit, Fact, Label
from martello.paths.must import must
from martello.paths.proof import Proofs
from martello.paths.reach import reach

WORLDS = 300


def test_the_fixpoint_is_the_naive_one() -> None:
    for seed in range(WORLDS):
        program, footholds, _ = random_program(Random(seed))
        for foothold in footholds:
            known = closure(program, [foothold])
            assert {n for n, holds in enumerate(known) if holds} == naive(program, {foothold})


def test_reach_of_all_is_the_fixpoint_of_each() -> None:
    for seed in range(WORLDS):
        program, footholds, goal = random_program(Random(seed))
        found = reach(program, footholds)
        narrow = reach(program, footholds, relevant(program, [goal]))
        for bit, foothold in enumerate(footholds):
            known = naive(program, {foothold})
            assert {n for n, who in enumerate(found) if who >> bit & 1} == known
            assert bool(narrow[goal] >> bit & 1) is (goal in known)


def test_every_proof_can_be_executed_and_the_cheapest_is_found() -> None:
    for seed in range(WORLDS):
        program, footholds, goal = random_program(Random(seed))
        proofs = Proofs(program, footholds)
        cost = _cheapest(program, set(footholds))
        assert proofs.cost == cost
        if goal in cost:
            held = {*footholds, *program.facts}
            for rule in proofs.rules(goal):
                assert held.issuperset(program.bodies[rule])
                held.add(program.heads[rule])
            assert goal in held


def _cheapest(program: Program, given: set[int]) -> dict[int, int]:
    """Costs by iterating over all rules until nothing gets cheaper."""
    cost = dict.fromkeys([*given, *program.facts], 0)
    while True:
        before = dict(cost)
        for head, body, label in zip(program.heads, program.bodies, program.labels, strict=True):
            if all(one in cost for one in body):
                price = label.cost + sum(cost[one] for one in body)
                cost[head] = min(price, cost.get(head, price))
        if before == cost:
            return cost


def test_must_is_what_no_proof_does_without() -> None:
    compared = 0
    for seed in range(WORLDS):
        program, footholds, _ = random_program(Random(seed))
        facts = sorted(program.facts)
        found = must(program, footholds, facts)
        known = naive(program, set(footholds))
        assert set(found) == known
        for one in known - set(footholds) - set(facts):
            for bit, fact in enumerate(facts):
                needed = one not in naive(program, set(footholds), {fact})
                assert bool(found[one] >> bit & 1) is needed
                compared += needed
    assert compared > 100


def test_the_cut_is_the_cheapest() -> None:
    cuts = 0
    for seed in range(WORLDS):
        random = Random(seed)
        program, footholds, goal = random_program(random)
        weights = {f"e{number}": random.randint(1, 9) for number in range(7)}
        found = cheapest_cut(program, footholds, [goal], weights=weights)
        brute = brute_cut(program, set(footholds), goal, weights)
        assert found.optimal
        assert (None if found.open else found.cost) == brute
        cuts += bool(found.edits)
    assert cuts > 40


def test_a_cut_out_of_budget_closes_and_states_its_gap() -> None:
    for seed in range(60):
        random = Random(seed)
        program, footholds, goal = random_program(random)
        weights = {f"e{number}": random.randint(1, 9) for number in range(7)}
        full = cheapest_cut(program, footholds, [goal], weights=weights)
        found = cheapest_cut(program, footholds, [goal], weights=weights, rounds=1, budget=1)
        if not full.open and full.edits:
            assert found.optimal or found.cost - found.gap <= full.cost <= found.cost
            gone = {
                one
                for one, fact in program.facts.items()
                if {edit.id for edit in fact.edits} & {edit.id for edit in found.edits}
            }
            assert not any(goal in naive(program, {one}, gone) for one in footholds)


def test_what_is_kept_is_not_offered() -> None:
    program = Program()
    edit = Edit("one", "the only edit", ())
    fact = program.fact(("fact",), Fact("a fact", edits=(edit,)))
    start, goal = program.id(("start",)), program.id(("goal",))
    program.rule(goal, [start, fact], Label("edge", "a step", 2))
    assert [e.id for e in cheapest_cut(program, [start], [goal]).edits] == ["one"]
    kept = cheapest_cut(program, [start], [goal], weights={"one": FOREVER})
    assert kept.edits == ()
    assert [step.edge for step in kept.open[0].steps] == ["edge"]


def test_a_sure_proof_comes_before_a_dashed_one() -> None:
    program = Program()
    start, goal = program.id(("start",)), program.id(("goal",))
    dashed = program.fact(("dashed",), Fact("perhaps", sure=False, because="nobody looked"))
    program.rule(goal, [start, dashed], Label("short", "a step", 1))
    program.rule(goal, [start], Label("long", "a step", 9))
    assert [s.edge for s in Proofs(program, [start]).path(goal).steps] == ["long"]
    other = program.id(("other",))
    program.rule(other, [start, dashed], Label("short", "a step", 1))
    path = Proofs(program, [start]).path(other)
    assert (path.sure, path.because) == (False, ("nobody looked",))


@pytest.mark.parametrize("budget", [1, 50])
def test_hitting_sets_have_a_bound(budget: int) -> None:
    random = Random(7)
    sets = [frozenset(random.sample(range(30), 4)) for _ in range(40)]
    weights = {number: random.randint(1, 9) for number in range(30)}
    full = cheapest(sets, weights)
    small = cheapest(sets, weights, budget)
    assert full.bound == full.cost
    assert small.bound <= full.cost <= small.cost
    assert all(one & small.chosen for one in sets)
