"""What has just arrived, in memory beside the spool: judging does not wait for the disk to be read.

And what was judged and is not in the lake yet, so that nothing is read twice.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from typing import Any, Final

import msgspec

from martello.adapters.intake.mark import Mark
from martello.store.frames import Frame

HELD: Final = 128 << 20  # bytes of bodies; what is beyond is read from the disk
_PATIENCE: Final = 0.1  # seconds before what is missing here is looked for on the disk
_MOST_UNKEPT: Final = 64 << 20
_MOST_HASHES: Final = 100_000


class Arrived:
    """Bodies by source and position. Any thread may add; one takes."""

    def __init__(self, most: int = HELD) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._bodies: dict[str, dict[int, bytes]] = {}
        self._size = 0
        self._lacking: dict[str, float] = {}

    def add(self, key: str, position: int, body: bytes) -> None:
        """Holds a body that is on the disk, where there is room."""
        with self._lock:
            if self._size + len(body) <= self._most:
                self._bodies.setdefault(key, {})[position] = body
                self._size += len(body)

    def take(self, key: str, position: int, most: int) -> list[Frame]:
        """The bodies of a source from a position on without a hole, up to so many bytes."""
        found: list[Frame] = []
        with self._lock:
            bodies = self._bodies.get(key)
            if not bodies:
                return found
            size = 0
            while position in bodies and size < most:
                body = bodies.pop(position)
                found.append(Frame(position, body))
                size += len(body)
                position += 1
            if found and bodies and min(bodies) < position:
                for old in [one for one in bodies if one < position]:
                    size += len(bodies.pop(old))
            self._size -= size
        return found

    def patience(self, key: str, found: bool) -> bool:
        """Whether what is not here has been missing for long enough to be looked for."""
        if found:
            self._lacking.pop(key, None)
            return False
        now = time.monotonic()
        if now - self._lacking.setdefault(key, now) < _PATIENCE:
            return False
        del self._lacking[key]
        return True


class Judged(msgspec.Struct):
    """A run of positions of one source that was judged: from, up to, its tables by kind (None: they
    were let go for want of room), their bytes, and the marks of followed logs in it.
    """

    first: int
    last: int
    tables: dict[str, Any] | None
    size: int
    marks: tuple[Mark, ...] = ()


class Waiting:
    """What was judged and waits for the lake, by source."""

    def __init__(self, most: int = HELD) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._runs: dict[str, deque[Judged]] = {}
        self.size = 0

    def add(self, key: str, run: Judged) -> None:
        """One more run, behind the last one."""
        with self._lock:
            if self.size + run.size > self._most:
                run.tables = None
            if run.tables is not None:
                self.size += run.size
            self._runs.setdefault(key, deque()).append(run)

    def take(self, key: str, committed: int, most: int) -> list[Judged]:
        """The first runs that are not in the lake, all with their tables or all without."""
        with self._lock:
            runs = self._runs.get(key, deque())
            while runs and runs[0].last <= committed:
                self._drop(runs.popleft())
            found: list[Judged] = []
            size = 0
            for one in runs:
                if found and (size >= most or (one.tables is None) != (found[0].tables is None)):
                    break
                found.append(one)
                size += one.size
            return found

    def _drop(self, run: Judged) -> None:
        if run.tables is not None:
            self.size -= run.size


class Unkept:
    """Bodies that found no room on the disk: they are judged all the same. Whoever sends one again
    gets it kept, not judged twice.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bodies: deque[tuple[str, bytes]] = deque()
        self._size = 0
        self._known: OrderedDict[int, None] = OrderedDict()

    def add(self, key: str, body: bytes, content: bytes) -> bool:
        """Holds a framed body for the judge; False where it was there before, or there is no
        room.
        """
        told = hash((key, content))
        with self._lock:
            if told in self._known or self._size + len(body) > _MOST_UNKEPT:
                return False
            self._known[told] = None
            if len(self._known) > _MOST_HASHES:
                self._known.popitem(last=False)
            self._bodies.append((key, body))
            self._size += len(body)
            return True

    def knows(self, key: str, content: bytes) -> bool:
        """Whether a body that comes again was judged already; once."""
        if not self._known:
            return False
        told = hash((key, content))
        with self._lock:
            if told not in self._known:
                return False
            del self._known[told]
            return True

    def take(self) -> list[tuple[str, bytes]]:
        """What waits for the judge."""
        with self._lock:
            found = list(self._bodies)
            self._bodies.clear()
            self._size = 0
            return found
