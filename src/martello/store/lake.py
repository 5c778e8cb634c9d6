"""The lake: events and what they were received as, in Parquet files by kind, cluster and day.

    events/kind=audit/cluster=prod-eu/day=2026-08-01/<segment>-<sha256, 16 digits>.parquet
    raw/kind=audit/cluster=prod-eu/day=2026-08-01/<segment>-<sha256, 16 digits>.parquet

L1 raw has files of its own, L2 a segment has one kind, one cluster and one day, sorted by time, L3
its name says its place in its source and its content. Nothing is visible before the catalogue says
so (`segments`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from martello.adapters import batch
from martello.core.errors import BadInput, Unreachable
from martello.core.event import KINDS
from martello.store import canonical, merkle
from martello.store.files import Files
from martello.store.recent import Recent

ROWS: Final = 131_072  # of a row group
EVENTS: Final = "events"
RAW: Final = "raw"
DUPLICATE: Final = "o_dup"
OWN: Final = (("o_seg", pa.string()), ("o_pos", pa.int64()), (DUPLICATE, pa.bool_()))
_CLUSTER: Final = re.compile(r"[a-z0-9-]{1,63}")
_DAY: Final = 86_400_000_000_000  # ns
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Segment(msgspec.Struct, frozen=True):
    """What the catalogue keeps of one segment. `first` and `last` are positions of its source: from
    and up to. Times are microseconds since 1970, UTC. A hash or root is in hexadecimal.
    """

    id: str
    source: str
    kind: str
    cluster: str
    day: str
    first: int
    last: int
    rows: int
    first_at: int
    last_at: int
    shape: str
    columns_root: str
    raw_root: str
    leaves: str
    columns_file: str
    columns_hash: str
    columns_size: int
    raw_file: str = ""
    raw_hash: str = ""
    raw_size: int = 0
    origins: tuple[str, ...] = ()  # the segments that it was compacted from


class Lake:
    """Writes and reads the files of one place."""

    def __init__(self, files: Files, recent: Recent | None = None) -> None:
        self.files = files
        self.recent = recent or Recent()

    def write(
        self, kind: str, table: pa.Table, source: str, first: int, last: int
    ) -> tuple[Segment, ...]:
        """Writes the events of one kind that a source has from `first` up to `last`, a segment for
        each cluster and day. `table` has the columns of `adapters.batch`, raw among them. The files
        are durable, and seen by nobody until they are committed. Raises BadInput, MartelloError.
        """
        if kind not in KINDS:
            raise BadInput(f"no kind of event: {kind}", "", ", ".join(KINDS))
        if not table.num_rows:
            return ()
        told = settled(placed(table, source.partition("/")[0]))
        days = pc.cast(pc.floor_temporal(told["time"], unit="day"), pa.timestamp("s"))
        clusters = told["cluster"]
        places = [(c, d) for c in _unique(clusters) for d in _unique(days)]
        found: list[Segment] = []
        for cluster, day in places:
            if _CLUSTER.fullmatch(cluster) is None:
                raise BadInput(f"no name of a cluster: {cluster}", "it may have a-z, 0-9 and -")
            rows = told
            if len(places) > 1:
                same = pc.equal(days, pa.scalar(day, days.type))
                rows = told.filter(pc.and_(pc.equal(clusters, cluster), same))
            if rows.num_rows:
                place = (source, kind, cluster, f"{day:%Y-%m-%d}", first, last)
                found.append(self._segment(rows, place))
        return tuple(found)

    def _segment(self, rows: pa.Table, place: tuple[str, str, str, str, int, int]) -> Segment:
        source, kind, cluster, day, first, last = place
        rows = _sorted(rows)
        count = rows.num_rows
        id = segment_id(*place)
        leaves = canonical.column_leaves(rows)
        has_raw = "raw" in rows.column_names and rows["raw"].null_count < count
        raw_root = merkle.root(canonical.raw_leaves(rows["raw"])).hex() if has_raw else ""
        own = [
            pa.repeat(id, count),
            pa.array(np.arange(count, dtype=np.int64)),
            pa.array(self.recent.marks(kind, rows["id"].to_pylist()), pa.bool_()),
        ]
        kept = with_own(rows, own)
        columns = self.put(EVENTS, kind, cluster, day, id, kept)
        raw = ("", "", 0)
        if has_raw:
            parts = {"o_seg": own[0], "o_pos": own[1], "raw": rows["raw"]}
            raw = self.put(RAW, kind, cluster, day, id, pa.table(parts))
        low, high = bounds(rows["time"])
        if kind == "gap":  # it ends when it was seen
            high = max(high, bounds(rows["seen"].fill_null(rows["time"][0]))[1])
        return Segment(
            id,
            source,
            kind,
            cluster,
            day,
            first,
            last,
            count,
            low,
            high,
            shape(kept.schema),
            leaves.root,
            raw_root,
            leaves.set,
            *columns,
            *raw,
        )

    def put(
        self, tier: str, kind: str, cluster: str, day: str, id: str, table: pa.Table
    ) -> tuple[str, str, int]:
        """Writes one file, and returns its path, SHA-256 and size in bytes."""
        sink = pa.BufferOutputStream()
        # hashes and random ids gain nothing from a dictionary
        words = [name for name in table.column_names if name not in ("id", "api_id", "raw")]
        pq.write_table(
            table,
            sink,
            compression="zstd",
            row_group_size=ROWS,
            use_dictionary=words,
            write_page_index=True,
        )
        content = memoryview(sink.getvalue())
        digest = hashlib.sha256(content).hexdigest()
        path = f"{tier}/kind={kind}/cluster={cluster}/day={day}/{id}-{digest[:16]}.parquet"
        self.files.put(path, content)
        return path, digest, len(content)

    def check(self, written: Sequence[Segment]) -> None:
        """Raises Unreachable where a file is not as long as it was written: it may be seen only if
        both of its files are there.
        """
        for one in written:
            pairs = (one.columns_file, one.columns_size), (one.raw_file, one.raw_size)
            for path, size in pairs:
                if path and self.files.size(path) != size:
                    raise Unreachable(f"cannot write {path}", "it is not what was written")

    def read(self, path: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Reads one file. Raises Unreachable where it is missing or no Parquet."""
        return parse(self.files.get(path), path, columns)


