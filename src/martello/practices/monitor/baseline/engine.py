"""Learns what is normal, and tells what is new and how surprising that is.

Nothing is silent while learning: a new roll-out knows what the one before did (B1), replicas are
compared with one another from the first minute, and what rules find is never learned (B5).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher
from heapq import heappop, heappush
from math import log2
from typing import Any, Final

import msgspec

from martello.practices.monitor.baseline.facts import Entity, Fact, facts, workload
from martello.practices.monitor.baseline.known import (
    LEARNED,
    MINUTE,
    MOST_VALUES,
    WAITING,
    Normal,
    Row,
    Value,
)

THRESHOLD: Final = 6.0  # bits: one in 64
MOST: Final = 50_000  # entities; the least recent goes first
_SETTLE: Final = MINUTE  # before replicas are compared
_PEERS: Final = 3  # replicas that can outvote one
_OPEN: Final = 60 * MINUTE  # how long an alert keeps facts from being learned
_MOST_PENDING: Final = 100_000
Event = Mapping[str, Any]


class Novelty(msgspec.Struct, frozen=True, eq=False):
    """Something new. `why` is new, or replica (the others of its roll-out do not do it); `bits` how
    surprising it is, from `trials` and `singletons`; `near` what comes nearest of what is known.
    """

    entity: Entity
    member: str
    kind: str
    value: str
    why: str
    bits: float
    trials: int
    singletons: int
    siblings: int
    known: int
    near: str
    event: Event
    replicas: int = 0

    def __str__(self) -> str:
        if self.why == "replica":
            return f"{self.value} in {self.member} alone, of {self.replicas} replicas"
        return (
            f"{self.value}: never in {self.trials:,} observations of {self.entity}, "
            f"{self.bits:.1f} bits" + (f"; nearest known {self.near}" if self.near else "")
        )


class Baselines:
    """What is normal in a cluster. Events are given about in the order of their time."""

    def __init__(self, threshold: float = THRESHOLD, most: int = MOST) -> None:
        self.threshold = threshold
        self.forgotten = 0
        self._most = most
        self._normals: OrderedDict[Entity, Normal] = OrderedDict()
        self._latest: dict[tuple[str, ...], Entity] = {}  # by lineage: the last roll-out
        self._who: dict[tuple[str, str], int] = {}  # class and value: how many entities know it
        self._pending: list[tuple[int, int, Fact, Event]] = []  # replicas to be compared
        self._count = 0
        self._now = 0

    def __len__(self) -> int:
        """How many entities are known."""
        return len(self._normals)

    def observe(self, events: Iterable[Event]) -> list[Novelty]:
        """Learns from events, and gives what is new enough."""
        found: list[Novelty] = []
        for event in events:
            time = int(event.get("time") or event.get("seen") or 0)
            self._now = max(self._now, time)
            for fact in facts(event):
                new = self._enter(fact, time, event)
                if new is not None and new.bits >= self.threshold:
                    found.append(new)
        found.extend(self._compared())
        return found

    def alerted(self, event: Event) -> None:
        """An alert of a rule that is never learned is open on the event's workload: what is first
        seen now waits for a person.
        """
        of = workload(event)
        time = int(event.get("time") or 0)
        if of is not None:
            normal = self._normal(of, time)
            normal.alerting = max(normal.alerting, time + _OPEN)
            for fact in facts(event):
                known = normal.values[fact.kind].get(fact.value)
                if known is not None and known.first >= time - _SETTLE:
                    known.state = WAITING

    def accept(self, entity: Entity, kind: str, value: str) -> bool:
        """A person says that it is wanted."""
        normal = self._normals.get(entity)
        known = normal.values[kind].get(value) if normal else None
        if known is None:
            return False
        known.state = LEARNED
        return True

    def forget(self, entity: Entity) -> bool:
        """Everything about an entity is learned anew."""
        return self._normals.pop(entity, None) is not None

    def normals(self) -> tuple[Normal, ...]:
        """Every entity, for a look at it (B4)."""
        return tuple(self._normals.values())

    def of(self, lineage: tuple[str, ...]) -> Normal | None:
        """The last roll-out of a workload."""
        entity = self._latest.get(lineage)
        return self._normals.get(entity) if entity is not None else None

    def load(self, rows: Iterable[Row]) -> None:
        """What was kept."""
        for row in rows:
            normal = self._normal(row.entity, row.first)
            normal.load([row])
            self._who[row.kind, row.value] = self._who.get((row.kind, row.value), 0) + 1

    def _normal(self, entity: Entity, time: int) -> Normal:
        normal = self._normals.get(entity)
        if normal is not None:
            self._normals.move_to_end(entity)
            return normal
        normal = self._normals[entity] = Normal(entity, time)
        before = self._latest.get(entity.lineage)
        if before is not None and before in self._normals:
            normal.inherit(self._normals[before])
        self._latest[entity.lineage] = entity
        if len(self._normals) > self._most:
            gone, _ = self._normals.popitem(last=False)
            if self._latest.get(gone.lineage) == gone:
                del self._latest[gone.lineage]
            self.forgotten += 1
        return normal

    def _enter(self, fact: Fact, time: int, event: Event) -> Novelty | None:
        normal = self._normal(fact.of, time)
        values = normal.values[fact.kind]
        normal.watch(fact.member, time)
        known = values.get(fact.value)
        if known is not None:
            known.times += 1
            known.last = max(known.last, time)
            if fact.member not in known.members and len(known.members) < 64:
                known.members.add(fact.member)
            return None
        if len(values) >= MOST_VALUES:
            normal.full.add(fact.kind)
        if fact.kind in normal.full:
            return None
        new = self._novelty(normal, fact, event)
        state = WAITING if time <= normal.alerting else LEARNED
        values[fact.value] = Value(1, {fact.member}, time, time, state)
        key = (fact.kind, fact.value)
        self._who[key] = self._who.get(key, 0) + 1
        if new.bits < self.threshold and fact.member and len(self._pending) < _MOST_PENDING:
            self._count += 1
            heappush(self._pending, (time + _SETTLE, self._count, fact, event))
        return new

    def _novelty(self, normal: Normal, fact: Fact, event: Event) -> Novelty:
        """How surprising a new value is: by Good and Turing's estimate of what was never seen."""
        trials, singletons = normal.trials(fact.kind), normal.singletons(fact.kind)
        siblings = self._who.get((fact.kind, fact.value), 0)
        bits = -log2((singletons + 1) / (trials + 2)) / (1 + log2(1 + siblings))
        values = normal.values[fact.kind]
        near = _nearest(fact.value, values) if bits >= self.threshold else ""
        return Novelty(
            fact.of,
            fact.member,
            fact.kind,
            fact.value,
            "new",
            max(0.0, bits),
            trials,
            singletons,
            siblings,
            len(values),
            near,
            event,
        )

    def _compared(self) -> list[Novelty]:
        """What one replica does and the others, which have been there as long, do not."""
        found: list[Novelty] = []
        while self._pending and self._pending[0][0] <= self._now:
            due, _, fact, event = heappop(self._pending)
            normal = self._normals.get(fact.of)
            known = normal.values[fact.kind].get(fact.value) if normal else None
            if normal is None or known is None or known.inherited:
                continue
            begun = due - _SETTLE
            there = [
                m for m, span in normal.members.items() if span[0] <= begun and span[1] >= begun
            ]
            if len(there) >= _PEERS and known.members == {fact.member}:
                values = normal.values[fact.kind]
                found.append(
                    Novelty(
                        *(fact.of, fact.member, fact.kind, fact.value, "replica"),
                        *(log2(len(there)), normal.trials(fact.kind), normal.singletons(fact.kind)),
                        self._who.get((fact.kind, fact.value), 1) - 1,
                        len(values) - 1,
                        _nearest(fact.value, values),
                        event,
                        len(there),
                    )
                )
        return found


def _nearest(value: str, known: Mapping[str, Value]) -> str:
    """The known value that is most like it, among the most frequent ones."""
    often = sorted(known, key=lambda one: -known[one].times)[:50]
    often = [one for one in often if one != value]
    return max(often, key=lambda one: SequenceMatcher(None, value, one).ratio(), default="")


def budget(novelties: Iterable[Novelty], days: float, per_day: float) -> float:
    """The smallest threshold whose back-test stays within so many alerts a day (B3)."""
    bits = sorted((one.bits for one in novelties if one.why == "new"), reverse=True)
    allowed = int(days * per_day)
    if len(bits) <= allowed:
        return min(bits, default=THRESHOLD)
    return bits[allowed] + 0.1
