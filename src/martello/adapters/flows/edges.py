"""Flows counted by what a policy can tell apart: cost then grows with edges, not with flows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from martello.core.flow import Flow

MOST: Final = 500_000  # edges held at a time


class Edge(msgspec.Struct, frozen=True):
    """Flows that differ only in time and in the caller's ephemeral port. `flow` is the first of
    them; `first` and `last` are seconds since 1970, 0 where no flow had a time.
    """

    flow: Flow
    count: int
    first: float
    last: float


class _Sum:
    __slots__ = ("count", "first", "flow", "last")

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.count = flow.count
        self.first = self.last = flow.at


def edges(flows: Iterable[Flow], most: int = MOST) -> Iterator[Edge]:
    """The edges of some flows. No more than `most` are held: then those are given and it begins
    anew, so that an edge may come again, with the rest of its count.

    The port that the caller chose is left out where the flow says who called; where it does not,
    both are kept.
    """
    held: dict[tuple[object, ...], _Sum] = {}
    for flow in flows:
        reply = flow.reply
        key = (
            flow.source,
            flow.destination,
            flow.protocol,
            0 if reply else flow.port,
            0 if reply is False else flow.source_port,
            flow.verdict,
            reply,
            flow.names,
            flow.translated,
            flow.reader,
        )
        known = held.get(key)
        if known is None:
            if len(held) >= most:
                yield from _told(held)
                held.clear()
            held[key] = _Sum(flow)
            continue
        known.count += flow.count
        at = flow.at
        if at:
            known.last = max(known.last, at)
            known.first = min(known.first, at) if known.first else at
    yield from _told(held)


def _told(held: dict[tuple[object, ...], _Sum]) -> Iterator[Edge]:
    for one in held.values():
        yield Edge(one.flow, one.count, one.first, one.last)