def _unique(column: pa.ChunkedArray) -> list[Any]:
    return sorted(pc.unique(column).to_pylist())


def _sorted(rows: pa.Table) -> pa.Table:
    """The rows by time, those of one moment as they came."""
    time = pc.cast(rows["time"], pa.int64()).to_numpy()
    if bool(np.all(time[:-1] <= time[1:])):
        return rows.combine_chunks()
    return rows.take(pa.array(np.argsort(time, kind="stable")))


def parse(content: bytes, path: str, columns: Sequence[str] | None = None) -> pa.Table:
    """The table of a Parquet file. Raises Unreachable.

    Arrow's threads may let go of the bytes a moment after the answer is there. Bytes of Python's
    they could not let go of while Python ends: the process would be aborted. So these are Arrow's.
    """
    held = pa.allocate_buffer(len(content))
    memoryview(held).cast("B")[:] = content
    try:
        source = pa.BufferReader(held)
        return pq.read_table(source, columns=columns, partitioning=None)
    except (pa.ArrowException, OSError) as error:
        why = "it is cut or damaged"
        raise Unreachable(f"cannot read {path}", why, "martello store verify") from error


def settled(table: pa.Table) -> pa.Table:
    """Events whose time is absent, or more than a day after they were seen, are stored by when they
    were seen, and flagged `clock`; those without either, at 1970.
    """
    time, seen = table["time"], table["seen"]
    late = pc.add(pc.cast(seen, pa.int64()), _DAY)
    wrong = pc.or_kleene(pc.is_null(time), pc.greater(pc.cast(time, pa.int64()), late))
    wrong = pc.fill_null(wrong, False)
    if not pc.any(wrong).as_py():
        return table
    zero = pa.scalar(0, pa.int64()).cast(time.type)
    mended = pc.coalesce(pc.if_else(wrong, seen, time), zero)
    flags = [
        [*(old or ()), "clock"] if bad and "clock" not in (old or ()) else old
        for old, bad in zip(table["flags"].to_pylist(), wrong.to_pylist(), strict=True)
    ]
    names = table.column_names
    table = table.set_column(names.index("time"), "time", mended)
    return table.set_column(names.index("flags"), "flags", pa.array(flags, pa.list_(pa.string())))


def placed(table: pa.Table, cluster: str) -> pa.Table:
    """Events that do not say their cluster are of their source's."""
    if not table["cluster"].null_count:
        return table
    at = table.column_names.index("cluster")
    return table.set_column(at, "cluster", pc.fill_null(table["cluster"], cluster))


def with_own(rows: pa.Table, own: Sequence[pa.Array]) -> pa.Table:
    """The columns of a file in `events`: those of the kind but raw, and the lake's own."""
    kept = rows.drop_columns(["raw"]) if "raw" in rows.column_names else rows
    for (name, _), values in zip(OWN, own, strict=True):
        kept = kept.append_column(name, values)
    return kept


def schema(kind: str) -> pa.Schema:
    """The columns of a file in `events` as this program writes them."""
    given = batch.schema(kind)
    fields = [field for field in given if field.name != "raw"]
    return pa.schema([*fields, *(pa.field(name, type_) for name, type_ in OWN)])


def shape(given: pa.Schema) -> str:
    """A short hash of names and types: files of one shape need not be unified."""
    told = "\n".join(f"{field.name} {field.type}" for field in given)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def segment_id(source: str, kind: str, cluster: str, day: str, first: int, last: int) -> str:
    """L3: the name of a segment says its place; the same place gives the same name."""
    told = "\0".join((source, kind, cluster, day, str(first), str(last)))
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def bounds(time: Any) -> tuple[int, int]:
    """The first and the last moment, in microseconds; the last one rounded up."""
    found = pc.min_max(pc.cast(time, pa.int64())).as_py()
    return found["min"] // 1000, -(-found["max"] // 1000)


def moment(micros: int) -> datetime:
    """A moment of the catalogue."""
    return _EPOCH + timedelta(microseconds=micros)
