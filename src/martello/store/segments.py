"""The catalogue of the lake: which segments there are, and how far each source is in it.

A segment becomes visible in the one transaction that also advances its source, and only where the
source still is where the writer found it and the writer's lease still holds. Everything else that
was written is an orphan.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, and_, func, insert, or_, select, update

from martello.core.errors import BadInput, Unreachable
from martello.store.lake import Segment
from martello.store.monitor_tables import segment, source
from martello.store.state import State, now
from martello.store.upsert import added

_SECOND: Final = 1_000_000
_FIELDS: Final = Segment.__struct_fields__
FOREVER: Final = 253_402_300_799_999_999


class Name(msgspec.Struct, frozen=True):
    """A source: the cluster it tells of, what kind of source it is, and which one."""

    cluster: str
    kind: str
    origin: str

    @property
    def key(self) -> str:
        """As spool and segments write it."""
        return f"{self.cluster}/{self.kind}/{self.origin}"


def parse_name(key: str) -> Name:
    """A source from its key. Raises BadInput."""
    parts = key.split("/", 2)
    if len(parts) != 3:
        raise BadInput(f"no source: {key}", "", "CLUSTER/KIND/ORIGIN")
    return Name(*parts)


class Owned(msgspec.Struct, frozen=True):
    """A source that is mine until a moment of the database's clock: the next position that is not
    in the lake, and what its reader noted there (A2: device, inode, hash of the first bytes).
    """

    name: Name
    committed: int
    mark: str
    epoch: int
    until: int


class Entry(msgspec.Struct, frozen=True):
    """A segment as the catalogue has it. `columns` and `raw` tell whether the files are there."""

    segment: Segment
    columns: bool
    raw: bool
    why: str
    added_n: int


def own(state: State, name: Name, holder: str, seconds: float) -> Owned:
    """Takes the lease of a source, new or known, for so long. Raises Unreachable where another has
    it. Whoever had it before, commits no more.
    """
    with state.writing() as connection:
        at = now(connection)
        connection.execute(added(connection, source, [_new(name)]))
        free = or_(source.c.until <= at, source.c.holder == holder)
        change = (
            update(source)
            .where(_is(name), free)
            .values(holder=holder, epoch=source.c.epoch + 1, until=at + int(seconds * _SECOND))
            .returning(source.c.committed, source.c.mark, source.c.epoch, source.c.until)
        )
        row = connection.execute(change).one_or_none()
    if row is None:
        why = "another writer has its lease"
        raise Unreachable(f"cannot write {name.key}", why, "end that one, or wait")
    return Owned(name, row.committed, row.mark, row.epoch, row.until)


def renew(state: State, mine: Owned, seconds: float) -> Owned | None:
    """Lengthens a lease; None where another has taken the source."""
    with state.writing() as connection:
        until = now(connection) + int(seconds * _SECOND)
        held = and_(_is(mine.name), source.c.epoch == mine.epoch)
        if not connection.execute(update(source).where(held).values(until=until)).rowcount:
            return None
    return msgspec.structs.replace(mine, until=until)


def release(state: State, mine: Owned) -> None:
    """Gives a source back."""
    held = and_(_is(mine.name), source.c.epoch == mine.epoch)
    with state.writing() as connection:
        connection.execute(update(source).where(held).values(until=0))


def commit(
    state: State,
    mine: Owned,
    last: int,
    segments: Sequence[Segment],
    mark: str | None = None,
    taken: int | None = None,
) -> Owned | None:
    """Makes segments visible and advances their source from where it was up to `last`, both or
    neither. `taken` is how many events came, `mark` what the reader must know to go on. None where
    somebody else has committed, or holds the source: then the files are orphans.
    """
    with state.writing() as connection:
        return commit_in(connection, mine, last, segments, mark, taken)


def commit_in(
    connection: Connection,
    mine: Owned,
    last: int,
    segments: Sequence[Segment],
    mark: str | None = None,
    taken: int | None = None,
) -> Owned | None:
    """The same inside a transaction that keeps more: alerts, for one."""
    at = now(connection)
    rows = sum(one.rows for one in segments)
    values: dict[str, Any] = {
        "committed": last,
        "mark": mine.mark if mark is None else mark,
        "taken": source.c.taken + (rows if taken is None else taken),
        "kept": source.c.kept + rows,
        "committed_at": at,
    }
    held = and_(
        _is(mine.name),
        source.c.committed == mine.committed,
        source.c.epoch == mine.epoch,
        source.c.until > at,
    )
    if last < mine.committed:
        raise BadInput(f"{mine.name.key} cannot go back", f"it is at {mine.committed:,}")
    if not connection.execute(update(source).where(held).values(**values)).rowcount:
        return None
    if segments:
        connection.execute(insert(segment), [row_of(one, at) for one in segments])
    return msgspec.structs.replace(mine, committed=last, mark=values["mark"])


def find(
    state: State,
    kinds: Iterable[str] = (),
    clusters: Iterable[str] = (),
    since: int = 0,
    until: int = FOREVER,
) -> tuple[Segment, ...]:
    """The segments that may have events of these kinds and clusters (none named: all) from `since`
    up to `until` (microseconds), the oldest first.
    """
    kinds, clusters = list(kinds), list(clusters)
    conditions = [
        segment.c.columns_ended_at == 0,
        segment.c.last_at >= since,
        segment.c.first_at < until,
    ]
    if kinds:
        conditions.append(segment.c.kind.in_(kinds))
    if clusters:
        conditions.append(segment.c.cluster.in_(clusters))
    query = select(segment).where(*conditions)
    with state.reading() as connection:
        rows = connection.execute(query.order_by(segment.c.first_at, segment.c.id)).all()
    return tuple(of_row(row) for row in rows)


def entries(connection: Connection, *conditions: Any) -> tuple[Entry, ...]:
    """Segments, those that ended too, by what a query asks."""
    query = select(segment).where(*conditions).order_by(segment.c.first_at, segment.c.id)
    return tuple(
        Entry(
            of_row(row),
            row.columns_ended_at == 0,
            row.raw_ended_at == 0 and bool(row.raw_file),
            row.ended_why,
            row.added_n,
        )
        for row in connection.execute(query)
    )


def begun(state: State, clusters: Sequence[str] = ()) -> int | None:
    """When what is kept begins (microseconds); None where nothing is."""
    query = select(func.min(segment.c.first_at)).where(segment.c.columns_ended_at == 0)
    if clusters:
        query = query.where(segment.c.cluster.in_(clusters))
    with state.reading() as connection:
        found = connection.execute(query).scalar_one()
    return None if found is None else int(found)


def counts(state: State) -> tuple[int, int]:
    """How many segments there are to read, and their rows."""
    query = select(func.count(), func.coalesce(func.sum(segment.c.rows), 0))
    with state.reading() as connection:
        found = connection.execute(query.where(segment.c.columns_ended_at == 0)).one()
    return int(found[0]), int(found[1])


def row_of(one: Segment, at: int) -> dict[str, Any]:
    """A segment as a row of the catalogue."""
    return {
        **{name: getattr(one, name) for name in _FIELDS},
        "origins": msgspec.json.encode(one.origins).decode(),
        "made_at": at,
        "columns_ended_at": 0,
        "raw_ended_at": 0,
        "ended_why": "",
        "added_n": 0,
        "columns_ended_n": 0,
        "raw_ended_n": 0,
    }


def of_row(row: Row[Any]) -> Segment:
    """A segment from its row."""
    found = row._mapping
    origins = msgspec.json.decode(found["origins"], type=tuple[str, ...])
    return Segment(**{**{name: found[name] for name in _FIELDS}, "origins": origins})


def _new(name: Name) -> dict[str, Any]:
    texts = {"cluster": name.cluster, "kind": name.kind, "origin": name.origin}
    numbers = ("committed", "epoch", "until", "taken", "kept", "committed_at")
    return {**texts, "mark": "", "holder": "", **dict.fromkeys(numbers, 0)}


def _is(name: Name) -> Any:
    return and_(
        source.c.cluster == name.cluster,
        source.c.kind == name.kind,
        source.c.origin == name.origin,
    )
