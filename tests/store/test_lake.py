"""The lake and its catalogue: layout, roots that depend on nothing but the events, commits."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.lake import DAY, NAME, NOON, SECOND, Store, audit_event, audit_events

from martello.adapters import batch
from martello.core.errors import BadInput, MartelloError, Unreachable
from martello.store import canonical, merkle, segments
from martello.store.files import LocalFiles, open_files
from martello.store.frames import Frame
from martello.store.intake import Intake
from martello.store.lake import EVENTS, Lake, schema, shape
from martello.store.recent import Recent
from martello.store.spool import Spool


def test_l1_l2_l3_a_segment_is_two_files_of_one_kind_cluster_and_day(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        events = audit_events(40, time=None) + audit_events(10, seed=2, cluster="prod-us")
        for i, event in enumerate(events[:40]):
            event["time"] = NOON + DAY // 2 + (i % 2 * 2 - 1) * (i + 1) * SECOND  # about midnight
        written = store.write(events)
        places = [(one.cluster, one.day, one.rows) for one in written]
        assert places == [
            ("prod", "2026-08-01", 20),
            ("prod", "2026-08-02", 20),
            ("prod-us", "2026-08-01", 10),
        ]
        for one in written:
            below = f"kind=audit/cluster={one.cluster}/day={one.day}/{one.id}-"
            assert one.columns_file == f"events/{below}{one.columns_hash[:16]}.parquet"
            assert one.raw_file == f"raw/{below}{one.raw_hash[:16]}.parquet"
            rows = pq.read_table(store.path(one.columns_file), partitioning=None)
            assert rows["time"].to_pylist() == sorted(rows["time"].to_pylist())
            assert "raw" not in rows.column_names
            assert pc.unique(rows["o_seg"]).to_pylist() == [one.id]
            raw = pq.read_table(store.path(one.raw_file), partitioning=None)
            assert raw.column_names == ["o_seg", "o_pos", "raw"]
            assert raw["o_pos"].to_pylist() == rows["o_pos"].to_pylist() == list(range(one.rows))
            assert one.shape == shape(schema("audit"))
            assert rows.column_names == schema("audit").names
            footer = pq.ParquetFile(store.path(one.columns_file)).metadata.row_group(0).column(0)
            assert footer.is_stats_set
            assert footer.has_column_index
            assert footer.compression == "ZSTD"
        for path in (tmp_path / "lake").rglob("*"):
            assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_l3_the_same_place_and_events_give_the_same_bytes(tmp_path: Path) -> None:
    table = batch.table("audit", audit_events(30))
    lakes = [Lake(LocalFiles(tmp_path / name)) for name in "ab"]
    one, other = (lake.write("audit", table, NAME.key, 0, 30) for lake in lakes)
    assert one == other
    (further,) = lakes[0].write("audit", table, NAME.key, 30, 60)
    assert further.id != one[0].id
    assert further.columns_root == one[0].columns_root


def test_l6_a_cluster_has_a_name_for_a_directory(tmp_path: Path) -> None:
    lake = Lake(LocalFiles(tmp_path))
    for name in ("", "../x", "Prod", "a/b", "a" * 64):
        table = batch.table("audit", audit_events(1, cluster=name))
        with pytest.raises(BadInput):
            lake.write("audit", table, NAME.key, 0, 1)
    assert list(tmp_path.rglob("*.parquet")) == []


def test_an_absurd_time_is_stored_by_when_it_was_seen(tmp_path: Path) -> None:
    events = audit_events(4)
    del events[1]["time"]
    events[2]["time"] = NOON + 400 * DAY
    del events[3]["time"], events[3]["seen"]
    with Store(tmp_path) as store:
        written = store.write(events)
        assert [(one.day, one.rows) for one in written] == [("1970-01-01", 1), ("2026-08-01", 3)]
        rows = batch.events(store.lake.read(written[1].columns_file))
    by_id = {row["id"]: row for row in rows}
    assert "flags" not in by_id[events[0]["id"]]
    for i in (1, 2):
        assert by_id[events[i]["id"]]["time"] == events[i]["seen"]
        assert by_id[events[i]["id"]]["flags"] == ["clock"]


def _told(table: pa.Table) -> dict[str, pa.ChunkedArray]:
    """The columns but raw, times as numbers."""
    return {
        name: table[name].cast(pa.int64()) if name in ("time", "seen") else table[name]
        for name in table.column_names
        if name != "raw"
    }


_TEXTS = st.text(max_size=6)
_EVENT = st.fixed_dictionaries(
    {"id": _TEXTS, "time": st.integers(0, 10**18), "raw": _TEXTS},
    optional={
        "action": _TEXTS,
        "api_code": st.integers(-(2**63), 2**63 - 1),
        "actor_groups": st.lists(st.none() | _TEXTS, max_size=3),
        "spec_uid": st.lists(st.none() | st.integers(-5, 5), max_size=3),
        "spec_privileged": st.lists(st.none() | st.booleans(), max_size=3),
        "spec_host_pid": st.booleans(),
        "api_annotations": st.dictionaries(_TEXTS, _TEXTS, max_size=2),
    },
)


@given(st.lists(_EVENT, min_size=1, max_size=6), st.lists(_EVENT, min_size=1, max_size=6))
def test_two_lists_of_events_have_one_root_only_if_they_are_equal(
    one: list[dict[str, Any]], other: list[dict[str, Any]]
) -> None:
    tables = [batch.table("audit", events) for events in (one, other)]
    same = [
        [(name, values.to_pylist()) for name, values in _told(table).items()] for table in tables
    ]
    roots = [canonical.column_leaves(table).root for table in tables]
    assert (roots[0] == roots[1]) == (same[0] == same[1])


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("actor_groups", [["a"], ["a", "b"], ["ab"], [], None, [None], ["-"], [""]]),
        ("spec_uid", [[1], [1, 2], [12], [], None, [None]]),
        ("spec_privileged", [[True], [False], [], None, [None], [True, None]]),
        ("api_annotations", [{"a": "b"}, {"a": "b", "c": "d"}, {"ab": ""}, {"": "ab"}, {}, None]),
        ("action", ["a", "", None, "ab", "a\0"]),
        ("spec_host_pid", [True, False, None]),
        ("api_code", [0, 1, -1, None]),
    ],
)
def test_values_that_differ_are_sealed_differently(column: str, values: list[Any]) -> None:
    roots = set()
    for value in values:
        other = {"id": "x", "actor_groups": ["x"], "spec_uid": [9], "spec_privileged": [True]}
        filled = {**other, "api_annotations": {"x": "y"}, "action": "x", "spec_host_pid": True}
        events = [{**filled, "api_code": 7}, {"id": "y", column: value}]
        roots.add(canonical.column_leaves(batch.table("audit", events)).root)
    assert len(roots) == len(values)


@given(st.lists(_EVENT, min_size=2, max_size=8), st.integers(0, 7))
def test_a_root_knows_nothing_of_chunks_slices_and_further_columns(
    events: list[dict[str, Any]], at: int
) -> None:
    table = batch.table("audit", events)
    root = canonical.column_leaves(table).root
    parts = pa.concat_tables([table.slice(0, at), table.slice(at)])
    assert canonical.column_leaves(parts).root == root
    around = pa.concat_tables([table, table, table]).combine_chunks()
    assert canonical.column_leaves(around.slice(len(events), len(events))).root == root
    wider = table.append_column("new", pa.nulls(len(events), pa.string()))
    assert canonical.column_leaves(wider.select(wider.column_names[::-1])).root == root


def test_a_sealed_row_is_read_back() -> None:
    table = batch.table("audit", [audit_event(1)])
    names = canonical.sealed_names(table)
    row = canonical.row_bytes(table, names)[0].as_py()
    found = canonical.parse_row(row[1:], names)
    assert found["actor_user"].decode() == table["actor_user"][0].as_py()
    assert int.from_bytes(found["api_code"], "little") == table["api_code"][0].as_py()
    assert merkle.leaf(row[1:]) == canonical.column_leaves(table).rows[0]


@given(st.lists(st.binary(max_size=3), max_size=40))
def test_merkle_trees_are_those_of_rfc_6962(contents: list[bytes]) -> None:
    def naive(leaves: list[bytes]) -> bytes:
        import hashlib

        if len(leaves) < 2:
            return leaves[0] if leaves else hashlib.sha256(b"").digest()
        k = 1
        while k * 2 < len(leaves):
            k *= 2
        pair = naive(leaves[:k]) + naive(leaves[k:])
        return hashlib.sha256(b"\1" + pair).digest()

    leaves = [merkle.leaf(content) for content in contents]
    root = naive(leaves)
    assert merkle.root(leaves) == root
    half = len(leaves) // 2
    assert merkle.root_of(merkle.grown(merkle.grown([], leaves[:half]), leaves[half:])) == root
    for i, leaf in enumerate(leaves):
        path = merkle.proof(leaves, i)
        assert merkle.proved(leaf, i, len(leaves), path) == root
        assert merkle.proved(leaf, i, len(leaves), [*path, leaf]) is None
        if path:
            assert merkle.proved(leaf, i, len(leaves), path[:-1]) is None
            assert merkle.proved(merkle.leaf(b"other"), i, len(leaves), path) != root


def test_a_source_is_committed_with_its_segments_or_not_at_all(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        before = store.mine
        written = store.write(audit_events(5))
        assert segments.counts(store.state) == (1, 5)
        assert segments.find(store.state) == written
        late = store.lake.write("audit", batch.table("audit", audit_events(9)), NAME.key, 0, 9)
        assert segments.commit(store.state, before, 9, late) is None  # it is not at 0 any more
        assert segments.find(store.state) == written
        assert store.mine.committed == 5
        with pytest.raises(BadInput, match="cannot go back"):
            segments.commit(store.state, store.mine, 4, [])


def test_w1_an_old_epoch_commits_nothing(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        with pytest.raises(Unreachable, match="another writer"):
            segments.own(store.state, NAME, "other", 60)
        segments.release(store.state, store.mine)
        theirs = segments.own(store.state, NAME, "other", 60)
        assert theirs.epoch == store.mine.epoch + 1
        written = store.lake.write("audit", batch.table("audit", audit_events(9)), NAME.key, 0, 9)
        assert segments.commit(store.state, store.mine, 9, written) is None
        assert segments.renew(store.state, store.mine, 60) is None
        assert segments.commit(store.state, theirs, 9, written) is not None


def test_a2_what_a_reader_notes_is_committed_with_its_position(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        mark = '{"device":1,"inode":2,"head":"ab"}'
        assert segments.commit(store.state, store.mine, 100, [], mark) is not None
        segments.release(store.state, store.mine)
        again = segments.own(store.state, NAME, "next", 60)
        assert (again.committed, again.mark) == (100, mark)


def test_segments_are_found_by_kind_cluster_and_time(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        first = store.write(audit_events(10))
        second = store.write(audit_events(10, start=100, cluster="prod-us"))
        third = store.write([{**audit_event(200), "kind": "file"}], "file")
        at = NOON // 1000
        find = segments.find
        assert find(store.state) == (*first, *second, *third)
        assert find(store.state, ["audit"]) == (*first, *second)
        assert find(store.state, clusters=["prod-us"]) == second
        assert find(store.state, since=at + 10_000_000) == (*second, *third)
        assert find(store.state, until=at + 100_000_000) == first
        assert find(store.state, until=at) == ()


def test_a6_a_second_copy_is_marked_once_the_first_is_committed(tmp_path: Path) -> None:
    clock = [0.0]
    lake = Lake(LocalFiles(tmp_path), Recent(lambda: clock[0]))
    table = batch.table("audit", [*audit_events(3), audit_event(1)])

    def marks() -> list[bool]:
        (one,) = lake.write("audit", table, NAME.key, 0, 4)
        found = lake.read(one.columns_file).sort_by("o_pos")["o_dup"].to_pylist()
        assert isinstance(found, list)
        return found

    assert sorted(marks()) == [False, False, False, True]
    assert sorted(marks()) == [False, False, False, True]  # it was not committed: no copy of itself
    lake.recent.keep("audit", table["id"].to_pylist())
    assert marks() == [True] * 4
    clock[0] = 899.0
    assert marks() == [True] * 4
    clock[0] = 2000.0
    assert sorted(marks()) == [False, False, False, True]


def _decode(frames: Any) -> dict[str, pa.Table]:
    found: dict[str, list[dict[str, Any]]] = {}
    for frame in frames:
        for number in frame.body.decode().split():
            kind = "file" if int(number) % 5 == 0 else "audit"
            found.setdefault(kind, []).append(audit_event(int(number), kind=kind))
    return {kind: batch.table(kind, events) for kind, events in found.items()}


def test_the_intake_writes_whole_frames_once(tmp_path: Path) -> None:
    with Store(tmp_path) as store, Spool(tmp_path / "spool") as spool:
        name = segments.Name("prod", "mixed", "one")
        intake = Intake(store.state, store.lake, spool, name, "me")
        assert intake.flush(_decode) == ()
        spool.append(name.key, b"1 2 3")
        spool.append(name.key, b"4 5 6 7")
        written = intake.flush(_decode)
        assert written is not None
        assert [(one.kind, one.rows) for one in written] == [("audit", 6), ("file", 1)]
        assert intake.flush(_decode) == ()
        assert spool.read(name.key, 0) == []
        spool.append(name.key, b"8")
        segments.release(store.state, intake.mine)
        other = segments.own(store.state, name, "other", 60)
        assert intake.flush(_decode) is None  # the loser stops
        assert segments.counts(store.state) == (2, 7)
        assert other.committed == intake.mine.committed
        assert isinstance(spool.read(name.key, 0)[0], Frame)


def test_other_places_are_refused(tmp_path: Path) -> None:
    assert open_files(f"file://{tmp_path}").where == tmp_path.as_uri()
    for url in ("", "lake", "http://h/x", "s3://bucket/x?key=hunter2", "file://elsewhere/x"):
        with pytest.raises(BadInput) as caught:
            open_files(url)
        assert "hunter2" not in str(caught.value)
    files = LocalFiles(tmp_path)
    for path in ("../x", "/etc/passwd", "a/../../x", "a//b", "", "a b"):
        with pytest.raises(BadInput):
            files.put(path, b"")


def test_a4_a_file_appears_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    files = LocalFiles(tmp_path)
    files.put("a/b/c.parquet", b"one")
    calls: list[str] = []
    real, rename = os.fsync, os.replace

    def synced(handle: int) -> None:
        calls.append("fsync")
        real(handle)

    def renamed(old: Path, new: Path) -> None:
        calls.append("rename")
        rename(old, new)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    files.put("a/b/d.parquet", b"two")
    assert calls == ["fsync", "rename", "fsync"]

    def broken(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(MartelloError) as caught:
        files.put("a/b/e.parquet", b"three")
    assert caught.value.why == "the disk is full"
    assert [path for path, _, _ in files.under("a")] == ["a/b/c.parquet", "a/b/d.parquet"]
    assert Path(tmp_path / EVENTS).exists() is False
