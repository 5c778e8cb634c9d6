"""The cheapest set that hits every set of a family: exact within a budget of steps.

With scipy there (the extra `paths`) its solver of integer programs is asked first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

BUDGET: Final = 200_000


class Hitting(msgspec.Struct, frozen=True):
    """Chosen numbers, what they cost, and a bound under which no choice can be."""

    chosen: frozenset[int]
    cost: int
    bound: int


def cheapest(
    sets: Sequence[frozenset[int]], weights: Mapping[int, int], budget: int = BUDGET
) -> Hitting:
    """The cheapest choice that takes an element of each set; every set must have one.

    Where the budget ends before the search does, `bound` is less than `cost`.
    """
    family = _minimal(sets)
    if not family:
        return Hitting(frozenset(), 0, 0)
    solved = _by_scipy(family, weights)
    if solved is not None:
        return solved
    search = _Search(family, weights, budget)
    search.run(frozenset(), family, 0)
    cost = search.cost
    return Hitting(search.best, cost, cost if search.left > 0 else search.floor)


def _minimal(sets: Sequence[frozenset[int]]) -> list[frozenset[int]]:
    """Without sets that contain another one."""
    kept: list[frozenset[int]] = []
    for one in sorted(set(sets), key=lambda s: (len(s), sorted(s))):
        if not any(less <= one for less in kept):
            kept.append(one)
    return kept


class _Search:
    """Branch and bound: of the smallest set still open, each element in turn."""

    __slots__ = ("best", "cost", "floor", "left", "weights")

    def __init__(
        self, family: list[frozenset[int]], weights: Mapping[int, int], budget: int
    ) -> None:
        self.weights = weights
        self.left = budget
        self.best = _greedy(family, weights)
        self.cost = sum(weights[one] for one in self.best)
        self.floor = _disjoint(family, weights)

    def run(self, chosen: frozenset[int], open: list[frozenset[int]], cost: int) -> None:
        """Tries every choice that may be cheaper than the best one."""
        self.left -= 1
        if self.left <= 0:
            return
        if not open:
            if cost < self.cost:
                self.best, self.cost = chosen, cost
            return
        if cost + _disjoint(open, self.weights) >= self.cost:
            return
        branch = min(open, key=len)
        barred: set[int] = set()
        for one in sorted(branch, key=lambda e: (self.weights[e], e)):
            rest: list[frozenset[int]] = []
            for other in open:
                if one not in other:
                    less = other - barred
                    if not less:
                        break
                    rest.append(less)
            else:
                self.run(chosen | {one}, rest, cost + self.weights[one])
            barred.add(one)


def _greedy(family: list[frozenset[int]], weights: Mapping[int, int]) -> frozenset[int]:
    chosen: set[int] = set()
    rest = family
    while rest:
        count: dict[int, int] = {}
        for one in rest:
            for element in one:
                count[element] = count.get(element, 0) + 1
        best = min(count, key=lambda e: (weights[e] / count[e], e))
        chosen.add(best)
        rest = [one for one in rest if best not in one]
    for dear in sorted(chosen, key=lambda e: (-weights[e], e)):
        if all((chosen - {dear}) & other for other in family):
            chosen.discard(dear)
    return frozenset(chosen)


def _disjoint(family: list[frozenset[int]], weights: Mapping[int, int]) -> int:
    """What sets that share nothing cost at least: every choice pays for each of them."""
    bound = 0
    taken: set[int] = set()
    for one in sorted(family, key=len):
        if taken.isdisjoint(one):
            taken |= one
            bound += min(weights[element] for element in one)
    return bound


def _by_scipy(family: list[frozenset[int]], weights: Mapping[int, int]) -> Hitting | None:
    try:
        optimize: Any = __import__("scipy.optimize", fromlist=["milp"])
        sparse: Any = __import__("scipy.sparse", fromlist=["coo_array"])
    except ImportError:
        return None
    elements = sorted(set().union(*family))
    column = {one: index for index, one in enumerate(elements)}
    rows = [row for row, one in enumerate(family) for _ in one]
    columns = [column[element] for one in family for element in one]
    matrix = sparse.coo_array(
        ([1] * len(rows), (rows, columns)), shape=(len(family), len(elements))
    ).tocsr()
    found = optimize.milp(
        c=[weights[one] for one in elements],
        constraints=optimize.LinearConstraint(matrix, lb=1),
        integrality=[1] * len(elements),
        bounds=optimize.Bounds(0, 1),
    )
    if found.x is None or not found.success:
        return None
    chosen = frozenset(one for one, x in zip(elements, found.x, strict=True) if x > 0.5)
    cost = sum(weights[one] for one in chosen)
    return Hitting(chosen, cost, cost)
