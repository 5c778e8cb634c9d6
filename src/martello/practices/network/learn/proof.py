"""What a proposal closes, what it leaves open that nobody used, and what it would have missed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from martello.core.reach import NONE, Conn, Ports, conn
from martello.practices.network.engine.reach import Reach
from martello.practices.network.learn.model import Edge, HeldOut, Key, OpenPair
from martello.practices.network.learn.replay import ALLOWED, Stage, verdict
from martello.practices.network.learn.review import lane

TRAINED: Final = 0.8
_LISTED: Final = 1000
Raw = dict[str, Any]


class Pairs(msgspec.Struct, frozen=True):
    """Pairs of workloads of which one is learned: all, and those between which something passes."""

    all: int
    before: int
    after: int
    open: tuple[OpenPair, ...]


def pairs(
    governed: frozenset[Key],
    before: Reach,
    after: Reach,
    stage: Stage,
    edges: Iterable[Edge],
    reasons: Mapping[tuple[Key, Key], str],
) -> Pairs:
    """Counts pairs, and lists those that are open further than flows went. `reasons` say why some
    are.
    """
    seen = used(edges)
    keys = [key for key, shapes in stage.atlas.shapes.items() if stage.prepared(key)]
    total = opened = closed = 0
    listed: list[OpenPair] = []
    for source, destination in _each(keys, governed):
        total += 1
        opened += bool(_passes(before, stage, source, destination))
        passing = _passes(after, stage, source, destination)
        if not passing:
            continue
        closed += 1
        more = Conn((passing - seen.get((source, destination), NONE)).ranges)
        if more and len(listed) < _LISTED:
            why = reasons.get((source, destination), "")
            listed.append(OpenPair(str(source), str(destination), str(more), why))
    return Pairs(total, opened, closed, tuple(listed))


def _each(keys: Sequence[Key], governed: frozenset[Key]) -> Iterator[tuple[Key, Key]]:
    for source in keys:
        for destination in keys if source in governed else governed:
            if source != destination:
                yield source, destination


def _passes(reached: Reach, stage: Stage, source: Key, destination: Key) -> Conn:
    found = NONE
    for here in stage.prepared(source):
        for there in stage.prepared(destination):
            found = found | reached.verdict(here, there).yes
    return found


def used(edges: Iterable[Edge]) -> dict[tuple[Key, Key], Conn]:
    """The ports that edges use between each two workloads."""
    ports: dict[tuple[Key, Key], list[Ports]] = {}
    for edge in edges:
        source, destination = edge.source.workload, edge.destination.workload
        if source is not None and destination is not None:
            one = Ports(edge.protocol, edge.port, edge.port)
            ports.setdefault((source, destination), []).append(one)
    return {pair: conn(held) for pair, held in ports.items()}


def hold_out(
    edges: Sequence[Edge],
    begin: float,
    end: float,
    judge: Callable[[Sequence[Edge]], tuple[Reach, Stage]],
) -> HeldOut | None:
    """Learns from the first 80 % of time, and counts what that would miss of the rest. None where
    flows have no times. `judge` learns and analyses.
    """
    if not 0 < begin < end:
        return None
    until = begin + TRAINED * (end - begin)
    trained = [edge for edge in edges if edge.first <= until]
    later = [edge for edge in edges if edge.first > until]
    missed: list[Edge] = []
    if later:
        reached, stage = judge(trained)
        missed = [edge for edge in later if verdict(reached, stage, edge) != ALLOWED]
    names = ("{} → {} {} {}".format(*way) for way in sorted({lane(edge) for edge in missed}))
    return HeldOut(
        until,
        len(trained),
        len(later),
        len(missed),
        sum(edge.count for edge in missed),
        tuple(names)[:20],
    )
