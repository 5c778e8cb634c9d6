"""What people do with alerts: find one by the beginning of its id, see what became of it at its
sinks, acknowledge it, close it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection, select

from martello.core.alert import Alert
from martello.core.errors import BadInput
from martello.store.monitor_tables import alert, delivery
from martello.store.outbox import Outbox
from martello.store.state import State

SHORTEST: Final = 4  # characters of an id
_HEX: Final = frozenset("0123456789abcdef")
_SHOWN: Final = 5


class Told(msgspec.Struct, frozen=True):
    """One delivery: open, leased, done or dead. Times are microseconds since 1970; 0: never."""

    sink: str
    revision: int
    state: str
    attempts: int
    put_at: int
    done_at: int
    next_at: int
    error: str


def find(state: State, word: str) -> Alert:
    """The alert whose id begins so. Raises BadInput where there is none, or more than one."""
    with state.reading() as connection:
        return _found(connection, word)


def mark(state: State, words: Sequence[str], to: str) -> tuple[Alert, ...]:
    """Puts alerts into a state, all or none, and lets every sink know that was told of them; those
    that are in it already stay as they are. Returns what they are now. Raises BadInput.
    """
    outbox = Outbox(state)
    found: dict[str, Alert] = {}
    with state.writing() as connection:
        for word in words:
            one = _found(connection, word)
            if one.state != to and one.id not in found:
                one = msgspec.structs.replace(one, state=to, revision=one.revision + 1)
                outbox.put_in(connection, one, _sinks(connection, one.id))
            found.setdefault(one.id, one)
    return tuple(found.values())


def deliveries(state: State, id: str) -> tuple[Told, ...]:
    """What became of an alert at its sinks, by sink and revision."""
    names = [delivery.c[name] for name in Told.__struct_fields__]
    query = select(*names).where(delivery.c.alert == id)
    with state.reading() as connection:
        rows = connection.execute(query.order_by(delivery.c.sink, delivery.c.revision)).all()
    return tuple(Told(*row) for row in rows)


def _sinks(connection: Connection, id: str) -> list[str]:
    query = select(delivery.c.sink).where(delivery.c.alert == id).distinct()
    return list(connection.execute(query.order_by(delivery.c.sink)).scalars())


def _found(connection: Connection, word: str) -> Alert:
    told = word.lower()
    if len(told) < SHORTEST or not _HEX.issuperset(told):
        raise BadInput(
            f"no id of an alert: {word[:40]!a}",
            f"it begins with {SHORTEST} or more of 0-9 and a-f",
            "martello monitor alerts list",
        )
    query = select(alert.c.content).where(alert.c.id.like(f"{told}%")).limit(_SHOWN)
    found = [msgspec.json.decode(one, type=Alert) for one in connection.execute(query).scalars()]
    if not found:
        raise BadInput(f"no alert {told}", "none is kept whose id begins so", "alerts list --since")
    if len(found) > 1:
        ids = ", ".join(one.id[:16] for one in found)
        raise BadInput(f"more than one alert {told}", f"there are {ids}", "more of its id")
    return found[0]
