"""All pairs of endpoints at once, in blocks: no pair is ever looked at by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from martello.practices.network.engine.classes import FAMILY
from martello.practices.network.engine.columns import Numbers
from martello.practices.network.engine.places import is_one
from martello.practices.network.engine.portatoms import OTHER, PERHAPS_OTHER
from martello.practices.network.engine.rows import Row
from martello.practices.network.engine.rules import EGRESS, INGRESS
from martello.practices.network.engine.state import State
from martello.practices.network.model import Endpoint

Block = NDArray[np.uint64]  # masks as [words, destinations, sources]
Marks = NDArray[np.bool_]
_AT_ONCE: Final = 256


class Cells(msgspec.Struct, frozen=True, eq=False):
    """Endpoints that nothing tells apart: `of` is the cell of each endpoint. The rest are numbers
    of each cell; `alone` marks those of one single pod.
    """

    of: Numbers
    out: Numbers  # group on the way out
    into: Numbers  # group on the way in
    column4: Numbers
    column6: Numbers
    families: Numbers
    weight: Numbers
    alone: Marks

    @property
    def count(self) -> int:
        """How many cells there are."""
        return len(self.weight)


def cells(state: State, labels: Numbers | None = None) -> Cells:
    """The cells of a state; with a label for each endpoint, none holds two labels, and they are in
    the order of the labels.
    """
    every = state.universe
    count = len(every.base)
    table = np.stack(
        [
            np.zeros(count, dtype=np.int64) if labels is None else labels,
            _groups(state, INGRESS),
            _groups(state, EGRESS),
            every.column[4][:count],
            every.column[6][:count],
            every.families[:count].astype(np.int64),
        ],
        axis=1,
    )
    found, of, weight = np.unique(table, axis=0, return_inverse=True, return_counts=True)
    of = of.reshape(-1)
    single = np.array([is_one(e) for e in state.world.endpoints], dtype=bool)
    several = np.bincount(of[~single], minlength=len(weight))
    return Cells(
        of,
        found[:, 2],
        found[:, 1],
        found[:, 3],
        found[:, 4],
        found[:, 5],
        weight,
        (weight == 1) & (several == 0),
    )


def _groups(state: State, way: str) -> Numbers:
    """The group of each endpoint; what is on the network of its node is in that of no policy."""
    base, of = state.universe.base, state.groups[way].of
    if not len(of):
        return np.zeros(len(base), dtype=np.int64)
    return np.where(base < 0, 0, of[base])


class Pairs:
    """What passes between cells, by the rules alone: a pod and itself, and its own node, apart."""

    __slots__ = ("_decided", "_planes", "_rows", "cells", "words")

    def __init__(self, state: State, units: Cells) -> None:
        self.cells = units
        self.words = state.universe.names.ports.words
        self._rows = {way: state.rows(way) for way in (INGRESS, EGRESS)}
        self._decided = all(row.decided for rows in self._rows.values() for row in rows)
        alike = np.array_equal(units.column4, units.column6)
        if (units.families == 1).all() or (alike and (units.families == 3).all()):
            self._planes: tuple[Numbers, ...] = (units.column4,)
        elif (units.families == 2).all():
            self._planes = (units.column6,)
        else:
            self._planes = (units.column4, units.column6)

    def blocks(self) -> Iterator[tuple[slice, Block, Block]]:
        """For runs of destinations the bounds of what passes from every cell to them: one array
        where both are the same.
        """
        for begin in range(0, self.cells.count, _AT_ONCE):
            to = slice(begin, min(begin + _AT_ONCE, self.cells.count))
            yield (to, *self._block(to))

    @property
    def planes(self) -> tuple[Numbers, ...]:
        """The columns of the cells by which they are asked about: of one family where it tells all,
        else of both.
        """
        return self._planes

    def grids(self, way: str, bound: str) -> list[NDArray[np.uint64]]:
        """The bound `sure` or `perhaps` of every group's row."""
        return [_grid(row, bound) for row in self._rows[way]]

    def _block(self, to: slice) -> tuple[Block, Block]:
        planes = [self._plane(to, columns) for columns in self._planes]
        if len(planes) == 1:
            return planes[0]
        families = self.cells.families
        shared: list[Block] = [
            np.where((families[to, None] & families[None, :] & bit) > 0, ~np.uint64(0), OTHER * 0)
            for bit in FAMILY.values()
        ]
        (sure4, most4), (sure6, most6) = planes
        four, six = shared
        sure: Block = (sure4 | ~four) & (sure6 | ~six) & (four | six)
        most: Block = (most4 & four) | (most6 & six)
        return sure, most

    def _plane(self, to: slice, columns: Numbers) -> tuple[Block, Block]:
        sure = self._bound(to, columns, "sure")
        return sure, sure if self._decided else self._bound(to, columns, "perhaps")

    def _bound(self, to: slice, columns: Numbers, bound: str) -> Block:
        out = self._rows[EGRESS]
        there, place = np.unique(columns[to], return_inverse=True)
        into = self.cells.into[to]
        found = np.empty((self.words, to.stop - to.start, self.cells.count), dtype=np.uint64)
        runs = [0, *(np.flatnonzero(np.diff(into)) + 1).tolist(), len(into)]
        for word in range(self.words):
            grid = np.stack([_grid(row, bound)[word][there] for row in out], axis=1)
            np.take(grid[place], self.cells.out, axis=1, out=found[word], mode="clip")
            for begin, end in pairwise(runs):
                row = _grid(self._rows[INGRESS][int(into[begin])], bound)
                found[word, begin:end] &= row[word][columns]
        return found


def _grid(row: Row, bound: str) -> NDArray[np.uint64]:
    return row.sure if bound == "sure" else row.perhaps


def some_sure(block: Block) -> Marks:
    """Where something surely passes, of the lower bound [words, …]."""
    return _any(block, PERHAPS_OTHER)


def some_perhaps(block: Block) -> Marks:
    """Where something passes at least perhaps, of the upper bound."""
    return _any(block, OTHER)


def _any(block: Block, but: np.uint64) -> Marks:
    found: Marks = (block[0] & ~but) != 0
    for word in block[1:]:
        found |= word != 0
    return found


def totals(marks: Marks, to: Numbers, sources: Numbers) -> int:
    """How many pairs of endpoints the marked pairs of cells are."""
    each = marks.astype(np.float32) @ sources.astype(np.float32)
    return int(np.rint(each).astype(np.int64) @ to)


class Labels(msgspec.Struct, frozen=True, eq=False):
    """Names that endpoints share, sorted, and the number of that of each endpoint."""

    names: tuple[str, ...]
    of: Numbers


def labels_of(endpoints: Sequence[Endpoint], by: str) -> Labels:
    """The namespaces or the workloads of endpoints."""
    words = [e.namespace if by == "namespace" else e.name for e in endpoints]
    names = tuple(sorted(set(words)))
    place = {name: at for at, name in enumerate(names)}
    return Labels(names, np.array([place[word] for word in words], dtype=np.int64))
