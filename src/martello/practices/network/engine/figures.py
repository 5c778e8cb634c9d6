"""Pairs counted without being looked at: rows hold few masks, so pairs fall into few kinds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import msgspec
import numpy as np
from numpy.typing import NDArray

from martello.practices.network.engine.columns import Numbers
from martello.practices.network.engine.pairs import Cells, Marks
from martello.practices.network.engine.rules import Grid

Masks = NDArray[np.uint64]  # [number, words]


class Figures(msgspec.Struct, frozen=True, eq=False):
    """Between how many pairs of endpoints something passes, and which cells reach themselves."""

    pairs: int
    own: Marks


class _Held(msgspec.Struct, frozen=True, eq=False):
    """The masks of one row, each once, and which of them each column has."""

    masks: Masks
    of: Numbers


def figures(
    into: Sequence[Grid], out: Sequence[Grid], units: Cells, columns: Numbers, but: np.uint64
) -> Figures:
    """Counts the pairs for which the row of the way in and that of the way out share a bit other
    than `but` of the first word; `columns` are those of the cells.
    """
    used, place = np.unique(columns, return_inverse=True)
    weight = units.weight.astype(np.float64)
    ways_in = [_held(grid[:, used]) for grid in into]
    ways_out = [_held(grid[:, used]) for grid in out]
    first_out = np.cumsum([0, *(len(held.masks) for held in ways_out)])
    out_masks, alike = np.unique(
        np.concatenate([held.masks for held in ways_out]), axis=0, return_inverse=True
    )
    alike = alike.reshape(-1)
    ends = _ends(ways_out, units, place, weight)
    total = 0.0
    own = np.zeros(units.count, dtype=bool)
    for number, held in enumerate(ways_in):
        masks = held.masks.copy()
        masks[:, 0] &= ~but
        shares = np.zeros((len(masks), len(out_masks)), dtype=bool)
        for word in range(masks.shape[1]):
            shares |= (masks[:, word, None] & out_masks[None, :, word]) != 0
        mine = held.of[place]
        width = len(masks)
        starts = np.bincount(units.out * width + mine, weight, len(out) * width)
        starts = starts.reshape(len(out), width)
        way, mask, count = ends[number]
        kinds = alike[first_out[way] + mask]
        total += float(((starts[way] * shares[:, kinds].T).sum(axis=1) * count).sum())
        here = np.flatnonzero(units.into == number)
        out_here = [int(ways_out[units.out[cell]].of[place[cell]]) for cell in here]
        kinds = alike[first_out[units.out[here]] + np.array(out_here, dtype=np.int64)]
        own[here] = shares[mine[here], kinds]
    return Figures(round(total), own)


def _ends(
    ways_out: Sequence[_Held], units: Cells, place: Numbers, weight: NDArray[np.float64]
) -> list[tuple[Numbers, Numbers, NDArray[np.float64]]]:
    """For each group on the way in its members as destinations: by the group on the way out that
    asks for them and the mask that its row has for them, how many there are.
    """
    groups = int(units.into.max(initial=-1)) + 1
    table = []
    for number, held in enumerate(ways_out):
        width = len(held.masks)
        sums = np.bincount(units.into * width + held.of[place], weight, groups * width)
        keys = np.flatnonzero(sums)
        table.append((keys // width, np.full(len(keys), number), keys % width, sums[keys]))
    into, way, mask, count = (np.concatenate(part) for part in zip(*table, strict=True))
    order = np.argsort(into, kind="stable")
    bounds = np.searchsorted(into[order], np.arange(groups + 1))
    return [
        (way[part], mask[part], count[part])
        for part in (order[a:b] for a, b in pairwise(bounds.tolist()))
    ]


def _held(grid: Grid) -> _Held:
    """The masks of a row: told apart by one number made of their words, and then compared."""
    _, first, of = np.unique(_mixed(grid), return_index=True, return_inverse=True)
    masks = grid[:, first]
    if not np.array_equal(masks[:, of], grid):  # two masks that make one number
        masks, of = np.unique(grid, axis=1, return_inverse=True)
    return _Held(np.ascontiguousarray(masks.T), of.reshape(-1))


def _mixed(grid: Grid) -> NDArray[np.uint64]:
    """A number of each column that rarely is that of another mask."""
    mixed = np.zeros(grid.shape[1], dtype=np.uint64)
    for word in grid:
        mixed = (mixed ^ word) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    return mixed
