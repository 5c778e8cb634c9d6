"""H1: SQL over the history: views on the segments of a window, in a sandbox, with coverage.

The catalogue says which files there are; the query says which views it reads. H3: DuckDB may open
the lake's directory and nothing else, and its settings are locked before the query is run. A
segment whose file is missing or altered is unassessed, never silently left out.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import duckdb
import msgspec
import pyarrow as pa  # type: ignore[import-untyped]

from martello.core.errors import BadInput, MartelloError, Stale
from martello.core.event import KINDS
from martello.store import segments
from martello.store.coverage import Coverage, Missing, coverage
from martello.store.files import Files
from martello.store.history import with_raw
from martello.store.huntsql import Checked, check
from martello.store.lake import OWN, Lake, Segment, schema, shape
from martello.store.outbox import Outbox
from martello.store.segments import FOREVER
from martello.store.state import State

GAPS: Final = "gaps"
ALERTS: Final = "alerts"
VIEWS: Final = (*(kind for kind in KINDS if kind != "gap"), GAPS, ALERTS)
ROWS: Final = 100_000  # H9
_HIDDEN: Final = frozenset(name for name, _ in OWN)
_HELP: Final = "martello monitor hunt --help"
_ASKED: Final = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ParserException,
    duckdb.SyntaxException,
    duckdb.ConversionException,
    duckdb.OutOfRangeException,
    duckdb.TypeMismatchException,
)
_ALERTS: Final = pa.schema(
    [
        ("id", pa.string()),
        ("rule", pa.string()),
        ("severity", pa.string()),
        ("title", pa.string()),
        ("state", pa.string()),
        ("cluster", pa.string()),
        ("time", pa.timestamp("ns")),
        ("last", pa.timestamp("ns")),
        ("repeats", pa.int64()),
        ("entity", pa.map_(pa.string(), pa.string())),
        ("attack", pa.list_(pa.string())),
    ]
)


class Limits(msgspec.Struct, frozen=True):
    """What a hunt may use: bytes of memory and of spill, threads, seconds, rows of the answer."""

    memory: int = 512 << 20
    spill: int = 4 << 30
    threads: int = 0  # 0: as many as there are cores
    seconds: float = 600.0
    rows: int = ROWS


class Answer(msgspec.Struct, frozen=True):
    """What a hunt found. `read` of `known` segments were read, with so many events; `unassessed`
    are those whose file is not what it was.
    """

    table: Any
    read: int
    known: int
    events: int
    seconds: float
    coverage: Coverage
    unassessed: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether the answer rests on everything that happened: else exit 3."""
        return not self.unassessed and self.coverage.complete


def run(
    state: State,
    lake: Lake,
    sql: str,
    since: int = 0,
    until: int = FOREVER,
    clusters: Sequence[str] = (),
    limits: Limits | None = None,
    verify: bool = False,
) -> Answer:
    """Runs a query over the events from `since` up to `until` (microseconds since 1970). `verify`
    reads every file twice, and compares its hash. Raises BadInput for a query that is wrong or
    refused, Stale where it takes too long or more memory than it may have.
    """
    limits = limits or Limits()
    begun = time.monotonic()
    known, _ = segments.counts(state)
    window = (since, until)
    with _sandbox(lake.files, limits) as connection:
        checked = check(sql, VIEWS, connection)
        kinds = ["gap" if view == GAPS else view for view in sorted(checked.views - {ALERTS})]
        wanted = segments.find(state, kinds, clusters, since, until) if kinds else ()
        good, bad = _sound(lake.files, wanted, verify)
        try:
            table = _query(connection, state, lake.files, checked, good, window, limits)
            worse: list[str] = []
        except _Doubtful:
            good, worse = _sound(lake.files, good, True)
            if not worse:
                raise
    if worse:
        bad += worse
        with _sandbox(lake.files, limits) as connection:
            table = _query(connection, state, lake.files, checked, good, window, limits)
    return Answer(
        table,
        len(good),
        known,
        sum(one.rows for one in good),
        time.monotonic() - begun,
        known_gaps(state, lake, since, until, clusters),
        tuple(bad),
    )


