"""Asks for scans of images that nobody knows yet: once each, in a thread of its own, so that no
answer of the gate waits for it.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from martello.core.errors import MartelloError
from martello.core.image import parse_image

JOB: Final = "image"  # of the work in the store; items are canonical references
AGAIN: Final = 300.0  # seconds after which an image that is still missing is asked for again
_ROOM: Final = 10_000  # images that wait at most
_BATCH: Final = 500
_RETRY: Final = 2.0

Write = Callable[[Sequence[str]], None]


def item(image: str) -> tuple[str, str]:
    """What an image is asked for once by (its digest, else its name), and the item of work."""
    reference = parse_image(image)
    if reference is None:
        return image, ""
    if reference.digest:
        return reference.digest, f"{reference.name}@{reference.digest}"
    return str(reference), str(reference)


class Asking:
    """What was asked for. `write` puts items into the store; it may raise MartelloError, and is
    then called again. `ask` is for one thread, and never waits.
    """

    def __init__(
        self, write: Write, *, again: float = AGAIN, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._write = write
        self._again = again
        self._clock = clock
        self._waiting: queue.Queue[str] = queue.Queue(_ROOM)
        self._asked: dict[str, float] = {}
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self.written = 0
        self.dropped = 0
        self.trouble = ""

    def ask(self, images: Iterable[str]) -> int:
        """Has images scanned, each once within some minutes; returns how many are new."""
        new, now = 0, self._clock()
        for image in images:
            key, work = item(image)
            if not work or now - self._asked.get(key, -self._again) < self._again:
                continue
            try:
                self._waiting.put_nowait(work)
            except queue.Full:
                self.dropped += 1
                continue
            self._asked[key] = now
            new += 1
        if len(self._asked) > 2 * _ROOM:
            left = [(k, t) for k, t in self._asked.items() if now - t < self._again]
            self._asked = dict(left[-_ROOM:])
        return new

    def start(self) -> None:
        """Begins to write."""
        self._thread = threading.Thread(target=self._run, name="asking", daemon=True)
        self._thread.start()

    def stop(self, seconds: float = 2.0) -> None:
        """Writes what waits, if that works at once, and ends."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        batch: list[str] = []
        while True:
            batch += self._next(_BATCH - len(batch), 0.2 if not batch else 0.0)
            if not batch:
                if self._ended.is_set():
                    return
                continue
            try:
                self._write(batch)
            except Exception as error:  # a defect too must not end the thread
                why = f"{error.what}: {error.why}" if isinstance(error, MartelloError) else error
                self.trouble = f"{type(error).__name__}: {why}"
                if self._ended.wait(_RETRY):
                    return
                continue
            self.trouble = ""
            self.written += len(batch)
            batch = []

    def _next(self, most: int, seconds: float) -> list[str]:
        found: list[str] = []
        while len(found) < most:
            try:
                wait = bool(seconds) and not found
                found.append(self._waiting.get(wait, seconds if wait else None))
            except queue.Empty:
                break
        return found
