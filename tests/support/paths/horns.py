"""Random Horn programs, and what follows from them by the plainest means."""

from __future__ import annotations

from itertools import combinations
from random import Random

from martello.paths.horn import Program
from martello.paths.model import Edit, Fact, Label

FOOTHOLDS = 3


def random_program(random: Random) -> tuple[Program, list[int], int]:
    """A program with cycles, its footholds and a goal. Some facts have edits, some share one."""
    program = Program()
    names = [program.id(("p", str(number))) for number in range(random.randint(4, 12))]
    footholds, goal = names[:FOOTHOLDS], names[-1]
    facts: list[int] = []
    for number in range(random.randint(1, 7)):
        count = random.choice((0, 1, 1, 1, 2))
        edits = [Edit(f"e{random.randint(0, 6)}", "an edit", (), 1) for _ in range(count)]
        facts.append(program.fact(("f", str(number)), Fact("a fact", edits=tuple(edits))))
    for _ in range(random.randint(4, 24)):
        body = random.sample(names + facts, random.choice((1, 1, 2, 2, 3)))
        head = random.choice(names[FOOTHOLDS:])
        program.rule(head, body, Label("edge", "a step", random.randint(1, 9)))
    return program, footholds, goal


def naive(program: Program, given: set[int], without: set[int] = frozenset()) -> set[int]:  # type: ignore[assignment]
    """What follows, by trying every rule until nothing is new."""
    known = given | {one for one in program.facts if one not in without}
    while True:
        new = {
            head
            for head, body in zip(program.heads, program.bodies, strict=True)
            if head not in known and known.issuperset(body)
        }
        if not new:
            return known
        known |= new


def brute_cut(
    program: Program, footholds: set[int], goal: int, weights: dict[str, int]
) -> int | None:
    """What the cheapest cut costs, by trying all sets of edits; None where there is none."""
    ids = sorted({edit.id for fact in program.facts.values() for edit in fact.edits})
    best: int | None = None
    for count in range(len(ids) + 1):
        for chosen in combinations(ids, count):
            cost = sum(weights[one] for one in chosen)
            if best is not None and cost >= best:
                continue
            gone = {
                one
                for one, fact in program.facts.items()
                if any(edit.id in chosen for edit in fact.edits)
            }
            if not any(goal in naive(program, {one}, gone) for one in footholds):
                best = cost
    return best