def known_gaps(
    state: State,
    lake: Lake,
    since: int = 0,
    until: int = FOREVER,
    clusters: Sequence[str] = (),
    *,
    reasons: bool = False,
) -> Coverage:
    """The gaps of a window, where asked for with their reasons as far as they are kept; a window
    without ends is that of the events there are.
    """
    live = segments.find(state, (), clusters, since, until)
    if since <= 0:
        since = min((one.first_at for one in live), default=0)
    if until >= FOREVER:
        until = max((one.last_at for one in live), default=since)
    found: list[Missing] = []
    for one in live:
        if one.kind != "gap":
            continue
        try:
            read = with_raw(lake, one) if reasons else lake.read(one.columns_file)
            found += _gaps(read)
        except MartelloError as error:
            why = f"nobody can read what was missing: {error.what}"
            found.append(Missing(one.cluster, one.source, one.first_at, one.last_at, why))
    return coverage(since, until, found, segments.begun(state, clusters))


def _gaps(rows: pa.Table) -> Iterator[Missing]:
    names = ("cluster", "source", "time", "seen", "action", "ev_count")
    numbers = [rows[name].cast(pa.int64()) if name in ("time", "seen") else rows[name]
               for name in names]  # fmt: skip
    raw = rows["raw"] if "raw" in rows.column_names else pa.nulls(rows.num_rows, pa.string())
    for cluster, source, first, last, why, count, reason in zip(
        *(column.to_pylist() for column in (*numbers, raw)), strict=True
    ):
        begun, end = first // 1000, -(-max(first, last or first) // 1000)
        yield Missing(cluster, source or "", begun, end, why or "", count or 0, reason or "")


class _Doubtful(BadInput):
    """The query is wrong, or a file is: that, its hash tells."""


def _sound(
    files: Files, wanted: Sequence[Segment], verify: bool
) -> tuple[list[Segment], list[str]]:
    """Segments whose file is there, and the others with the reason."""
    good: list[Segment] = []
    bad: list[str] = []
    for one in wanted:
        size = files.size(one.columns_file)
        if size < 0:
            bad.append(f"segment {one.id}: its file is missing")
        elif size != one.columns_size:
            bad.append(f"segment {one.id}: its file has {size:,} of {one.columns_size:,} bytes")
        elif verify and _digest(files, one.columns_file) != one.columns_hash:
            bad.append(f"segment {one.id}: its file was altered")
        else:
            good.append(one)
    return good, bad


