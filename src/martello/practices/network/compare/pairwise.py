"""Which pairs of places two states answer alike, found for all pairs at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
Table = NDArray[np.uint16] | NDArray[np.uint32]
_AT_ONCE: Final = 256
_EXAMPLES: Final = 8
_FEW: Final = 65536  # numbers that two bytes hold


class Blocks(Protocol):
    """Bounds of what passes between all cells, in runs of destinations: a `Reach`."""

    def blocks(self) -> Iterator[tuple[slice, NDArray[np.uint64], NDArray[np.uint64]]]:
        """(destinations, surely, perhaps): masks as [words, destinations, sources]."""
        ...


class Answers:
    """The answers of one state as numbers: 0 for a place that is not there."""

    __slots__ = ("_numbers", "_table")

    def __init__(self, state: Blocks, cells: int) -> None:
        self._numbers: dict[tuple[int, ...], int] = {}
        self._table: Table = np.zeros((cells + 1, cells + 1), dtype=np.uint16)
        for to, sure, most in state.blocks():
            numbers = self._numbered(sure, most).T
            if self.count > _FEW and self._table.dtype == np.uint16:
                self._table = self._table.astype(np.uint32)
            self._table[1:, to.start + 1 : to.stop + 1] = numbers

    def _numbered(self, sure: NDArray[np.uint64], most: NDArray[np.uint64]) -> NDArray[np.uint32]:
        """[destinations, sources]: equal numbers where all words of both bounds are equal."""
        words = [*sure] if most is sure else [*sure, *most]
        flat = [word.reshape(-1) for word in words]
        local = np.zeros(flat[0].shape, dtype=np.int64)
        for word in flat:
            _, inverse = np.unique(word, return_inverse=True)
            local = local * (int(inverse.max(initial=0)) + 1) + inverse
            _, local = np.unique(local, return_inverse=True)
        _, first, inverse = np.unique(local, return_index=True, return_inverse=True)
        bounds = [tuple(int(word[at]) for word in flat) for at in first]
        twice = [one if len(words) > len(sure) else one + one for one in bounds]
        numbers = [self._numbers.setdefault(one, len(self._numbers) + 1) for one in twice]
        found = np.array(numbers, dtype=np.uint32)[inverse]
        return found.reshape(sure.shape[1:])

    @property
    def count(self) -> int:
        """How many numbers there are, with 0."""
        return len(self._numbers) + 1

    def between(self, sources: Numbers, destinations: Numbers) -> Numbers:
        """The answers from some cells to others, -1 for one that is not there."""
        return self._table[np.ix_(sources + 1, destinations + 1)].astype(np.int64)


def differing(
    states: tuple[Answers, Answers],
    cells: tuple[Sequence[int], Sequence[int]],
    changes: Callable[[int, int], bool | None],
) -> Iterator[tuple[int, int]]:
    """The pairs of places whose answers differ. `cells` are those of each place in both states;
    `changes` says of one pair whether its answers differ, or None where it is no example for
    others of the same answers. It is asked once for each two answers that meet.
    """
    before, after = (np.array(one, dtype=np.int64) for one in cells)
    known: dict[int, bool] = {}
    for begin in range(0, len(before), _AT_ONCE):
        rows = slice(begin, begin + _AT_ONCE)
        was = states[0].between(before[rows], before)
        meets = was * states[1].count + states[1].between(after[rows], after)
        kinds, inverse = np.unique(meets, return_inverse=True)
        inverse = inverse.reshape(-1)
        marks: Any = np.array(
            [
                _known(int(k), at, inverse, begin, len(before), known, changes)
                for at, k in enumerate(kinds)
            ],
            dtype=bool,
        )
        for place in np.flatnonzero(marks[inverse]):
            yield begin + int(place) // len(before), int(place) % len(before)


def _known(
    kind: int,
    at: int,
    inverse: Numbers,
    begin: int,
    width: int,
    known: dict[int, bool],
    changes: Callable[[int, int], bool | None],
) -> bool:
    if kind not in known:
        for place in np.flatnonzero(inverse == at)[:_EXAMPLES]:
            answer = changes(begin + int(place) // width, int(place) % width)
            if answer is not None:
                known[kind] = answer
                return answer
        return True  # no example: each pair is looked at by itself
    return known[kind]
