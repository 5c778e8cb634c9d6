"""K1: joins small segments of one kind, cluster and day; readers of the old files finish.

Rows keep the segment and the place that they were sealed at, and are never dropped: second copies
are marked (A6). What is not what the catalogue says is left as it is, and told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
import pyarrow as pa  # type: ignore[import-untyped]
from sqlalchemy import insert, or_, select, update

from martello.core.errors import MartelloError, Unreachable
from martello.store import claim as claims
from martello.store import segments
from martello.store.lake import DUPLICATE, EVENTS, RAW, Lake, Segment, bounds, parse, schema, shape
from martello.store.monitor_tables import segment
from martello.store.state import State, now

SMALL: Final = 250_000  # rows: a segment of as many is left alone
LARGE: Final = 1_000_000  # rows of what is made, at most
_BYTES: Final = 48 << 20  # of files that are joined at once: some ten times as much in memory
_SEGMENTS: Final = 2_000  # that are joined at once
_JOB: Final = "compact"
_LEASE: Final = 600.0
_ORDER: Final = [("time", "ascending"), ("o_seg", "ascending"), ("o_pos", "ascending")]


class Compacted(msgspec.Struct, frozen=True):
    """How many segments became how many, and what could not be read."""

    before: int = 0
    after: int = 0
    rows: int = 0
    unread: tuple[str, ...] = ()


def compact(state: State, lake: Lake, holder: str, fewest: int = 2) -> Compacted:
    """Compacts each kind, cluster and day that has `fewest` or more small segments. Several may
    run: a day is claimed by one.
    """
    days = sorted(day for day, small in _small(state).items() if len(small) >= fewest)
    claims.enqueue(state, _JOB, days)
    claims.reopen(state, _JOB, days)
    total = Compacted()
    while taken := claims.claim(state, _JOB, 1, _LEASE, holder):
        (one,) = taken
        try:
            done = _day(state, lake, one, fewest)
        except MartelloError as error:
            claims.fail(state, one, str(error))
            raise
        total = Compacted(
            total.before + done.before,
            total.after + done.after,
            total.rows + done.rows,
            total.unread + done.unread,
        )
    return total


def small_segments(state: State) -> int:
    """How many segments compaction would join."""
    return sum(len(small) for small in _small(state).values() if len(small) > 1)


def _small(state: State) -> dict[str, list[Segment]]:
    """Small segments by day; those whose raw is gone apart from those whose raw is there."""
    live = (segment.c.columns_ended_at == 0, segment.c.rows < SMALL)
    with state.reading() as connection:
        entries = segments.entries(connection, *live)
    found: dict[str, list[Segment]] = {}
    for entry in entries:
        one = entry.segment
        tier = "both" if entry.raw else "columns"
        found.setdefault(f"{one.kind}/{one.cluster}/{one.day}/{tier}", []).append(one)
    return found


def _day(state: State, lake: Lake, mine: claims.Claim, fewest: int) -> Compacted:
    small = _small(state).get(mine.item, [])
    with_raw = mine.item.endswith("/both")
    before = after = rows = 0
    unread: list[str] = []
    for group in _groups(small):
        good: list[tuple[Segment, pa.Table, pa.Table | None]] = []
        for one in group:
            try:
                good.append((one, *_both(lake, one, with_raw)))
            except MartelloError as error:
                unread.append(f"{one.id}: {error.what}")
        if len(good) < fewest:
            continue
        made = _write(state, lake, good)
        if not _swap(state, [one for one, _, _ in good], made, with_raw):
            continue  # retention was faster: what was written is an orphan
        before, after, rows = before + len(good), after + 1, rows + made.rows
    claims.finish(state, [(mine, f"{before} to {after}")])
    return Compacted(before, after, rows, tuple(unread))


def _groups(small: Sequence[Segment]) -> Iterator[list[Segment]]:
    group: list[Segment] = []
    rows = size = 0
    for one in small:
        own = one.columns_size + max(one.raw_size, 0)
        full = rows + one.rows > LARGE or size + own > _BYTES or len(group) == _SEGMENTS
        if group and full:
            yield group
            group, rows, size = [], 0, 0
        group.append(one)
        rows, size = rows + one.rows, size + own
    if group:
        yield group


def _both(lake: Lake, one: Segment, with_raw: bool) -> tuple[pa.Table, pa.Table | None]:
    """The two files of a segment, as they were sealed. Raises Unreachable."""
    columns = _sealed(lake, one.columns_file, one.columns_hash)
    raw = _sealed(lake, one.raw_file, one.raw_hash) if with_raw else None
    return unified(columns, one.kind), raw


def _sealed(lake: Lake, path: str, digest: str) -> pa.Table:
    content = lake.files.get(path)
    if hashlib.sha256(content).hexdigest() != digest:
        why = "its bytes are not those that were written"
        raise Unreachable(f"cannot compact {path}", why, "martello store verify")
    return parse(content, path)


def unified(table: pa.Table, kind: str) -> pa.Table:
    """L5: a file of an older shape with the columns of today; what only a newer one has, stays."""
    found: dict[str, Any] = {}
    for field in schema(kind):
        if field.name in table.column_names:
            found[field.name] = table[field.name].cast(field.type)
        else:
            found[field.name] = pa.nulls(table.num_rows, field.type)
    for name in table.column_names:
        found.setdefault(name, table[name])
    return pa.table(found)


def _write(
    state: State, lake: Lake, group: Sequence[tuple[Segment, pa.Table, pa.Table | None]]
) -> Segment:
    first = group[0][0]
    columns = pa.concat_tables([table for _, table, _ in group], promote_options="default")
    columns = _marked(columns.sort_by(_ORDER), _elsewhere(state, lake, [o for o, _, _ in group]))
    origins = tuple(sorted({id for one, _, _ in group for id in one.origins or (one.id,)}))
    id = hashlib.sha256("\0".join(("compacted", *origins)).encode()).hexdigest()[:32]
    place = (first.kind, first.cluster, first.day, id)
    told = lake.put(EVENTS, *place, columns)
    raws = [raw for _, _, raw in group if raw is not None]
    raw = ("", "", 0)
    if raws:
        ordered = pa.concat_tables(raws).sort_by(_ORDER[1:])
        raw = lake.put(RAW, *place, ordered)
    low, high = bounds(columns["time"])
    return Segment(
        id,
        "",
        *place[:3],
        0,
        0,
        columns.num_rows,
        low,
        high,
        shape(columns.schema),
        "",
        "",
        "",
        *told,
        *raw,
        origins,
    )


def _elsewhere(state: State, lake: Lake, group: Sequence[Segment]) -> set[str]:
    """Ids of events that other segments of the day show."""
    one, own = group[0], {segment.id for segment in group}
    same = (
        segment.c.columns_ended_at == 0,
        segment.c.kind == one.kind,
        segment.c.cluster == one.cluster,
        segment.c.day == one.day,
    )
    with state.reading() as connection:
        entries = segments.entries(connection, *same)
    found: set[str] = set()
    for entry in entries:
        if entry.segment.id in own:
            continue
        try:
            table = lake.read(entry.segment.columns_file, ["id", DUPLICATE])
        except MartelloError:
            continue  # it shows nothing
        pairs = zip(table["id"].to_pylist(), table[DUPLICATE].to_pylist(), strict=True)
        found.update(id for id, second in pairs if not second)
    return found


def _marked(rows: pa.Table, seen: set[str]) -> pa.Table:
    """The rows with every copy but the first one marked."""
    marks: list[bool] = []
    pairs = zip(rows["id"].to_pylist(), rows[DUPLICATE].to_pylist(), strict=True)
    for id, second in pairs:
        copy = bool(second) or (id is not None and id in seen)
        marks.append(copy)
        if not copy and id is not None:
            seen.add(id)
    at = rows.column_names.index(DUPLICATE)
    return rows.set_column(at, DUPLICATE, pa.array(marks, pa.bool_()))


def _swap(state: State, old: Sequence[Segment], new: Segment, with_raw: bool) -> bool:
    """Makes the new segment visible instead of the old ones, if all of them still are."""
    ids = [one.id for one in old]
    with state.writing() as connection:
        at = now(connection)
        there = [segment.c.id.in_(ids), segment.c.columns_ended_at == 0]
        if with_raw:
            there.append(or_(segment.c.raw_file == "", segment.c.raw_ended_at == 0))
        still = connection.execute(select(segment.c.id).where(*there).with_for_update()).all()
        if len(still) != len(ids):
            return False
        ended = {"columns_ended_at": at, "ended_why": "superseded"}
        connection.execute(update(segment).where(segment.c.id.in_(ids)).values(**ended))
        raw = (segment.c.id.in_(ids), segment.c.raw_file != "", segment.c.raw_ended_at == 0)
        connection.execute(update(segment).where(*raw).values(raw_ended_at=at))
        connection.execute(insert(segment).values(segments.row_of(new, at)))
    return True
