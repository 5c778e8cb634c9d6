"""All pairs in figures, and in tables by namespace or workload."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import msgspec
import numpy as np

from martello.practices.network.engine.figures import Figures, figures
from martello.practices.network.engine.own_node import Both, Exceptions, neighbours
from martello.practices.network.engine.pairs import (
    Block,
    Cells,
    Marks,
    Pairs,
    cells,
    labels_of,
    some_perhaps,
    some_sure,
    totals,
)
from martello.practices.network.engine.places import is_one
from martello.practices.network.engine.portatoms import OTHER, PERHAPS_OTHER
from martello.practices.network.engine.rules import EGRESS, INGRESS
from martello.practices.network.engine.state import State

_LOOK: Final = 2  # a word of two cells looked at, beside one of a cell in a row
_SORTING: Final = 40  # words of a row whose handling takes as long as its sorting
Cell = tuple[str, str, tuple[int, ...], tuple[int, ...]]  # names, lower and upper bound


class Count(msgspec.Struct, frozen=True):
    """How many pairs of endpoints there are, each with itself too; between how many of them
    something surely passes; between how many others perhaps.
    """

    sure: int
    maybe: int
    pairs: int


def count(state: State) -> Count:
    """The figures of all pairs."""
    units = cells(state)
    weight = units.weight
    pairs = Pairs(state, units)
    low, high = figured(pairs) if _is_cheaper(pairs) else looked_at(pairs)
    sure, most, self_sure, self_most = low.pairs, high.pairs, low.own, high.own
    ones = np.array([is_one(e) for e in state.world.endpoints], dtype=bool)
    single = np.bincount(units.of[ones], minlength=units.count) if len(ones) else weight
    sure += int(single[~self_sure].sum())
    most += int(single[~self_most].sum())
    exceptions = Exceptions(state, units)
    for host, pod, number in neighbours(state, units):
        for way in (INGRESS, EGRESS):
            ruled, holds = exceptions.of(host, pod, way)
            sure += number * (_sure(holds) - _sure(ruled))
            most += number * (_most(holds) - _most(ruled))
    return Count(sure, most - sure, len(units.of) ** 2)


def _is_cheaper(pairs: Pairs) -> bool:
    """Whether to look at rows, and not at each pair of cells, is less work."""
    rows = sum(len(pairs.grids(way, "sure")) for way in (INGRESS, EGRESS))
    work = rows * (pairs.words + _SORTING)
    return len(pairs.planes) == 1 and _LOOK * pairs.cells.count * pairs.words > work


def figured(pairs: Pairs) -> tuple[Figures, Figures]:
    """What surely and what perhaps passes, by the masks that rows hold: for one plane only."""
    low, high = (
        figures(
            pairs.grids(INGRESS, bound),
            pairs.grids(EGRESS, bound),
            pairs.cells,
            pairs.planes[0],
            but,
        )
        for bound, but in (("sure", PERHAPS_OTHER), ("perhaps", OTHER))
    )
    return low, high


def looked_at(pairs: Pairs) -> tuple[Figures, Figures]:
    """The same by a look at each pair of cells."""
    units = pairs.cells
    sure = most = 0
    self_sure: Marks = np.zeros(units.count, dtype=bool)
    self_most: Marks = np.zeros(units.count, dtype=bool)
    for to, least, perhaps in pairs.blocks():
        passes, may = some_sure(least), some_perhaps(perhaps)
        sure += totals(passes, units.weight[to], units.weight)
        most += totals(may, units.weight[to], units.weight)
        places = np.arange(to.start, to.stop)
        self_sure[to] = passes[places - to.start, places]
        self_most[to] = may[places - to.start, places]
    return Figures(sure, self_sure), Figures(most, self_most)


def _sure(both: Both) -> bool:
    words = both[0]
    return bool(words[0] & ~2) or any(words[1:])


def _most(both: Both) -> bool:
    words = both[1]
    return bool(words[0] & ~1) or any(words[1:])


def table(state: State, by: str, *, every: bool = False) -> Iterator[Cell]:
    """What passes between namespaces or workloads: between some pair of their endpoints, or, where
    `every` is set, between each. Where nothing does there is no row. No pod is asked about itself.
    """
    labels = labels_of(state.world.endpoints, by)
    units = cells(state, labels.of)
    if not units.count:
        return
    of_cell = np.zeros(units.count, dtype=np.int64)
    of_cell[units.of] = labels.of
    names = labels.names
    near = {} if every else _near(state, units, of_cell.tolist())
    for to, sure, most in _folded(state, units, of_cell, every=every):
        rows = zip(sure.T.tolist(), most.T.tolist(), strict=True)
        for source, (least, perhaps) in enumerate(rows):
            for low, high in near.get((source, to), ()):
                least = [a | b for a, b in zip(least, low, strict=True)]
                perhaps = [a | b for a, b in zip(perhaps, high, strict=True)]
            if any(perhaps):
                yield names[source], names[to], tuple(least), tuple(perhaps)


def _near(state: State, units: Cells, labels: list[int]) -> dict[tuple[int, int], set[Both]]:
    """What a pod and its own node add, by pairs of labels."""
    exceptions = Exceptions(state, units)
    found: dict[tuple[int, int], set[Both]] = {}
    for host, pod, _ in neighbours(state, units):
        here, there = labels[host], labels[pod]
        found.setdefault((here, there), set()).add(exceptions.of(host, pod, INGRESS)[1])
        found.setdefault((there, here), set()).add(exceptions.of(host, pod, EGRESS)[1])
    return found


def _folded(
    state: State, units: Cells, labels: np.ndarray, *, every: bool
) -> Iterator[tuple[int, Block, Block]]:
    """For each destination label the bounds [words, source labels]."""
    begins = np.flatnonzero(np.diff(labels, prepend=-1))
    fold: Callable[..., Block] = np.bitwise_and.reduceat if every else np.bitwise_or.reduceat
    join: Callable[..., Block] = np.bitwise_and if every else np.bitwise_or
    neutral = state.universe.names.ports.full if every else state.universe.names.ports.full * 0
    alone = np.flatnonzero(units.alone)
    held: tuple[int, Block, Block] | None = None
    for to, least, most in Pairs(state, units).blocks():
        for block in (least,) if least is most else (least, most):
            mine = alone[(alone >= to.start) & (alone < to.stop)]
            block[:, mine - to.start, mine] = neutral[:, None]
        inside = np.flatnonzero(np.diff(labels[to], prepend=-1))
        both = [fold(fold(b, begins, axis=2), inside, axis=1) for b in (least, most)]
        for at, label in enumerate(labels[to][inside].tolist()):
            sure, perhaps = both[0][:, at], both[1][:, at]
            if held is not None and held[0] == label:
                held = (label, join(held[1], sure), join(held[2], perhaps))
                continue
            if held is not None:
                yield held
            held = (label, sure, perhaps)
    if held is not None:
        yield held
