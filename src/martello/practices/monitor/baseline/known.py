"""What is known of an entity: its facts with their counts, and how long it was watched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from martello.practices.monitor.baseline.facts import CLASSES, Entity

MOST_VALUES: Final = 5_000  # of a class; beyond it is unassessed
MOST_MEMBERS: Final = 64  # replicas that are told apart
LEARNED: Final = "learned"
WAITING: Final = "waiting"  # seen while an alert was open: a person decides
MINUTE: Final = 60_000_000_000
_AHEAD: Final = 60  # minutes: a clock was ahead where a replica is seen that much earlier again


class Value(msgspec.Struct):
    """A value: how often it was seen, by which replicas, from when to when (ns UTC)."""

    times: int = 0
    members: tuple[str, ...] = ()
    first: int = 0
    last: int = 0
    state: str = LEARNED
    inherited: bool = False  # known of the roll-out before, not seen of this one yet


class Row(msgspec.Struct, frozen=True):
    """A value as it is kept."""

    entity: Entity
    kind: str
    value: str
    times: int
    replicas: int
    state: str
    first: int
    last: int


class Normal:
    """An entity. Time is told in ns UTC of events."""

    __slots__ = (
        *("alerting", "entity", "first", "full", "last", "members", "minutes", "values"),
        *("_once", "_times"),
    )

    def __init__(self, entity: Entity, first: int) -> None:
        self.entity = entity
        self.first = first
        self.last = first
        self.minutes = 0  # replica-minutes in which something was seen
        self.members: dict[str, list[int]] = {}  # replica: first, last, last counted minute
        self.values: dict[str, dict[str, Value]] = {kind: {} for kind in CLASSES}
        self.full: set[str] = set()  # classes with too many values
        self.alerting = 0  # until when an alert of a rule that is never learned is open
        self._times = dict.fromkeys(CLASSES, 0)  # by class: how often its values were seen
        self._once = dict.fromkeys(CLASSES, 0)  # and how many of them were seen once

    @property
    def size(self) -> int:
        """How many values are known."""
        return sum(map(len, self.values.values()))

    def watch(self, member: str, time: int) -> None:
        """A replica was seen alive."""
        self.first, self.last = min(self.first, time), max(self.last, time)
        span = self.members.get(member)
        if span is None:
            if len(self.members) >= MOST_MEMBERS:  # pods come and go: the one longest unseen
                del self.members[min(self.members, key=lambda one: self.members[one][1])]
            span = self.members[member] = [time, time, 0]
        span[0], span[1] = min(span[0], time), max(span[1], time)
        minute = time // MINUTE
        if minute > span[2] or minute < span[2] - _AHEAD:
            span[2] = minute
            self.minutes += 1

    def trials(self, kind: str) -> int:
        """How often it could have done something new: what was seen of the class, and the minutes
        of its replicas.
        """
        return self._times[kind] + self.minutes

    def singletons(self, kind: str) -> int:
        """Values that were seen once."""
        return self._once[kind]

    def put(self, kind: str, value: str, known: Value) -> None:
        """Knows a value as it is given, whatever was known of it."""
        before = self.values[kind].get(value)
        self._times[kind] += known.times - (before.times if before else 0)
        self._once[kind] += (known.times == 1) - (before is not None and before.times == 1)
        self.values[kind][value] = known

    def again(self, kind: str, known: Value, member: str, time: int) -> None:
        """One of its values was seen once more."""
        self._once[kind] -= known.times == 1
        self._times[kind] += 1
        known.times += 1
        self._once[kind] += known.times == 1
        known.first, known.last = min(known.first, time), max(known.last, time)
        if member not in known.members and len(known.members) < MOST_MEMBERS:
            known.members += (member,)

    def inherit(self, before: Normal) -> None:
        """What the roll-out before did is known of this one."""
        self.first = min(self.first, before.first)
        self.minutes += before.minutes
        self.full |= before.full
        self.alerting = max(self.alerting, before.alerting)  # a restart closes no alert
        for kind, values in before.values.items():
            for value, known in values.items():
                if known.state == LEARNED and value not in self.values[kind]:
                    told = Value(known.times, (), known.first, known.last, LEARNED, True)
                    self.put(kind, value, told)

    def rows(self) -> Iterator[Row]:
        """Everything, to be kept."""
        for kind, values in self.values.items():
            for value, one in values.items():
                yield Row(
                    self.entity,
                    kind,
                    value,
                    one.times,
                    len(one.members),
                    one.state,
                    one.first,
                    one.last,
                )

    def load(self, rows: Iterable[Row]) -> None:
        """What was kept."""
        for row in rows:
            if len(self.values[row.kind]) >= MOST_VALUES and row.value not in self.values[row.kind]:
                self.full.add(row.kind)
                continue
            known = Value(row.times, (), row.first, row.last, row.state, True)
            self.put(row.kind, row.value, known)
            self.first, self.last = min(self.first, row.first), max(self.last, row.last)
        self.minutes = max(self.minutes, min(100_000, (self.last - self.first) // MINUTE))
