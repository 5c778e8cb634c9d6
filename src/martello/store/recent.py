"""A6: which events were seen in the last quarter of an hour, so that a second copy is marked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

_SPAN: Final = 900.0  # seconds
_MOST: Final = 2_000_000  # ids of one generation: about 250 MB at most


class Recent:
    """Ids of events that are in the lake. They count once they are committed: a batch that failed
    is written again, and is no copy of itself.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._new: set[str] = set()
        self._old: set[str] = set()
        self._turned = clock()

    def marks(self, ids: Sequence[str | None]) -> list[bool]:
        """For each event whether it was there before, in the lake or in this batch."""
        self._turn()
        batch: set[str] = set()
        marks: list[bool] = []
        for id in ids:
            known = id is not None and (id in self._new or id in self._old or id in batch)
            marks.append(known)
            if id is not None:
                batch.add(id)
        return marks

    def keep(self, ids: Iterable[str | None]) -> None:
        """Remembers events that were committed."""
        self._turn()
        self._new.update(id for id in ids if id is not None)

    def _turn(self) -> None:
        now = self._clock()
        if now - self._turned < _SPAN and len(self._new) < _MOST:
            return
        self._old = self._new if now - self._turned < 2 * _SPAN else set()
        self._new, self._turned = set(), now