def _digest(files: Files, path: str) -> str:
    with open(files.local(path), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _query(
    connection: duckdb.DuckDBPyConnection,
    state: State,
    files: Files,
    checked: Checked,
    good: Sequence[Segment],
    window: tuple[int, int],
    limits: Limits,
) -> pa.Table:
    """Makes the views, locks the sandbox, and runs the query."""
    with _translated(limits):
        for view in sorted(checked.views):
            if view == ALERTS:
                connection.register(ALERTS, _alerts(state, window))
            else:
                kind = "gap" if view == GAPS else view
                own = [one for one in good if one.kind == kind]
                connection.execute(f'CREATE VIEW "{view}" AS {view_sql(files, kind, own, window)}')
        connection.execute("SET lock_configuration = true")
        return _fetch(connection, checked.sql, limits)


@contextmanager
def _sandbox(files: Files, limits: Limits) -> Iterator[duckdb.DuckDBPyConnection]:
    with tempfile.TemporaryDirectory(prefix="martello-hunt-") as spill:
        connection = duckdb.connect(
            config={
                "threads": limits.threads or os.cpu_count() or 1,
                "memory_limit": f"{limits.memory}B",
                "temp_directory": spill,
                "max_temp_directory_size": f"{limits.spill}B",
                "python_enable_replacements": False,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "allow_community_extensions": False,
            }
        )
        try:
            place = files.local("x").removesuffix("/x").replace("'", "''")
            connection.execute(f"SET allowed_directories = ['{place}']")
            connection.execute("SET enable_external_access = false")
            yield connection
        finally:
            connection.close()


def view_sql(files: Files, kind: str, own: Sequence[Segment], window: tuple[int, int]) -> str:
    """The SELECT of a view. Files of older shapes are unified by name (L5)."""
    columns = [field for field in schema(kind) if field.name not in _HIDDEN]
    names = ", ".join(f'"{field.name}"' for field in columns)
    empty = ", ".join(f'NULL::{_type(field.type)} AS "{field.name}"' for field in columns)
    if not own:
        return f"SELECT {empty} WHERE false"
    paths = ", ".join("'" + files.local(one.columns_file).replace("'", "''") + "'" for one in own)
    today = shape(schema(kind))
    same = all(one.shape == today for one in own)
    options = "hive_partitioning = false" + ("" if same else ", union_by_name = true")
    read = f"read_parquet([{paths}], {options})"
    since, until = window
    conditions = ["NOT o_dup"]
    if any(one.first_at < since for one in own) and kind != "gap":
        conditions.append(f"time >= make_timestamp_ns({since * 1000})")
    if any(one.last_at >= until for one in own) and kind != "gap":
        conditions.append(f"time < make_timestamp_ns({until * 1000})")
    where = " AND ".join(conditions)
    if same:
        return f"SELECT {names} FROM {read} WHERE {where}"  # noqa: S608  (names of our own)
    nothing = f"SELECT {empty}, NULL::BOOLEAN AS o_dup WHERE false"
    both = f"{nothing} UNION ALL BY NAME FROM {read}"
    return f"SELECT {names} FROM ({both}) WHERE {where}"  # noqa: S608


def _type(kind: pa.DataType) -> str:
    if pa.types.is_map(kind):
        return f"MAP({_type(kind.key_type)}, {_type(kind.item_type)})"
    if pa.types.is_list(kind):
        return f"{_type(kind.value_type)}[]"
    names = {"string": "VARCHAR", "int64": "BIGINT", "bool": "BOOLEAN"}
    return names.get(str(kind), "TIMESTAMP_NS")


def _alerts(state: State, window: tuple[int, int]) -> pa.Table:
    since, until = window
    rows = [
        {
            "id": one.id,
            "rule": one.rule,
            "severity": one.severity,
            "title": one.title,
            "state": one.state,
            "cluster": one.cluster,
            "time": one.first,
            "last": one.last,
            "repeats": one.repeats,
            "entity": list(one.entity.items()),
            "attack": list(one.attack),
        }
        for one in Outbox(state).alerts(since, most=1_000_000)
        if one.first < until * 1000
    ]
    return pa.Table.from_pylist(rows, schema=_ALERTS)


def _fetch(connection: duckdb.DuckDBPyConnection, sql: str, limits: Limits) -> pa.Table:
    stop = threading.Timer(limits.seconds, connection.interrupt)
    stop.start()
    try:
        reader: Any = connection.sql(sql).to_arrow_reader(10_000)
        batches, count = [], 0
        for one in reader:
            batches.append(one)
            count += one.num_rows
            if count > limits.rows:
                why = f"the answer has more than {limits.rows:,} rows"
                raise BadInput("the hunt is stopped", why, "-o parquet=FILE, or add LIMIT")
        return pa.Table.from_batches(batches, reader.schema)
    finally:
        stop.cancel()


@contextmanager
def _translated(limits: Limits) -> Iterator[None]:
    """Turns what DuckDB raises into errors that say what to do."""
    narrow = "narrow it: --since, --cluster, WHERE"
    try:
        yield
    except duckdb.InterruptException:
        why = f"it ran for more than {limits.seconds:g} s"
        raise Stale("the hunt is stopped", why, narrow) from None
    except duckdb.OutOfMemoryException:
        why = f"it needs more than {limits.memory >> 20:,} MiB of memory"
        raise Stale("the hunt is stopped", why, narrow) from None
    except (*_ASKED, UnicodeError, RecursionError) as error:
        raise BadInput("cannot run the query", _first_line(error), _HELP) from None
    except (duckdb.Error, pa.ArrowException) as error:
        raise _Doubtful("cannot run the query", _first_line(error), _HELP) from None


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:500]
