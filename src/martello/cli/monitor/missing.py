"""What is known to be missing, until it is written down: gaps of one reason become one."""

from __future__ import annotations

import threading
from typing import Final

import msgspec

from martello.adapters.sensors.shape import Event, Place, gap
from martello.core.errors import MartelloError

_MOST: Final = 10_000  # reasons that wait


class _Span(msgspec.Struct):
    begin: int
    end: int
    bodies: int
    size: int


Reason = tuple[str, str, str]  # source, what (an action of a gap), why


class Missing:
    """Gaps that are not written yet. Any thread may note one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spans: dict[Reason, _Span] = {}
        self.counts: dict[str, int] = {}  # by source, since the start

    def note(
        self, source: str, what: str, why: str, begin: int, end: int, size: int = 0, bodies: int = 1
    ) -> None:
        """Something of a source is missing from `begin` to `end` (ns)."""
        with self._lock:
            self.counts[source] = self.counts.get(source, 0) + 1
            span = self._spans.get((source, what, why))
            if span is None:
                if len(self._spans) < _MOST:
                    self._spans[source, what, why] = _Span(begin, end, bodies, size)
                return
            span.begin, span.end = min(span.begin, begin), max(span.end, end)
            span.bodies += bodies
            span.size += size

    def take(self) -> dict[Reason, _Span]:
        """All that waits; give it to `back` where it could not be written."""
        with self._lock:
            found, self._spans = self._spans, {}
            return found

    def back(self, spans: dict[Reason, _Span]) -> None:
        """What could not be written."""
        for (source, what, why), one in spans.items():
            self.note(source, what, why, one.begin, one.end, one.size, one.bodies)
            with self._lock:
                self.counts[source] -= 1


def events(spans: dict[Reason, _Span], place: Place) -> list[Event]:
    """The gaps as events."""
    found = []
    for (source, what, why), one in spans.items():
        if one.size or one.bodies > 1:
            why += f" ({one.bodies:,} bodies, {one.size:,} bytes)"
        found.append(gap(place, source, what, one.begin, one.end, why))
    return found


def said(error: Exception) -> str:
    """What happened and why, in a line; of a fault of ours its name alone."""
    if not isinstance(error, MartelloError):
        return f"internal error: {type(error).__name__}"
    return f"{error.what}: {error.why}" if error.why else error.what
