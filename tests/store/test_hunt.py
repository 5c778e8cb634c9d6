"""Hunts: what may be asked, what the sandbox lets through, pruning, coverage, equal answers."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from tests.support.lake import NOON, SECOND, Store, audit_events

from martello.core.alert import Alert
from martello.core.errors import BadInput, Stale
from martello.store import hunt, retain, segments
from martello.store.compact import compact
from martello.store.coverage import Missing, coverage, covered
from martello.store.hunt import VIEWS, Answer, Limits
from martello.store.huntsql import check
from martello.store.outbox import Outbox

AT = NOON // 1000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store(tmp_path_factory.mktemp("filled")) as opened:
        opened.write(audit_events(5))
        yield opened


def _run(store: Store, sql: str, **given: Any) -> Answer:
    return hunt.run(store.state, store.lake, sql, **given)


def _rows(store: Store, sql: str, **given: Any) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in _run(store, sql, **given).table.to_pylist()]


# each of them must be refused by the guard, before DuckDB sees it
ESCAPES = """
COPY audit TO '/tmp/x.csv'
COPY (SELECT 1) TO 'LAKE/x.csv'
COPY audit FROM '/etc/passwd'
INSERT INTO audit VALUES (1)
UPDATE audit SET action = 'x'
DELETE FROM audit
DROP VIEW audit
CREATE TABLE x AS SELECT 1
CREATE OR REPLACE VIEW audit AS SELECT 1
ATTACH 'LAKE/x.db'
DETACH memory
INSTALL httpfs
LOAD httpfs
SET threads = 1
SET enable_external_access = true
RESET threads
PRAGMA database_list
PRAGMA enable_profiling
CALL pragma_version()
EXPLAIN ANALYZE SELECT * FROM audit
EXPORT DATABASE 'LAKE/x'
IMPORT DATABASE '/tmp'
CHECKPOINT
BEGIN
PREPARE p AS SELECT 1
EXECUTE p
DESCRIBE audit
SHOW TABLES
SUMMARIZE audit
SELECT 1; DROP VIEW audit
SELECT 1; SELECT 2
SELECT * FROM (DESCRIBE audit)
SELECT * FROM (SHOW DATABASES)
WITH x AS (INSERT INTO audit VALUES (1) RETURNING *) SELECT * FROM x
WITH x AS (DELETE FROM audit RETURNING *) SELECT * FROM x
WITH audit AS (SELECT 1) SELECT * FROM audit
SELECT * FROM '/etc/passwd'
SELECT * FROM 'LAKE/x.parquet'
SELECT * FROM "/etc/passwd"
SELECT * FROM read_csv('/etc/passwd')
SELECT * FROM read_text('/etc/passwd')
SELECT * FROM read_blob('/proc/self/environ')
SELECT * FROM read_json('/etc/passwd')
SELECT * FROM read_parquet('LAKE/**/*.parquet')
SELECT * FROM parquet_metadata('LAKE/x.parquet')
SELECT * FROM glob('/etc/*')
SELECT * FROM sniff_csv('/etc/passwd')
SELECT * FROM duckdb_settings()
SELECT * FROM duckdb_secrets()
SELECT * FROM pragma_table_info('audit')
SELECT * FROM query('SELECT 1')
SELECT * FROM query_table('audit')
SELECT * FROM json_execute_serialized_sql('{}')
SELECT * FROM information_schema.tables
SELECT * FROM pg_catalog.pg_tables
SELECT * FROM memory.main.audit
SELECT * FROM sqlite_master
SELECT (SELECT content FROM read_text('/etc/passwd'))
SELECT 1 WHERE EXISTS (SELECT 1 FROM read_text('/etc/passwd'))
SELECT * FROM audit WHERE id IN (SELECT content FROM read_text('/etc/passwd'))
SELECT * FROM audit ORDER BY (SELECT count(*) FROM glob('/*'))
SELECT * FROM audit LIMIT (SELECT count(*) FROM glob('/*'))
SELECT count(*) FILTER (WHERE (SELECT true FROM glob('/*'))) FROM audit
SELECT list_transform([1], lambda x: (SELECT count(*) FROM glob('/*')))
SELECT sum(1) OVER (ORDER BY (SELECT count(*) FROM glob('/*'))) FROM audit
SELECT * FROM unnest((SELECT list(file) FROM glob('/*')))
SELECT current_setting('allowed_directories')
SELECT getvariable('x')
SELECT getenv('HOME')
SELECT write_log('x')
SELECT sleep_ms(100000)
SELECT nextval('x')
SELECT current_query()
SELECT json_serialize_sql('SELECT 1')
SELECT pg_catalog.version()
SELECT error('x')
SELECT $1
SELECT * FROM audit AT (VERSION => 1)
SELECT * FROM os
SELECT * FROM lake
""".strip().splitlines()


@pytest.mark.parametrize("number", range(len(ESCAPES)))
def test_h2_h3_escapes_are_refused(number: int) -> None:
    with pytest.raises(BadInput):
        check(ESCAPES[number].replace("LAKE", "/var/lib/lake"), VIEWS)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM glob('/etc/*')",
        "COPY (SELECT 1) TO '/tmp/martello-escape.csv'",
        "ATTACH '/tmp/martello-escape.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "SET threads = 9",
        "SELECT * FROM secret_table",
    ],
)
def test_h3_the_sandbox_holds_without_the_guard(
    filled: Store, monkeypatch: pytest.MonkeyPatch, sql: str
) -> None:
    secret_table = pa.table({"x": [1]})
    assert secret_table.num_rows == 1  # a variable that DuckDB would find
    from martello.store.huntsql import Checked

    monkeypatch.setattr(hunt, "check", lambda sql, views, c: Checked(sql, frozenset()))
    with pytest.raises(BadInput):
        _run(filled, sql)
    assert not Path("/tmp/martello-escape.csv").exists()
    assert not Path("/tmp/martello-escape.db").exists()


@pytest.mark.parametrize(
    "sql",
    [
        "VALUES (1)",
        "TABLE audit",
        "FROM AUDIT",
        "SELECT columns('act.*') FROM audit",
        "SELECT now(), current_timestamp, today()",
        "UNPIVOT (SELECT action, k8s_ns FROM audit) ON action, k8s_ns INTO NAME a VALUE b",
        "SELECT time_bucket(INTERVAL 1 HOUR, time) b, quantile_cont(api_code, 0.5) FROM audit "
        "GROUP BY b",
        "SELECT row_number() OVER (PARTITION BY a.k8s_ns ORDER BY a.time) FROM audit a "
        "LEFT JOIN audit b USING (id)",
        "SELECT * FROM audit UNION ALL SELECT * FROM audit",
        "SELECT count(*) FROM audit WHERE actor_user ~ 'run' AND list_contains(actor_groups, 'x')",
        "SELECT date_trunc('day', time), epoch_ns(time), extract(hour FROM time) FROM audit",
        "SELECT {'a': 1}.a, [1, 2][1], CASE WHEN true THEN 1 END, x.n FROM (VALUES (1)) x(n)",
        "WITH RECURSIVE r AS (SELECT 1 n UNION ALL SELECT n + 1 FROM r WHERE n < 9) FROM r",
        "SELECT u FROM audit, unnest(actor_groups) t(u), range(2), generate_series(1, 2)",
        "SELECT list_transform(actor_groups, lambda x: upper(x)) FROM audit",
        "SELECT action FROM audit GROUP BY ROLLUP(action) HAVING count(*) > 1 ORDER BY ALL LIMIT 5",
        "SELECT 1 FROM process, file, network, priv, kernel, log, k8s_event, alert, alerts, gaps",
    ],
)
def test_what_a_hunter_needs_is_allowed(filled: Store, sql: str) -> None:
    assert _run(filled, sql).table is not None


def test_a_wrong_query_is_told_in_three_lines(store: Store) -> None:
    store.write(audit_events(5))
    for sql in ("", "SELEC 1", "SELECT nope FROM audit", "SELECT 1 +", "\0", "SELECT '\ud800'"):
        with pytest.raises(BadInput) as caught:
            _run(store, sql)
        assert len(str(caught.value).splitlines()) <= 3
    for sql in ("SELECT " + "(" * 5000 + "1" + ")" * 5000, "SELECT " + "1," * 60_000 + "1"):
        with pytest.raises(BadInput):
            _run(store, sql)


def test_h1_only_segments_of_the_kind_window_and_cluster_are_read(store: Store) -> None:
    for i in range(4):
        store.write(audit_events(10, start=1000 * i))
    store.write(audit_events(10, seed=2, cluster="prod-us"))
    store.write(audit_events(10, seed=3, kind="file"), "file")
    count = "SELECT count(*) FROM audit"
    whole = _run(store, count)
    assert (whole.table.to_pylist(), whole.read, whole.known) == ([{"count_star()": 50}], 5, 6)
    since, until = AT + 1000 * 1_000_000, AT + 2005 * 1_000_000
    some = _run(store, count, since=since, until=until)
    assert (some.table.to_pylist(), some.read) == ([{"count_star()": 15}], 2)
    us = _run(store, count, clusters=["prod-us"])
    assert (us.table.to_pylist(), us.read) == ([{"count_star()": 10}], 1)
    assert _rows(store, "SELECT count(*) FROM file") == [(10,)]
    assert _run(store, "SELECT 1").read == 0


def test_the_answer_is_plain_duckdbs_over_the_same_files(store: Store) -> None:
    for i in range(3):
        store.write(audit_events(200, start=200 * i))
    paths = [store.files.local(one.columns_file) for one in segments.find(store.state)]
    sql = "SELECT action, k8s_ns, count(*) n, count(DISTINCT actor_user) u, min(time) t FROM {} \
        GROUP BY ALL ORDER BY ALL"
    with duckdb.connect() as plain:
        expected = plain.sql(sql.format(f"read_parquet({paths})")).to_arrow_table()
    assert _run(store, sql.format("audit")).table.equals(expected)


def test_a6_second_copies_are_hidden(store: Store) -> None:
    store.write(audit_events(10))
    store.write(audit_events(10))
    assert _rows(store, "SELECT count(*) FROM audit") == [(10,)]


def test_alerts_are_a_view(store: Store) -> None:
    one = Alert("id", "MON-1", "h", "high", "t", "s", {"k8s_ns": "shop"}, NOON, NOON + SECOND, 3)
    Outbox(store.state).put([one], [])
    sql = "SELECT rule, entity['k8s_ns'] ns, repeats FROM alerts"
    assert _rows(store, sql) == [("MON-1", "shop", 3)]
    assert _rows(store, sql, since=AT + 2_000_000) == []


def test_every_answer_has_its_coverage(store: Store) -> None:
    store.write(audit_events(600))
    assert _run(store, "SELECT 1").coverage.says == "coverage 100 %: no gap is known"
    gap = {
        "id": "g",
        "kind": "gap",
        "action": "spool full",
        "source": "webhook",
        "time": NOON + 60 * SECOND,
        "seen": NOON + 120 * SECOND,
        "ev_count": 310,
    }
    store.write([gap, {**gap, "id": "h", "time": NOON + 90 * SECOND}], "gap")
    told = _run(store, "SELECT count(*) FROM audit", since=AT, until=AT + 600_000_000)
    assert told.coverage.share == pytest.approx(0.9)
    assert told.coverage.says == "coverage 90.00 % (2 gaps in prod, 60 s)"
    assert told.coverage.gaps[0].why == "spool full"
    assert told.coverage.gaps[0].events == 310
    assert not told.complete
    within = _run(store, "SELECT 1", since=AT + 100_000_000, until=AT + 110_000_000)
    assert within.coverage.share == 0  # the gap began before the window, and covers all of it
    assert _run(store, "SELECT 1", since=AT + 200_000_000).complete
    assert _rows(store, "SELECT count(*), sum(ev_count)::BIGINT FROM gaps") == [(2, 620)]


def test_what_lies_before_the_first_event_is_not_called_known(store: Store) -> None:
    nothing = _run(store, "SELECT 1")
    assert nothing.coverage.says.startswith("coverage 0 %: nothing was ever kept here")
    assert not nothing.complete
    store.write(audit_events(600))
    told = _run(store, "SELECT 1", since=AT - 60_000_000, until=AT + 600_000_000)
    assert "since 2026-" in told.coverage.says
    assert told.coverage.says.endswith("nothing is kept of before")
    assert told.complete
    late = coverage(0, 100, [Missing("a", "s", 90, 100, "")], 80)
    assert late.share == pytest.approx(0.5)


def test_gaps_that_overlap_count_once() -> None:
    assert covered([(0, 10), (5, 7), (10, 12), (20, 21)]) == 13
    assert covered([]) == 0
    told = coverage(0, 100, [Missing("a", "s", -50, 10, ""), Missing("b", "s", 95, 400, "")])
    assert told.share == pytest.approx(0.85)
    assert coverage(0, 0, []).share == 1.0
    tiny = coverage(0, 10**9, [Missing("a", "s", 0, 1, "")])
    assert tiny.says.startswith("coverage 99.99 %")


def test_a_missing_or_altered_segment_is_unassessed_never_silent(store: Store) -> None:
    good, gone, cut, flipped = (store.write(audit_events(100, start=100 * i))[0] for i in range(4))
    store.path(gone.columns_file).unlink()
    path = store.path(cut.columns_file)
    path.write_bytes(path.read_bytes()[:-7])
    told = _run(store, "SELECT count(*) FROM audit")
    assert told.table.to_pylist() == [{"count_star()": 200}]
    assert not told.complete
    assert [gone.id in told.unassessed[0], cut.id in told.unassessed[1]] == [True, True]
    path = store.path(flipped.columns_file)
    data = bytearray(path.read_bytes())
    data[-8:-4] = b"\xff\xff\xff\x00"  # the length of the footer
    path.write_bytes(data)
    told = _run(store, "SELECT count(*) FROM audit")
    assert told.table.to_pylist() == [{"count_star()": 100}]
    assert flipped.id in told.unassessed[2]
    data[len(data) // 2] ^= 1
    assert len(_run(store, "SELECT 1 FROM audit", verify=True).unassessed) == 3
    assert good.rows == 100


def test_l4_a_stray_file_is_not_read(store: Store) -> None:
    (one,) = store.write(audit_events(10))
    stray = store.path(one.columns_file).with_name("stray.parquet")
    stray.write_bytes(b"no parquet")
    assert _rows(store, "SELECT count(*) FROM audit") == [(10,)]


def test_l5_files_of_an_older_shape_are_unified_by_name(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from martello.adapters import batch

    (one,) = store.write(audit_events(10))
    real = batch.schema("audit")
    wider = real.append(pa.field("api_new", pa.list_(pa.string())))
    monkeypatch.setattr(batch, "schema", lambda kind: wider)
    assert _rows(store, "SELECT count(*), count(api_new) FROM audit") == [(10, 0)]
    assert one.rows == 10


def test_h9_a_large_answer_needs_a_file(store: Store) -> None:
    with pytest.raises(BadInput, match="stopped") as caught:
        _run(store, "SELECT * FROM range(100001)")
    assert "100,000 rows" in caught.value.why
    assert _run(store, "SELECT * FROM range(100000)").table.num_rows == 100_000
    more = Limits(rows=10**9)
    assert _run(store, "SELECT * FROM range(100001)", limits=more).table.num_rows == 100_001


def test_a_hunt_ends_in_time_and_within_its_memory(store: Store) -> None:
    with pytest.raises(Stale, match="stopped") as caught:
        _run(store, "SELECT sum(range) FROM range(1000000000000)", limits=Limits(seconds=0.5))
    assert (
        "0 s" in caught.value.why or "seconds" in caught.value.why or "ran for" in caught.value.why
    )
    little = Limits(memory=64 << 20, spill=1 << 20, threads=1)
    with pytest.raises(Stale, match="stopped") as caught:
        _run(store, "SELECT list(range) FROM range(100000000) GROUP BY range % 1000", limits=little)
    assert "memory" in caught.value.why


def test_k1_hunts_that_run_while_days_are_compacted_give_equal_answers(store: Store) -> None:
    for i in range(12):
        store.write(audit_events(50, start=50 * i))
    sql = "SELECT action, count(*), sum(api_code)::BIGINT FROM audit GROUP BY 1 ORDER BY 1"
    expected = _run(store, sql).table
    found: list[Any] = []
    failed: list[BaseException] = []
    ended = threading.Event()

    def ask() -> None:
        try:
            while not ended.is_set():
                found.append(_run(store, sql))
        except BaseException as error:
            failed.append(error)

    hunters = [threading.Thread(target=ask) for _ in range(2)]
    for hunter in hunters:
        hunter.start()
    try:
        for i in range(12, 18):
            compact(store.state, store.lake, "me")
            retain.sweep(store.state, store.files, sealed=False)  # nothing is a day old
            store.write(audit_events(1, start=50 * i, kind="file"), "file")
    finally:
        ended.set()
        for hunter in hunters:
            hunter.join(60)
    assert not failed
    assert len(found) >= 2
    assert all(answer.table.equals(expected) and not answer.unassessed for answer in found)
    assert _run(store, sql).read == 1


def test_nothing_is_left_behind(store: Store) -> None:
    import tempfile

    before = set(os.listdir(tempfile.gettempdir()))
    store.write(audit_events(10))
    _run(store, "SELECT * FROM audit")
    left = set(os.listdir(tempfile.gettempdir())) - before
    assert not [name for name in left if name.startswith("martello-hunt-")]
    assert pq.read_table(store.path(segments.find(store.state)[0].columns_file)).num_rows == 10
