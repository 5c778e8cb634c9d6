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
    known = {str(key): key for key in stage.atlas.shapes if stage.prepared(key)}
    learned = sum(key in governed for key in known.values())
    total = len(known) * (len(known) - 1) - (len(known) - learned) * (len(known) - learned - 1)
    opened = total
    if before.policies.policies:
        opened = sum(1 for _ in _open(before, known, governed))
    seen = used(edges)
    closed = 0
    listed: list[OpenPair] = []
    for source, destination, passing in _open(after, known, governed):
        closed += 1
        if len(listed) == _LISTED:
            continue
        more = Conn((passing - seen.get((source, destination), NONE)).ranges)
        if more:
            why = reasons.get((source, destination), "")
            listed.append(OpenPair(str(source), str(destination), str(more), why))
    return Pairs(total, opened, closed, tuple(listed))


def _open(
    reached: Reach, known: Mapping[str, Key], governed: frozenset[Key]
) -> Iterator[tuple[Key, Key, Conn]]:
    """Two workloads of which one is learned, and what surely passes between some of their pods."""
    for one, other, passing in reached.matrix("workload"):
        source, destination = known.get(one), known.get(other)
        if source is None or destination is None or source == destination or not passing.yes:
            continue
        if source in governed or destination in governed:
            yield source, destination, passing.yes


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
