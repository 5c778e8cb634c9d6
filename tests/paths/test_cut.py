"""Cuts against trying every choice of edits: several goals and footholds, what may be touched, what
is kept; the sets that are hit likewise; and work that is bounded.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from random import Random

from tests.support.paths.horns import naive

from martello.paths.cut import cheapest_cut
from martello.paths.hitting import cheapest
from martello.paths.horn import Program
from martello.paths.model import FOREVER, Edit, Fact, Label

WORLDS = 1_000
EDITS = 8
_LABEL = Label("edge", "a step", 1)


class _World:
    """A random program with footholds, goals, weights and the facts that may be touched; some
    facts are derived, too, and some are footholds or goals.
    """

    def __init__(self, random: Random) -> None:
        self.program = program = Program()
        names = [program.id(("p", str(n))) for n in range(random.randint(4, 14))]
        self.footholds = random.sample(names, random.randint(1, 3))
        self.goals = random.sample(names, random.randint(1, 3))
        facts = []
        for number in range(random.randint(1, 10)):
            count = random.choice((0, 1, 1, 1, 2, 3))
            edits = [Edit(f"e{random.randrange(EDITS)}", "an edit", ()) for _ in range(count)]
            fact = Fact("a fact", sure=random.random() < 0.8, edits=tuple(edits))
            facts.append(program.fact(("f", str(number)), fact))
        if random.random() < 0.3:
            self.goals.append(random.choice(facts))
        if random.random() < 0.2:
            self.footholds.append(random.choice(facts))
        everything = names + facts
        for _ in range(random.randint(4, 40)):
            body = random.sample(everything, random.choice((0, 1, 1, 1, 2, 2, 3)))
            head = random.choice(names if random.random() < 0.9 else everything)
            program.rule(head, body, _LABEL)
        choices = (0, 1, 2, 3, 5, 9, FOREVER)
        self.weights = {f"e{number}": random.choice(choices) for number in range(EDITS)}
        some = random.sample(facts, random.randint(0, len(facts)))
        self.only = None if random.random() < 0.6 else set(some)

    def gone(self, edits: Iterable[str]) -> set[int]:
        """The facts that edits end."""
        chosen = set(edits)
        return {
            one
            for one, fact in self.program.facts.items()
            if (self.only is None or one in self.only)
            and any(edit.id in chosen and self.weights[edit.id] < FOREVER for edit in fact.edits)
        }

    def reached(self, edits: Iterable[str]) -> set[int]:
        """The goals that are left: those to which a foothold leads by itself."""
        gone = self.gone(edits)
        known = [naive(self.program, {one}, gone) for one in self.footholds]
        return set().union(*known).intersection(self.goals).difference(self.footholds)

    def answer(self) -> tuple[int, set[int]]:
        """What the cheapest cut costs, and the goals that no cut ends."""
        ids = [one for one, weight in self.weights.items() if weight < FOREVER]
        still = self.reached(ids)
        costs = (
            sum(self.weights[one] for one in chosen)
            for count in range(len(ids) + 1)
            for chosen in combinations(ids, count)
            if self.reached(chosen) == still
        )
        return min(costs), still


def test_the_cut_is_the_cheapest_for_all_goals_that_can_be_cut() -> None:
    cuts = still = 0
    for seed in range(WORLDS):
        world = _World(Random(seed))
        cost, left = world.answer() if seed < WORLDS // 4 else _checked(world)
        found = cheapest_cut(
            world.program, world.footholds, world.goals, weights=world.weights, only=world.only
        )
        assert found.optimal
        assert found.gap == 0
        assert found.cost == cost == sum(world.weights[one.id] for one in found.edits)
        assert {world.program.find(path.goal) for path in found.open} == left
        assert world.reached(one.id for one in found.edits) == left
        cuts += found.cost > 0
        still += bool(left)
    assert cuts > WORLDS // 10
    assert still > WORLDS // 10


def _checked(world: _World) -> tuple[int, set[int]]:
    """The answer where trying every choice of edits that occur is little work."""
    occurring = {e.id for fact in world.program.facts.values() for e in fact.edits}
    world.weights = {
        one: weight if one in occurring else FOREVER for one, weight in world.weights.items()
    }
    return world.answer()


def test_what_is_out_of_budget_is_a_cut_with_a_true_gap() -> None:
    for seed in range(WORLDS // 4):
        world = _World(Random(seed))
        cost, left = world.answer()
        for rounds, budget in ((0, 0), (1, 1), (1, 50)):
            found = cheapest_cut(
                world.program,
                world.footholds,
                world.goals,
                weights=world.weights,
                only=world.only,
                rounds=rounds,
                budget=budget,
            )
            assert found.cost - found.gap <= cost <= found.cost
            assert found.optimal is (found.gap == 0)
            assert world.reached(one.id for one in found.edits) == left


def test_a_hard_cut_ends_with_its_budget() -> None:
    random = Random(1)
    program = Program()
    names = [program.id(("p", str(number))) for number in range(150)]
    facts = [_fact(program, str(number), random.randint(1, 9)) for number in range(150)]
    for _ in range(450):
        needs = random.sample(names, 2 if random.random() < 0.3 else 1)
        program.rule(random.choice(names), [*needs, random.choice(facts)], _LABEL)
    footholds, goals = names[:15], names[-3:]
    full = cheapest_cut(program, footholds, goals)
    assert (full.optimal, full.open) == (True, ())
    gaps = 0
    for budget in (0, 10, 1_000, 5_000):
        found = cheapest_cut(program, footholds, goals, budget=budget)
        chosen = {one.id for one in found.edits}
        gone = {n for n, fact in program.facts.items() if fact.edits[0].id in chosen}
        assert not any(naive(program, {one}, gone).intersection(goals) for one in footholds)
        assert found.cost - found.gap <= full.cost <= found.cost
        gaps += found.gap > 0
    assert gaps > 1


def test_the_same_cut_is_found_again() -> None:
    for seed in range(50):
        first, second = (
            cheapest_cut(world.program, world.footholds, world.goals, weights=world.weights)
            for world in (_World(Random(seed)), _World(Random(seed)))
        )
        assert [one.id for one in first.edits] == [one.id for one in second.edits]


def test_many_footholds_are_cut_where_that_is_cheapest() -> None:
    """Of each namespace either its level or the grants of its accounts; of each pod its token."""
    program = Program()
    goal = program.id(("goal",))
    footholds = []
    want = 0
    for space in range(300):
        level = _fact(program, f"level-{space}", 3)
        inside = program.id(("in", str(space)))
        program.rule(goal, [inside, level], _LABEL)
        accounts = 1 + space % 5
        for number in range(accounts):
            name = f"{space}-{number}"
            account, grant = program.id(("account", name)), _fact(program, f"grant-{name}", 1)
            program.rule(inside, [account, grant], _LABEL)
            for pod in range(3):
                start = program.id(("pod", f"{name}-{pod}"))
                footholds.append(start)
                program.rule(account, [start, _fact(program, f"token-{name}-{pod}", 1)], _LABEL)
        want += min(3, accounts)
    found = cheapest_cut(program, footholds, [goal])
    assert (found.optimal, found.cost, found.open) == (True, want, ())


def test_a_long_chain_costs_its_cheapest_link() -> None:
    program = Program()
    names = [program.id(("p", str(number))) for number in range(5_000)]
    for number, one in enumerate(names[:-1]):
        fact = _fact(program, str(number), 2 + number % 7 - (number == 3_000))
        program.rule(names[number + 1], [one, fact], _LABEL)
    found = cheapest_cut(program, names[:1], names[-1:])
    assert (found.optimal, found.cost, len(found.edits)) == (True, 2, 1)


def test_nobody_is_two_footholds_at_once() -> None:
    program = Program()
    one, other = program.id(("one",)), program.id(("other",))
    goal = program.id(("goal",))
    program.rule(goal, [one, other, _fact(program, "both", 1)], _LABEL)
    assert cheapest_cut(program, [one, other], [goal]).edits == ()
    program.rule(other, [one, _fact(program, "way", 5)], _LABEL)
    found = cheapest_cut(program, [one, other], [goal])
    assert ([edit.id for edit in found.edits], found.cost) == (["both"], 1)


def test_the_cheapest_hitting_set_is_found() -> None:
    for seed in range(300):
        random = Random(seed)
        elements = range(random.randint(2, 10))
        sets = [
            frozenset(random.sample(elements, random.randint(1, min(4, len(elements)))))
            for _ in range(random.randint(1, 14))
        ]
        weights = {one: random.randint(0, 5) for one in elements}
        best = min(
            sum(weights[one] for one in chosen)
            for count in range(len(elements) + 1)
            for chosen in combinations(elements, count)
            if all(not one.isdisjoint(chosen) for one in sets)
        )
        found = cheapest(sets, weights)
        assert found.cost == found.bound == best
        assert all(one & found.chosen for one in sets)


def test_a_hard_family_ends_with_its_work() -> None:
    random = Random(3)
    sets = [frozenset(random.sample(range(200), 3)) for _ in range(600)]
    weights = {one: random.randint(1, 9) for one in range(200)}
    found = cheapest(sets, weights, 20_000)
    assert found.bound < found.cost
    assert found.work < 30_000
    assert all(one & found.chosen for one in sets)


def _fact(program: Program, name: str, weight: int) -> int:
    edit = Edit(name, "an edit", (), weight)
    return program.fact(("fact", name), Fact("a fact", edits=(edit,)))
