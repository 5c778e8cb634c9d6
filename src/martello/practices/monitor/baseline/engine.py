"""Learns what is normal, and tells what is new and how surprising that is.

Nothing is silent while learning: a new roll-out knows what the one before did (B1), replicas are
compared with one another from the first minute, and what rules find is never learned (B5).
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from heapq import heappop, heappush, nlargest
from itertools import takewhile
from math import log2
from operator import eq
from typing import Any, Final

import msgspec

from martello.practices.monitor.baseline.facts import CLASSES, Entity, Fact, facts, workload
from martello.practices.monitor.baseline.known import (
    LEARNED,
    MINUTE,
    MOST_VALUES,
    WAITING,
    Normal,
    Row,
    Value,
)
from martello.practices.monitor.engine.packing import pack

THRESHOLD: Final = 6.0  # bits: one in 64
MOST: Final = 30_000  # entities; the least recent goes first
MOST_KNOWN: Final = 150_000  # values of all of them
ROLLOUTS: Final = 3  # of one workload that stay for longer than an hour
_MOST_ROLLOUTS: Final = 64
_SETTLE: Final = MINUTE  # before replicas are compared
_PEERS: Final = 3  # replicas that can outvote one
_OPEN: Final = 60 * MINUTE  # how long an alert keeps facts from being learned
_MOST_PENDING: Final = 20_000
_MOST_GAPS: Final = 200
_MOST_PENDING_BYTES: Final = 32 << 20
_decode: Final = msgspec.msgpack.Decoder(dict[str, Any]).decode
Event = Mapping[str, Any]


class Novelty(msgspec.Struct, frozen=True, eq=False):
    """Something new. `why` is new, replica (the others of its roll-out do not do it), or full (too
    many values: the class is unassessed from now on, which is told once); `bits` how surprising it
    is, from `trials` and `singletons`; `near` what comes nearest of what is known.
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
        if self.why == "full":
            what = CLASSES[self.kind]
            return (
                f"{self.entity} has more than {self.known:,} values of `{what}`, the last "
                f"{self.near}: unassessed from now on"
            )
        return (
            f"{self.value}: never in {self.trials:,} observations of {self.entity}, "
            f"{self.bits:.1f} bits" + (f"; nearest known {self.near}" if self.near else "")
        )


