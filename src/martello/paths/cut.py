"""The cheapest set of edits after which no goal can be derived: implicit hitting sets.

A proof is found, the edits that break it become a set to hit, the cheapest hitting set is taken
away, and so on until nothing is left to prove. Each round's cost is a lower bound, so the last one
is the cheapest of all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from martello.paths.hitting import BUDGET, cheapest
from martello.paths.horn import Program, relevant
from martello.paths.model import FOREVER, Cut, Edit, Path
from martello.paths.proof import Proofs
from martello.paths.reach import reach

ROUNDS: Final = 2_000


def cheapest_cut(
    program: Program,
    footholds: Collection[int],
    goals: Iterable[int],
    *,
    weights: Mapping[str, int] | None = None,
    only: Collection[int] | None = None,
    budget: int = BUDGET,
    rounds: int = ROUNDS,
) -> Cut:
    """The cut between footholds, each somebody else, and goals. `weights` replaces those of edits,
    by id; what weighs FOREVER is left alone. `only` are the facts that may be touched. A goal that
    has a proof without such an edit is in `open`, and the cut is for the others.
    """
    cutting = _Cutting(program, weights or {}, only)
    wanted = [goal for goal in dict.fromkeys(goals) if goal not in set(footholds)]
    rules = relevant(program, wanted)
    still: list[Path] = []
    sets: list[frozenset[int]] = []
    best = cheapest([], {})
    exact = True
    without: set[int] = set()
    for _ in range(rounds):
        proved = one_proof(program, footholds, wanted, without, rules)
        if proved is None:
            break
        proofs, goal = proved
        breaking = cutting.breaking(proofs.leaves(goal))
        if not breaking:
            still.append(proofs.path(goal))
            wanted.remove(goal)
            sets = cutting.for_rest(sets, still)
            continue
        sets.append(breaking)
        best = cheapest(sets, cutting.weights, budget)
        exact = best.bound == best.cost
        without = {fact for one in best.chosen for fact in cutting.facts[one]}
    else:
        exact = False
    if not exact:
        return _within(cutting, program, footholds, wanted, best.chosen, best.bound, still)
    edits = tuple(cutting.edits[one] for one in sorted(best.chosen))
    return Cut(edits, best.cost, True, 0, tuple(still))


def one_proof(
    program: Program,
    footholds: Collection[int],
    goals: Iterable[int],
    without: Collection[int],
    rules: Collection[int] | None,
) -> tuple[Proofs, int] | None:
    """A proof of one of the goals from one of the footholds: nobody is two of them at once."""
    wanted = list(goals)
    starts = set(footholds)
    proofs = Proofs(program, footholds, without=without, rules=rules, goals=wanted)
    goal = next((one for one in wanted if one in proofs.cost), None)
    if goal is None:
        return None
    if len(starts.intersection(proofs.leaves(goal))) < 2:
        return proofs, goal
    order = sorted(starts)
    who = reach(program, order, rules, without)
    for goal in wanted:
        if who[goal]:
            start = order[(who[goal] & -who[goal]).bit_length() - 1]
            return Proofs(program, [start], without=without, rules=rules, goals=[goal]), goal
    return None


def _within(
    cutting: _Cutting,
    program: Program,
    footholds: Collection[int],
    wanted: list[int],
    chosen: frozenset[int],
    bound: int,
    still: list[Path],
) -> Cut:
    """A cut that was not proved: what was found, and the cheapest edit of every proof that is
    left.
    """
    taken = set(chosen)
    while True:
        without = {fact for one in taken for fact in cutting.facts[one]}
        proved = one_proof(program, footholds, wanted, without, None)
        if proved is None:
            break
        proofs, goal = proved
        breaking = cutting.breaking(proofs.leaves(goal))
        if not breaking:
            still.append(proofs.path(goal))
            wanted.remove(goal)
            continue
        taken.add(min(breaking, key=lambda e: (cutting.weights[e], e)))
    cost = sum(cutting.weights[one] for one in taken)
    edits = tuple(cutting.edits[one] for one in sorted(taken))
    return Cut(edits, cost, False, cost - bound, tuple(still))


class _Cutting:
    """The edits of a program by number, with the facts that each ends."""

    __slots__ = ("_of_fact", "edits", "facts", "weights")

    def __init__(
        self, program: Program, weights: Mapping[str, int], only: Collection[int] | None
    ) -> None:
        numbers: dict[str, int] = {}
        self.edits: list[Edit] = []
        self.facts: list[set[int]] = []
        self.weights: dict[int, int] = {}
        self._of_fact: dict[int, list[int]] = {}
        for fact, told in program.facts.items():
            for edit in told.edits:
                weight = weights.get(edit.id, edit.weight)
                if weight >= FOREVER or (only is not None and fact not in only):
                    continue
                number = numbers.setdefault(edit.id, len(self.edits))
                if number == len(self.edits):
                    self.edits.append(edit)
                    self.facts.append(set())
                    self.weights[number] = weight
                self.facts[number].add(fact)
                self._of_fact.setdefault(fact, []).append(number)

    def breaking(self, leaves: Iterable[int]) -> frozenset[int]:
        """The edits each of which takes away a fact of a proof."""
        return frozenset(e for leaf in leaves for e in self._of_fact.get(leaf, ()))

    def for_rest(self, sets: list[frozenset[int]], still: list[Path]) -> list[frozenset[int]]:
        """The sets that are kept when a goal turns out to be open: none, as they may have come of
        its proofs.
        """
        return [] if still else sets
