"""Readers of files and streams in which each line stands for itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeAlias

from martello.adapters.sensors.pods import Pods
from martello.adapters.sensors.shape import NOWHERE, Event, Place, lined
from martello.core.event import Gap

# The events of one line, that came at a time (ns UTC), with what is known of the place and its
# pods. Raises NotRead.
Line: TypeAlias = Callable[[bytes, int, Place, Pods], list[Event]]


class Read(Protocol):
    """Reads the events of a file or stream, which is called `where`; `seen` is now (ns UTC)."""

    def __call__(
        self,
        parts: Iterable[bytes],
        where: str,
        seen: int,
        place: Place = NOWHERE,
        pods: Pods | None = None,
    ) -> Iterator[Event | Gap]: ...


def reading(one: Line) -> Read:
    """Line by line; a Gap for each that cannot be read."""

    def read(
        parts: Iterable[bytes],
        where: str,
        seen: int,
        place: Place = NOWHERE,
        pods: Pods | None = None,
    ) -> Iterator[Event | Gap]:
        known = pods or Pods()
        return lined(parts, where, lambda line, seen: one(line, seen, place, known), seen)

    return read