class Baselines:
    """What is normal in a cluster. Events are given about in the order of their time."""

    def __init__(
        self, threshold: float = THRESHOLD, most: int = MOST, most_known: int = MOST_KNOWN
    ) -> None:
        self.threshold = threshold
        self.forgotten = 0  # entities that were let go for want of room
        self.uncompared = 0  # facts that were not compared with other replicas, for the same reason
        self._most = most
        self._most_known = most_known
        self._known = 0  # values of all entities
        self._normals: OrderedDict[Entity, Normal] = OrderedDict()
        self._rollouts: dict[tuple[str, ...], list[Entity]] = {}  # by lineage: the last ones
        self._who: dict[int, int] = {}  # by hash of class and value: how many entities know it
        self._pending: list[tuple[int, int, Fact, bytes]] = []  # replicas to be compared
        self._pending_bytes = 0
        self._gaps: deque[tuple[str, int, int]] = deque(maxlen=_MOST_GAPS)
        self._count = 0
        self._now = 0
        self._ahead = 0  # a time far ahead that one event has told

    def __len__(self) -> int:
        """How many entities are known."""
        return len(self._normals)

    def observe(self, events: Iterable[Event]) -> list[Novelty]:
        """Learns from events, and gives what is new enough."""
        found: list[Novelty] = []
        for event in events:
            time = int(event.get("time") or event.get("seen") or 0)
            self._pass(time)
            for fact in facts(event):
                new = self._enter(fact, time, event)
                if new is not None and new.bits >= self.threshold:
                    found.append(new)
        found.extend(self._compared())
        return found

    def missed(self, source: str, begin: int, end: int) -> None:
        """A source does not know all that happened in a time (ns): who did something alone in it
        cannot be told.
        """
        self._gaps.append((source, begin, end))

    def _pass(self, time: int) -> None:
        """What time it is now. An hour and more ahead it is when a second event says so: a clock
        may be wrong.
        """
        if self._now and time > self._now + _OPEN and abs(time - self._ahead) > _OPEN:
            self._ahead = time
        else:
            self._now = time if time < self._now - _OPEN else max(self._now, time)

    def alerted(self, event: Event) -> None:
        """An alert of a rule that is never learned is open on the event's workload: what is first
        seen now waits for a person.
        """
        time = int(event.get("time") or event.get("seen") or 0)
        # A time far ahead is nobody's: it is not later than what is known to have come.
        now = max(self._now, int(event.get("seen") or 0))
        time = min(time, now + _OPEN) if now else time
        told = list(facts(event))
        of = workload(event)
        for entity in dict.fromkeys([*([of] if of else ()), *(one.of for one in told)]):
            normal = self._normal(entity, time)
            normal.alerting = max(normal.alerting, time + _OPEN)
            for fact in told:
                known = normal.values[fact.kind].get(fact.value) if fact.of == entity else None
                if known is not None and known.first >= time - _SETTLE and known.state == LEARNED:
                    known.state = WAITING
                    self._heard(entity, fact.kind, fact.value, -1)

    def accept(self, entity: Entity, kind: str, value: str) -> bool:
        """A person says that it is wanted."""
        normal = self._normals.get(entity)
        known = normal.values[kind].get(value) if normal else None
        if known is None:
            return False
        if known.state != LEARNED:
            known.state = LEARNED
            self._heard(entity, kind, value, 1)
        return True

    def forget(self, entity: Entity) -> bool:
        """Everything about an entity is learned anew."""
        normal = self._normals.pop(entity, None)
        if normal is not None:
            self._gone(normal)
        return normal is not None

    def normals(self) -> tuple[Normal, ...]:
        """Every entity, for a look at it (B4)."""
        return tuple(self._normals.values())

    def of(self, lineage: tuple[str, ...]) -> Normal | None:
        """The last roll-out of a workload."""
        rollouts = self._rollouts.get(lineage)
        return self._normals.get(rollouts[-1]) if rollouts else None

    def load(self, rows: Iterable[Row]) -> None:
        """What was kept."""
        for row in rows:
            normal = self._normal(row.entity, row.first)
            before = normal.size
            normal.load([row])
            self._known += normal.size - before
            if row.state == LEARNED:
                self._heard(row.entity, row.kind, row.value, 1)
            self._bounded(normal)

    def _normal(self, entity: Entity, time: int) -> Normal:
        normal = self._normals.get(entity)
        if normal is not None:
            self._normals.move_to_end(entity)
            return normal
        normal = self._normals[entity] = Normal(entity, time)
        rollouts = self._rollouts.setdefault(entity.lineage, [])
        if rollouts:
            normal.inherit(self._normals[rollouts[-1]])
        rollouts.append(entity)
        self._known += normal.size
        over = self._normals[rollouts[0]].last < time - _OPEN
        if len(rollouts) > (ROLLOUTS if over else _MOST_ROLLOUTS):
            self._gone(self._normals.pop(rollouts[0]))
        self._bounded(normal)
        return normal

    def _bounded(self, latest: Normal) -> None:
        """Lets entities go where there are too many, or too many values: earlier roll-outs of the
        latest one, lest who rolls out all the time drives others away; else the least recent.
        """
        while len(self._normals) > self._most or self._known > self._most_known:
            rollouts = self._rollouts[latest.entity.lineage]
            old = len(rollouts) > ROLLOUTS and rollouts[0] != latest.entity
            entity = rollouts[0] if old else next(iter(self._normals))
            if entity == latest.entity:
                return
            self._gone(self._normals.pop(entity))
            self.forgotten += not old

    def _gone(self, normal: Normal) -> None:
        """Forgets of an entity what is not kept with it."""
        self._known -= normal.size
        rollouts = self._rollouts[normal.entity.lineage]
        rollouts.remove(normal.entity)
        if rollouts:
            return
        del self._rollouts[normal.entity.lineage]
        for kind, values in normal.values.items():
            for value, known in values.items():
                if known.state == LEARNED:
                    self._heard(normal.entity, kind, value, -1)

    def _heard(self, entity: Entity, kind: str, value: str, more: int) -> None:
        """Counts who knows a value. A pod of nobody does not count: anybody makes many of them."""
        owner, owned, _ = entity.name.partition("/")
        if entity.kind == "workload" and (not owned or owner == "pod"):
            return
        key = hash((kind, value))
        count = self._who.pop(key, 0) + more
        if count > 0:
            self._who[key] = count

    def _enter(self, fact: Fact, time: int, event: Event) -> Novelty | None:
        normal = self._normal(fact.of, time)
        values = normal.values[fact.kind]
        normal.watch(fact.member, time)
        known = values.get(fact.value)
        if known is not None:
            normal.again(fact.kind, known, fact.member, time)
            return None
        if fact.kind in normal.full:
            return None
        if len(values) >= MOST_VALUES:
            normal.full.add(fact.kind)
            return self._full(normal, fact, event)
        new = self._novelty(normal, fact, event)
        state = WAITING if time <= normal.alerting else LEARNED
        normal.put(fact.kind, fact.value, Value(1, (fact.member,), time, time, state))
        self._known += 1
        if state == LEARNED:
            self._heard(fact.of, fact.kind, fact.value, 1)
        self._bounded(normal)
        if new.bits < self.threshold and fact.member:
            self._pend(fact, time, event)
        return new

    def _pend(self, fact: Fact, time: int, event: Event) -> None:
        """Waits for what the other replicas do."""
        full = self._pending_bytes > _MOST_PENDING_BYTES
        if full or len(self._pending) >= _MOST_PENDING:
            self.uncompared += 1
            return
        self._count += 1
        bare = pack({name: value for name, value in event.items() if name != "raw"})
        self._pending_bytes += len(bare)
        heappush(self._pending, (time + _SETTLE, self._count, fact, bare))

    def _full(self, normal: Normal, fact: Fact, event: Event) -> Novelty:
        """Whoever wants not to be seen among many values is told of by their number (B6)."""
        count = len(normal.values[fact.kind])
        figures = (normal.trials(fact.kind), normal.singletons(fact.kind), 0, count)
        return Novelty(
            *(fact.of, fact.member, fact.kind, "too many values", "full", self.threshold),
            *(*figures, fact.value, event),
        )

    def _novelty(self, normal: Normal, fact: Fact, event: Event) -> Novelty:
        """How surprising a new value is: by Good and Turing's estimate of what was never seen."""
        trials, singletons = normal.trials(fact.kind), normal.singletons(fact.kind)
        siblings = self._who.get(hash((fact.kind, fact.value)), 0)
        # One that knows it may be whoever came there before: several are needed.
        bits = -log2((singletons + 1) / (trials + 2)) / (1 + log2(max(1, siblings)))
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
            due, _, fact, bare = heappop(self._pending)
            self._pending_bytes -= len(bare)
            normal = self._normals.get(fact.of)
            known = normal.values[fact.kind].get(fact.value) if normal else None
            if normal is None or known is None or known.inherited:
                continue
            begun = due - _SETTLE
            there = [
                m for m, span in normal.members.items() if span[0] <= begun and span[1] >= begun
            ]
            if len(there) >= _PEERS and known.members == (fact.member,):
                event = _decode(bare)
                if self._unseen(event.get("source") or "", begun - _SETTLE, due):
                    self.uncompared += 1
                    continue
                values = normal.values[fact.kind]
                found.append(
                    Novelty(
                        *(fact.of, fact.member, fact.kind, fact.value, "replica"),
                        *(log2(len(there)), normal.trials(fact.kind), normal.singletons(fact.kind)),
                        max(0, self._who.get(hash((fact.kind, fact.value)), 1) - 1),
                        len(values) - 1,
                        _nearest(fact.value, values),
                        event,
                        len(there),
                    )
                )
        return found

    def _unseen(self, source: str, begin: int, end: int) -> bool:
        """Whether a source missed something between two times."""
        return any(of == source and one <= end and last >= begin for of, one, last in self._gaps)


def _nearest(value: str, known: Mapping[str, Value]) -> str:
    """The known value that is most like it, among the most frequent ones: by what both begin and
    end with.
    """
    often = nlargest(50, known, key=lambda one: known[one].times)

    def likeness(one: str) -> int:
        begin = _shared(value, one)
        return begin + _shared(value[begin:][::-1], one[begin:][::-1])

    return max((one for one in often if one != value), key=likeness, default="")


def _shared(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    return sum(takewhile(bool, map(eq, one, other)))


def budget(novelties: Iterable[Novelty], days: float, per_day: float) -> float:
    """The smallest threshold whose back-test stays within so many alerts a day (B3)."""
    bits = sorted((one.bits for one in novelties if one.why == "new"), reverse=True)
    allowed = int(days * per_day)
    if len(bits) <= allowed:
        return min(bits, default=THRESHOLD)
    return bits[allowed] + 0.1
