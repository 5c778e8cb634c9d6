"""What is kept, in figures: the state, the lake, its seals, sources and sinks."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import func, inspect, select, text

from martello.store import segments
from martello.store.compact import small_segments
from martello.store.files import Files
from martello.store.migrate import schema
from martello.store.monitor_tables import checkpoint, segment, source, witness
from martello.store.outbox import Outbox, Standing
from martello.store.retain import holds, orphans
from martello.store.state import State


class Fed(msgspec.Struct, frozen=True):
    """A source: events that came, rows that were kept, the last commit (microseconds; 0: never)."""

    name: str
    taken: int
    kept: int
    committed_at: int


class Status(msgspec.Struct, frozen=True):
    """Everything that `store status` tells. Times are microseconds since 1970, sizes bytes."""

    state: str
    schema: int
    tables: int
    bytes: int
    lake: str
    segments: int
    rows: int
    files_bytes: int
    small: int
    orphans: int
    missing: int
    checkpoints: int
    sealed_at: int
    unsealed: int
    witnesses: int
    sources: tuple[Fed, ...]
    sinks: dict[str, Standing]
    holds: tuple[str, ...]


def status(state: State, files: Files) -> Status:
    """Looks at state and lake; of files only whether they are there and as long as they were."""
    dialect = state.engine.dialect.name
    with state.reading() as connection:
        number = schema(connection)
        tables = len(inspect(connection).get_table_names())
        bytes = int(connection.execute(text(_SIZES[dialect])).scalar_one())
        live = segments.entries(connection, segment.c.columns_ended_at == 0)
        last = func.coalesce(func.max(checkpoint.c.made_at), 0)
        query = select(func.coalesce(func.max(checkpoint.c.n), 0), last)
        checkpoints, sealed_at = connection.execute(query).one()
        names = select(func.count(func.distinct(witness.c.name)))
        witnesses = int(connection.execute(names).scalar_one())
        sources = tuple(map(_fed, connection.execute(select(source)).all()))
    there = [_files(entry) for entry in live]
    count, rows = segments.counts(state)
    return Status(
        state=state.where,
        schema=number,
        tables=tables,
        bytes=bytes,
        lake=files.where,
        segments=count,
        rows=rows,
        files_bytes=sum(size for pairs in there for _, size in pairs),
        small=small_segments(state),
        orphans=len(orphans(state, files)),
        missing=sum(files.size(path) != size for pairs in there for path, size in pairs),
        checkpoints=int(checkpoints),
        sealed_at=int(sealed_at),
        unsealed=sum(entry.added_n == 0 for entry in live),
        witnesses=witnesses,
        sources=tuple(sorted(sources, key=lambda one: one.name)),
        sinks=Outbox(state).standing(),
        holds=tuple(f"{one.run}: {one.reason}" for one in holds(state)),
    )


_SIZES = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    "postgresql": "SELECT pg_database_size(current_database())",
}


def _files(entry: segments.Entry) -> list[tuple[str, int]]:
    one = entry.segment
    found = [(one.columns_file, one.columns_size)]
    if entry.raw:
        found.append((one.raw_file, one.raw_size))
    return found


def _fed(row: Any) -> Fed:
    key = segments.Name(row.cluster, row.kind, row.origin).key
    return Fed(key, row.taken, row.kept, row.committed_at)
