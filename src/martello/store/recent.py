"""A6: which events were seen in the last quarter of an hour, so that a second copy is marked."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Final

_SPAN: Final = 900.0  # seconds
_MOST: Final = 2_000_000  # ids of one generation: about 250 MB at most


class Recent:
    """Ids of events that are in the lake, by kind. They count once they are committed: a batch that
    failed is written again, and is no copy of itself.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._new: dict[str, set[str]] = defaultdict(set)
        self._old: dict[str, set[str]] = {}
        self._turned = clock()

    def marks(self, kind: str, ids: Sequence[str | None]) -> list[bool]:
        """For each event whether it was there before, in the lake or in this batch."""
        self._turn()
        new, old = self._new.get(kind, set()), self._old.get(kind, set())
        batch: set[str] = set()
        marks: list[bool] = []
        for id in ids:
            marks.append(id is not None and (id in new or id in old or id in batch))
            if id is not None:
                batch.add(id)
        return marks

    def keep(self, kind: str, ids: Iterable[str | None]) -> None:
        """Remembers events that were committed."""
        self._turn()
        self._new[kind].update(id for id in ids if id is not None)

    def _turn(self) -> None:
        now = self._clock()
        if now - self._turned < _SPAN and sum(map(len, self._new.values())) < _MOST:
            return
        self._old = self._new if now - self._turned < 2 * _SPAN else {}
        self._new, self._turned = defaultdict(set), now
