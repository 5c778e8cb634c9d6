"""The cheapest set that hits every set of a family: exact within a budget of counted work.

What is clear is decided first: lone elements are taken, dear ones that hit nothing more than a
cheaper one are left out, and so are sets that contain another. What falls apart is solved part by
part. With scipy there (the extra `paths`) its solver of integer programs is asked for each part,
else it is branch and bound.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from math import ceil
from typing import Any, Final

import msgspec

BUDGET: Final = 5_000_000  # looks at a set
_NODES: Final = 20_000  # of scipy's search, for each part

Sets = list[frozenset[int]]
Weights = Mapping[int, int]


class Hitting(msgspec.Struct, frozen=True):
    """Chosen numbers, what they cost, a bound under which no choice can be, and the work done."""

    chosen: frozenset[int]
    cost: int
    bound: int
    work: int = 0


def cheapest(sets: Iterable[frozenset[int]], weights: Weights, budget: int = BUDGET) -> Hitting:
    """The cheapest choice that takes an element of each set; every set must have one.

    Where the budget ends before the search does, `bound` is less than `cost`.
    """
    clear = _Reducing(sets, weights)
    chosen, work = clear.chosen, clear.work
    bound = sum(weights[one] for one in chosen)
    parts = _parts(clear.left())
    for number, part in enumerate(parts):
        share = max(0, budget - work) // (len(parts) - number)
        found = _by_scipy(part, weights) or _searched(part, weights, share)
        chosen |= found.chosen
        bound += found.bound
        work += found.work
    return Hitting(frozenset(chosen), sum(weights[one] for one in chosen), bound, work)


def replaceable(
    element: int, sets: Iterable[Collection[int]], weights: Weights, spare: Collection[int] = ()
) -> bool:
    """Whether another element, that is no dearer and not spare, is in each of the sets."""
    price = weights[element]
    others: list[int] | None = None
    for one in sets:
        if others is None:
            others = [e for e in one if e != element and weights[e] <= price and e not in spare]
        else:
            others = [e for e in others if e in one]
        if not others:
            return False
    return bool(others)


class _Reducing:
    """Takes lone elements, and leaves out replaceable ones and sets that contain another, until
    nothing changes. `chosen` is what a cheapest choice takes anyway.
    """

    __slots__ = ("_elements", "_sets", "_shrunk", "_weights", "_where", "chosen", "work")

    def __init__(self, sets: Iterable[frozenset[int]], weights: Weights) -> None:
        self._weights = weights
        self.chosen: set[int] = set()
        ordered = sorted(set(sets), key=lambda one: (len(one), sorted(one)))
        self._sets: dict[int, set[int]] = {number: set(one) for number, one in enumerate(ordered)}
        self._where: dict[int, dict[int, None]] = {}
        for number, one in enumerate(ordered):
            for element in one:
                self._where.setdefault(element, {})[number] = None
        self.work = len(ordered)
        self._shrunk = dict.fromkeys(self._sets)  # sets that may be part of another now
        # those that may be replaceable now, the dearest first
        self._elements = dict.fromkeys(sorted(self._where, key=lambda e: (-weights[e], -e)))
        while self._shrunk or self._elements:
            if self._shrunk:
                self._set(_first(self._shrunk))
            else:
                self._element(_first(self._elements))

    def left(self) -> Sets:
        """The sets that are left for others to hit, the smallest first."""
        found = [frozenset(one) for one in self._sets.values()]
        return sorted(found, key=lambda one: (len(one), sorted(one)))

    def _set(self, number: int) -> None:
        one = self._sets.get(number)
        if one is None:
            return
        near = list(self._where[min(one, key=lambda e: len(self._where[e]))])
        self.work += 1 + len(near)
        if len(one) == 1:
            self.chosen |= one
            for other in near:
                self._drop(other)
            return
        for other in near:
            if other != number and one <= self._sets[other]:
                self._drop(other)

    def _element(self, element: int) -> None:
        at = self._where[element]
        self.work += 1 + len(at)
        sets = (self._sets[number] for number in at)
        if not replaceable(element, sets, self._weights):
            return
        for number in at:
            self._sets[number].discard(element)
            self._shrunk[number] = None
        self._where[element] = {}

    def _drop(self, number: int) -> None:
        for element in self._sets.pop(number):
            del self._where[element][number]
            self._elements[element] = None


def _first(queue: dict[int, None]) -> int:
    found = next(iter(queue))
    del queue[found]
    return found


def _where(sets: Sequence[frozenset[int]]) -> dict[int, list[int]]:
    """By element: the places of the sets that have it."""
    where: dict[int, list[int]] = {}
    for number, one in enumerate(sets):
        for element in one:
            where.setdefault(element, []).append(number)
    return where


def _parts(sets: Sets) -> list[Sets]:
    """Families that share no element, the smallest first."""
    where = _where(sets)
    left = dict.fromkeys(range(len(sets)))
    found: list[list[int]] = []
    while left:
        first = next(iter(left))
        del left[first]
        part, queue = [first], [first]
        while queue:
            for element in sets[queue.pop()]:
                for near in where.pop(element, ()):
                    if near in left:
                        del left[near]
                        part.append(near)
                        queue.append(near)
        found.append(sorted(part))
    return [[sets[number] for number in part] for part in sorted(found, key=lambda p: (len(p), p))]


def _searched(family: Sets, weights: Weights, budget: int) -> Hitting:
    """Branch and bound: with what hits most of a smallest set that is open, then without it."""
    best = frozenset(greedy(family, weights))
    cost = sum(weights[one] for one in best)
    floor = _floor(family, weights)
    work = len(family)
    stack: list[tuple[frozenset[int], Sets]] = [(frozenset(), family)] if floor < cost else []
    while stack and work <= budget:
        taken, rest = stack.pop()
        clear = _Reducing(rest, weights)
        work += 1 + clear.work
        taken, rest = taken | clear.chosen, clear.left()
        spent = sum(weights[one] for one in taken)
        if not rest:
            if spent < cost:
                best, cost = taken, spent
            continue
        if spent + _floor(rest, weights) >= cost:
            continue
        where = _where(rest)
        one = max(rest[0], key=lambda e: (len(where[e]) / max(1, weights[e]), -e))
        stack.append((taken, [other - {one} for other in rest]))
        stack.append((taken | {one}, [other for other in rest if one not in other]))
    return Hitting(best, cost, floor if stack else cost, work)


def greedy(family: Sequence[frozenset[int]], weights: Weights) -> set[int]:
    """A choice that hits every set: always what hits most for its weight, less what proves
    needless in the end.
    """
    where = _where(family)
    count = {element: len(at) for element, at in where.items()}
    heap = [(weights[element] / number, element) for element, number in count.items()]
    heapify(heap)
    hits = [0] * len(family)
    chosen: list[int] = []
    while heap:
        price, best = heappop(heap)
        if not count[best]:
            continue
        now = weights[best] / count[best]
        if now > price:  # others have hit some of its sets since
            heappush(heap, (now, best))
            continue
        chosen.append(best)
        for number in where[best]:
            if not hits[number]:
                for element in family[number]:
                    count[element] -= 1
            hits[number] += 1
    kept = set(chosen)
    for dear in sorted(chosen, key=lambda e: (-weights[e], e)):
        if all(hits[number] > 1 for number in where[dear]):
            kept.discard(dear)
            for number in where[dear]:
                hits[number] -= 1
    return kept


def _floor(family: Sets, weights: Weights) -> int:
    """What every choice costs at least: each set in turn claims what its elements have left to
    pay (a solution of the dual program).
    """
    left = {element: weights[element] for one in family for element in one}
    bound = 0
    for one in sorted(family, key=len):
        claim = min(left[element] for element in one)
        if claim:
            bound += claim
            for element in one:
                left[element] -= claim
    return bound


def _by_scipy(family: Sets, weights: Weights) -> Hitting | None:
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
        options={"node_limit": _NODES, "mip_rel_gap": 0.0},
    )
    if found.x is None:
        return None
    chosen = frozenset(one for one, x in zip(elements, found.x, strict=True) if x > 0.5)
    if any(chosen.isdisjoint(one) for one in family):
        return None
    cost = sum(weights[one] for one in chosen)
    bound = cost if found.success else max(0, ceil(found.mip_dual_bound - 1e-6))
    return Hitting(chosen, cost, min(bound, cost))
