"""Baselines, kept in the store: loaded at the start, saved each minute, people's word taken."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Final

from martello.practices.monitor.baseline import Baselines
from martello.practices.monitor.baseline.facts import CLASSES, Entity
from martello.practices.monitor.baseline.known import LEARNED, Row
from martello.store import normals
from martello.store.normals import ACCEPTED, FORGOTTEN, Kept
from martello.store.state import State

EVERY: Final = 60.0  # seconds between saves
_SETTLE: Final = 120_000_000_000  # ns in which a value may still change without being seen again


def kept(row: Row) -> Kept:
    """A value as the store has it."""
    of = row.entity
    entity = (of.kind, of.namespace, of.name, of.template)
    first, last = row.first // 1000, row.last // 1000
    return Kept(
        entity, of.container, row.kind, row.value, row.times, row.replicas, row.state, first, last
    )


def entity_of(one: Kept) -> Entity:
    """Of whom a value is."""
    kind, space, name, template = one.entity
    return Entity(kind, space, name, one.container, template)


def rows(found: Iterable[Kept]) -> list[Row]:
    """Values as baselines have them. What a person accepted is learned."""
    return [
        Row(
            entity_of(one),
            one.kind,
            one.value,
            one.times,
            one.replicas,
            LEARNED if one.state == ACCEPTED else one.state,
            one.first_at * 1000,
            one.last_at * 1000,
        )
        for one in found
        if one.kind in CLASSES
    ]


class Learned:
    """The baselines of a daemon and their rows. `lock` is held by whoever judges meanwhile."""

    def __init__(self, state: State, baselines: Baselines, lock: threading.Lock) -> None:
        self._state = state
        self._baselines = baselines
        self._lock = lock
        self._saved = 0  # ns: what was seen before is saved

    def load(self) -> None:
        """What an earlier run had learned."""
        normals.drop_forgotten(self._state)
        found = rows(normals.load(self._state))
        with self._lock:
            self._baselines.load(found)
        self._saved = max((one.last for one in found), default=0) + 1

    def save(self) -> None:
        """What changed since the last time, after what people decided. Raises MartelloError."""
        decided = normals.decided(self._state)
        since = self._saved - _SETTLE
        with self._lock:
            self._take(decided)
            changed = [one for one in self._baselines.normals() if one.last >= since]
            found = [kept(row) for one in changed for row in one.rows() if row.last >= since]
        accepted = [one for one in decided if one.state == ACCEPTED]
        if decided:
            normals.decide(self._state, accepted, LEARNED)
            normals.drop_forgotten(self._state)
        normals.save(self._state, found)
        self._saved = max((one.last for one in changed), default=self._saved)

    def _take(self, decided: Iterable[Kept]) -> None:
        for entity in {entity_of(one) for one in decided if one.state == FORGOTTEN}:
            self._baselines.forget(entity)
        for one in decided:
            if one.state == ACCEPTED:
                self._baselines.accept(entity_of(one), one.kind, one.value)
