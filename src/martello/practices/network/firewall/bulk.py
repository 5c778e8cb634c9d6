"""What passes between one place and thousands, straight from the rows of the engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from martello.practices.network.engine.places import Spot
from martello.practices.network.engine.reach import Reach
from martello.practices.network.engine.rules import EGRESS, INGRESS
from martello.practices.network.model import Place

Codes = NDArray[np.int64]


class Bulk:
    """Many places as one end of connections of a family. By the rules alone: that a pod reaches
    itself, and its own node, is not in it.
    """

    def __init__(self, reach: Reach, places: Sequence[Place], version: int) -> None:
        self._state = reach.state
        self._reach = reach
        self._version = version
        spots = [reach.spot(place) for place in places]
        # what lies in several columns has no one answer here
        self._several = [n for n, s in enumerate(spots) if not isinstance(s.columns[version], int)]
        self._columns = np.array([self._column(s) for s in spots], dtype=np.int64)
        self._groups = {
            way: np.unique([s.groups[way] for s in spots], return_inverse=True)
            for way in (EGRESS, INGRESS)
        }

    def codes(self, place: Place, special: Sequence[int], *, out: bool) -> tuple[Codes, list[int]]:
        """From one place to each (`out`), or from each to it: a number each, equal where the same
        passes surely and perhaps; and for each number, where it stands first. Those in `special`
        have numbers of their own.
        """
        spot = self._reach.spot(place)
        mine, other = (EGRESS, INGRESS) if out else (INGRESS, EGRESS)
        own = self._state.row(mine, spot.groups[mine])
        column = self._column(spot)
        groups, at = self._groups[other]
        rows = [self._state.row(other, int(group)) for group in groups]
        decided = own.decided and all(row.decided for row in rows)
        words = [
            getattr(own, bound)[:, self._columns]
            & np.stack([getattr(row, bound)[:, column] for row in rows], axis=1)[:, at]
            for bound in (("sure",) if decided else ("sure", "perhaps"))
        ]
        alone = np.zeros(len(self._columns), dtype=np.int64)
        marked = [*self._several, *special]
        alone[marked] = np.arange(1, len(marked) + 1)
        return _numbered(alone, np.concatenate(words, axis=0))

    def _column(self, spot: Spot) -> int:
        found = spot.columns[self._version]
        return found if isinstance(found, int) else 0


def _numbered(found: Codes, words: NDArray[Any]) -> tuple[Codes, list[int]]:
    """Equal columns of words as equal numbers, where they were equal before."""
    first = np.zeros(1, dtype=np.int64)
    for line in words:
        _, code = np.unique(line, return_inverse=True)
        found = found * (int(code.max(initial=0)) + 1) + code
        _, first, found = np.unique(found, return_index=True, return_inverse=True)
    return found, first.tolist()
