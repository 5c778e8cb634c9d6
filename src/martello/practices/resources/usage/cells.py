"""Small stores for what is measured: weights by hour and bucket, and the greatest by place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from martello.practices.resources.usage.histogram import CPU

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_PENDING: Final = 8192  # entries of a sparse histogram, before equal ones are added up


class Cells:
    """A sparse histogram; a cell is hour times count of buckets + bucket."""

    def __init__(self) -> None:
        self.parts: list[tuple[NDArray[np.int32], NDArray[np.float32]]] = []
        self.pending = 0

    def add(self, cells: NDArray[np.intp], weights: Array) -> None:
        """Adds weights to cells."""
        self.parts.append((cells.astype(np.int32), weights.astype(np.float32)))
        self.pending += len(cells)
        if self.pending > _PENDING:
            self._compact()

    def _compact(self) -> None:
        cells = np.concatenate([part[0] for part in self.parts])
        weights = np.concatenate([part[1] for part in self.parts])
        once, at = np.unique(cells, return_inverse=True)
        self.parts = [(once, np.bincount(at, weights).astype(np.float32))]
        self.pending = 0

    def sparse(self) -> tuple[NDArray[np.int32], NDArray[np.uint8], NDArray[np.float32]]:
        """Hours, buckets and weights, sorted."""
        if not self.parts:
            return np.empty(0, np.int32), np.empty(0, np.uint8), np.empty(0, np.float32)
        self._compact()
        cells, weights = self.parts[0]
        count = np.int32(CPU.count)
        return cells // count, (cells % count).astype(np.uint8), weights


def lift(kept: NDArray[np.float32], at: NDArray[np.intp], values: NDArray[np.float32]) -> None:
    """Raises the kept values to the greatest of those that fall into their place (`at` sorted)."""
    begins = beginnings(at)
    places = at[begins]
    kept[places] = np.maximum(kept[places], np.maximum.reduceat(values, begins))


def beginnings(at: NDArray[np.intp]) -> NDArray[np.intp]:
    """Where each run of equal numbers begins; `at` is sorted and not empty."""
    return np.concatenate(([0], np.flatnonzero(at[1:] != at[:-1]) + 1))
