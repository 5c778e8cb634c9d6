"""How much use of a cluster's containers is usual, by day: rows that stay when a daemon ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import delete, select

from martello.store.monitor_tables import usual
from martello.store.state import State
from martello.store.upsert import written

_BATCH: Final = 2_000  # rows of one transaction


class Row(msgspec.Struct, frozen=True):
    """The most that any pod of a workload's container used of a metric over so many seconds of a
    day (since 1970); `told` is 1 where it was told that this is beyond what is usual.
    """

    namespace: str
    workload: str
    container: str
    metric: str
    seconds: int
    day: int
    most: float
    told: int = 0


def load(state: State, cluster: str) -> tuple[Row, ...]:
    """All that is known of a cluster."""
    columns = [usual.c[name] for name in Row.__struct_fields__]
    with state.reading() as connection:
        found = connection.execute(select(*columns).where(usual.c.cluster == cluster))
        return tuple(Row(*row) for row in found)


def save(state: State, cluster: str, rows: Sequence[Row], since: int) -> None:
    """Writes rows over those of the same day, and deletes those of days before `since`."""
    for begin in range(0, len(rows), _BATCH):
        some = rows[begin : begin + _BATCH]
        with state.writing() as connection:
            written(
                connection,
                usual,
                [{"cluster": cluster, **msgspec.structs.asdict(row)} for row in some],
            )
    with state.writing() as connection:
        old = (usual.c.cluster == cluster) & (usual.c.day < since)
        connection.execute(delete(usual).where(old))
