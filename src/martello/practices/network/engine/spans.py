"""A line of numbers (ports, addresses) cut where sets begin and end: what no set tells apart is
one atom.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Span = tuple[int, int]  # first and last, both inside
UNTOUCHED: Final = 0


class Spans:
    """The atoms of the numbers `first` to `last`. Atoms are numbered; refining appends and never
    renumbers. Where `reserve` is true atom 0 is what no set has touched, and may become empty.
    """

    __slots__ = ("_atoms", "_sizes", "_starts", "last", "reserve")

    def __init__(self, first: int, last: int, *, reserve: bool = False) -> None:
        self._starts = [first]
        self._atoms: NDArray[np.int64] = np.zeros(1, dtype=np.int64)
        self._sizes: NDArray[np.int64] = np.ones(1, dtype=np.int64)
        self.last = last
        self.reserve = reserve

    @property
    def count(self) -> int:
        """How many atoms there are."""
        return len(self._sizes)

    def refined(self, sets: Iterable[Sequence[Span]]) -> tuple[Spans, tuple[tuple[int, int], ...]]:
        """A finer partition in which each set is a union of atoms, and what was split: (atom, the
        new atom that was a part of it), in order.
        """
        wanted = [[self._clipped(span) for span in one] for one in sets]
        if not wanted:
            return self, ()
        fine = Spans(self._starts[0], self.last, reserve=self.reserve)
        fine._starts, fine._atoms, fine._sizes = self._cut(wanted)
        splits: list[tuple[int, int]] = []
        sizes = fine._sizes.tolist()
        for one in wanted:
            touched = fine._inside(one)
            if not len(touched):
                continue
            held = fine._atoms[touched]
            counts = np.bincount(held, minlength=len(sizes))
            for atom in np.flatnonzero(counts).tolist():
                part = int(counts[atom])
                if part == sizes[atom] and not (self.reserve and atom == UNTOUCHED):
                    continue
                fine._atoms[touched[held == atom]] = len(sizes)
                splits.append((atom, len(sizes)))
                sizes[atom] -= part
                sizes.append(part)
        fine._sizes = np.array(sizes, dtype=np.int64)
        return fine, tuple(splits)

    def _clipped(self, span: Span) -> Span:
        return max(span[0], self._starts[0]), min(span[1], self.last)

    def _cut(
        self, sets: Sequence[Sequence[Span]]
    ) -> tuple[list[int], NDArray[np.int64], NDArray[np.int64]]:
        """The same atoms over more intervals."""
        cuts = {c for one in sets for a, b in one if a <= b for c in (a, b + 1) if c <= self.last}
        starts = sorted(cuts.union(self._starts))
        if len(starts) == len(self._starts):
            return starts, self._atoms.copy(), self._sizes.copy()
        atoms = self._atoms[[bisect_right(self._starts, start) - 1 for start in starts]]
        return starts, atoms, np.bincount(atoms, minlength=self.count)

    def _inside(self, spans: Sequence[Span]) -> NDArray[np.int64]:
        """The intervals that begin inside a set whose ends are cuts."""
        parts = [
            np.arange(self._index(first), self._index(last) + 1)
            for first, last in spans
            if first <= last
        ]
        if not parts:
            return np.zeros(0, dtype=np.int64)
        return parts[0] if len(parts) == 1 else np.unique(np.concatenate(parts))

    def _index(self, number: int) -> int:
        return bisect_right(self._starts, number) - 1

    def of(self, spans: Sequence[Span]) -> NDArray[np.int64]:
        """The atoms that meet a set, sorted; where it was refined by, they are exactly the set."""
        held = self._atoms[self._inside([self._clipped(span) for span in spans])]
        return np.flatnonzero(np.bincount(held, minlength=self.count))

    def at(self, number: int) -> int:
        """The atom of one number."""
        return int(self._atoms[self._index(number)])

    def intervals(self) -> Iterator[tuple[int, int, int]]:
        """(first, last, atom) in order; neighbours of one atom are joined."""
        begun = self._starts[0]
        atoms = self._atoms.tolist()
        for place in range(1, len(atoms)):
            if atoms[place] != atoms[place - 1]:
                yield begun, self._starts[place] - 1, atoms[place - 1]
                begun = self._starts[place]
        yield begun, self.last, atoms[-1]

    def held(self) -> NDArray[np.int64]:
        """The atoms that are not empty."""
        return np.flatnonzero(self._sizes)
