"""What is normal, as rows that stay: values by entity and class, and what people decided of them.

The daemon that learns owns the rows. A person's word is left in `state` (accepted, forgotten), and
the daemon takes it when it next saves.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
from sqlalchemy import Connection, and_, delete, select, update

from martello.store.monitor_tables import baseline
from martello.store.state import State
from martello.store.upsert import replaced

ACCEPTED: Final = "accepted"
FORGOTTEN: Final = "forgotten"
_DECIDED: Final = (ACCEPTED, FORGOTTEN)
_BATCH: Final = 2_000  # rows of one transaction


class Kept(msgspec.Struct, frozen=True):
    """One value of one entity. `entity` is its kind, namespace, name and template. Times are
    microseconds since 1970.
    """

    entity: tuple[str, str, str, str]
    container: str
    kind: str
    value: str
    times: int
    replicas: int
    state: str
    first_at: int
    last_at: int


def save(state: State, rows: Iterable[Kept]) -> int:
    """Writes rows over those of the same value; how many."""
    count = 0
    batch: list[Kept] = []
    for row in rows:
        batch.append(row)
        if len(batch) >= _BATCH:
            count += _write(state, batch)
            batch = []
    return count + (_write(state, batch) if batch else 0)


def _write(state: State, rows: Iterable[Kept]) -> int:
    count = 0
    with state.writing() as connection:
        for row in rows:
            connection.execute(replaced(connection, baseline, _row(row)))
            count += 1
    return count


def load(state: State) -> tuple[Kept, ...]:
    """Everything that is known and not forgotten."""
    with state.reading() as connection:
        return _found(connection, baseline.c.state != FORGOTTEN)


def decided(state: State) -> tuple[Kept, ...]:
    """What people decided, for the daemon to take."""
    with state.reading() as connection:
        return _found(connection, baseline.c.state.in_(_DECIDED))


def drop_forgotten(state: State) -> int:
    """Deletes what was forgotten; how many rows."""
    with state.writing() as connection:
        return connection.execute(delete(baseline).where(baseline.c.state == FORGOTTEN)).rowcount


def decide(state: State, rows: Iterable[Kept], word: str) -> int:
    """Leaves a person's word on rows; how many there were."""
    count = 0
    with state.writing() as connection:
        for one in rows:
            change = update(baseline).where(
                and_(
                    baseline.c.template == _template(one),
                    baseline.c.container == one.container,
                    baseline.c["class"] == one.kind,
                    baseline.c.value == one.value,
                )
            )
            count += connection.execute(change.values(state=word)).rowcount
    return count


def _found(connection: Connection, condition: object) -> tuple[Kept, ...]:
    query = select(baseline).where(condition).order_by(baseline.c.last_at)  # type: ignore[arg-type]
    return tuple(
        Kept(
            msgspec.json.decode(row["template"], type=tuple[str, str, str, str]),
            row["container"],
            row["class"],
            row["value"],
            row["times"],
            row["replicas"],
            row["state"],
            row["first_at"],
            row["last_at"],
        )
        for row in connection.execute(query).mappings()
    )


def _template(one: Kept) -> str:
    return msgspec.json.encode(one.entity).decode()


def _row(one: Kept) -> dict[str, object]:
    return {
        "template": _template(one),
        "container": one.container,
        "class": one.kind,
        "value": one.value,
        "times": one.times,
        "replicas": one.replicas,
        "state": one.state,
        "first_at": one.first_at,
        "last_at": one.last_at,
    }
