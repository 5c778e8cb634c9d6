"""Compaction and retention: equal answers, seals that hold, tiers, holds, what is swept when."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from sqlalchemy import update
from tests.store.test_seal import Sealed
from tests.support.lake import DAY, NOON, audit_event, audit_events

from martello.adapters import batch
from martello.core.alert import Alert
from martello.store import retain, segments
from martello.store.compact import compact, small_segments, unified
from martello.store.lake import Segment, schema
from martello.store.monitor_tables import segment
from martello.store.outbox import Outbox
from martello.store.retain import Hold, Tiers
from martello.store.upkeep import COMPACT, RETAIN, SEAL, Upkeep


@pytest.fixture
def store(tmp_path: Path) -> Sealed:
    return Sealed(tmp_path)


def _ids(store: Sealed, second: bool = False) -> list[str]:
    """The ids of all events that are shown (or hidden as second copies), sorted."""
    found: list[str] = []
    for one in segments.find(store.state):
        table = store.lake.read(one.columns_file, ["id", "o_dup"])
        pairs = zip(table["id"].to_pylist(), table["o_dup"].to_pylist(), strict=True)
        found += [id for id, marked in pairs if marked == second]
    return sorted(found)


def _age(store: Sealed, days: float, which: tuple[Segment, ...]) -> None:
    """As if events had happened so many days ago, by the database's clock."""
    from martello.store.state import now

    with store.state.writing() as connection:
        at = now(connection) - int(days * 86_400_000_000)
        values = {"first_at": at - 1, "last_at": at}
        ids = [one.id for one in which]
        connection.execute(update(segment).where(segment.c.id.in_(ids)).values(**values))


def test_k1_compaction_keeps_every_event_its_place_and_its_seal(store: Sealed) -> None:
    old = [one for i in range(6) for one in store.write(audit_events(20, start=20 * i))]
    store.write(audit_events(20, start=200, cluster="prod-us"))
    store.seal()
    before = _ids(store)
    assert small_segments(store.state) == 6
    done = compact(store.state, store.lake, "me")
    assert (done.before, done.after, done.rows, done.unread) == (6, 1, 120, ())
    assert _ids(store) == before
    assert small_segments(store.state) == 0
    (new, _) = segments.find(store.state)
    rows = store.lake.read(new.columns_file)
    assert rows["time"].to_pylist() == sorted(rows["time"].to_pylist())
    assert set(rows["o_seg"].to_pylist()) == {one.id for one in old} == set(new.origins)
    assert store.report().problems == ()  # not sealed yet: the old files are still there
    store.seal()
    assert retain.sweep(store.state, store.files).files == 0  # readers of the old list finish
    assert retain.sweep(store.state, store.files, grace=-1).files == 12
    report = store.report()
    assert report.problems == ()
    assert report.events == 140
    assert compact(store.state, store.lake, "me").before == 0


def test_k1_compacted_files_are_compacted_again(store: Sealed) -> None:
    for round in range(3):
        for i in range(3):
            store.write(audit_events(10, start=round * 100 + i * 10))
        compact(store.state, store.lake, "me")
        store.seal()
    (one,) = segments.find(store.state)
    assert len(one.origins) == 9
    retain.sweep(store.state, store.files, grace=-1)
    assert store.report().problems == ()
    path = store.path(one.columns_file)
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)
    assert {problem.segment for problem in store.report().problems} <= set(one.origins)
    assert store.report().problems


def test_compaction_does_not_launder_what_was_altered(store: Sealed) -> None:
    old = [one for i in range(3) for one in store.write(audit_events(10, start=10 * i))]
    store.seal()
    path = store.path(old[1].columns_file)
    table = pq.read_table(path, partitioning=None)
    at = table.column_names.index("actor_user")
    pq.write_table(table.set_column(at, "actor_user", pa.array(["nobody"] * 10)), path)
    done = compact(store.state, store.lake, "me")
    assert (done.before, done.after) == (2, 1)
    assert old[1].id in done.unread[0]
    store.seal()
    assert {problem.segment for problem in store.report().problems} == {old[1].id}


def test_a6_compaction_marks_the_copies_of_the_day(store: Sealed) -> None:
    for _ in range(3):
        store.write(audit_events(10))
        store.lake.recent = type(store.lake.recent)()  # as if written by three processes
    assert len(_ids(store)) == 30
    compact(store.state, store.lake, "me")
    assert _ids(store) == [audit_event(i)["id"] for i in range(10)]
    assert len(_ids(store, second=True)) == 20
    store.seal()
    assert store.report().problems == ()


def test_compaction_that_retention_overtakes_changes_nothing(
    store: Sealed, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tuple(one for i in range(3) for one in store.write(audit_events(10, start=10 * i)))
    _age(store, 1, old)
    real = store.lake.put

    def slow(*given: object) -> tuple[str, str, int]:
        _age(store, 100, old[:1])
        retain.retire(store.state, Tiers())
        return real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(store.lake, "put", slow)
    assert compact(store.state, store.lake, "me").before == 0
    assert {one.id for one in segments.find(store.state)} == {one.id for one in old[1:]}


def test_l5_an_older_shape_gets_the_columns_of_today() -> None:
    table = batch.table("audit", audit_events(3)).drop_columns(["raw", "api_uri"])
    table = table.append_column("later", pa.array(["x", None, "y"]))
    found = unified(table, "audit")
    assert found["api_uri"].null_count == 3
    assert found.column_names[-1] == "later"
    assert found.select(schema("audit").names).schema.equals(schema("audit"))


def test_k2_tiers_go_one_after_the_other_and_a_signed_entry_says_so(store: Sealed) -> None:
    young, middle, old = (store.write(audit_events(10, start=10 * i)) for i in range(3))
    gap = store.write([{**audit_event(50), "kind": "gap"}], "gap")
    store.seal()
    _age(store, 13, young)
    _age(store, 20, middle)
    _age(store, 91, (*old, *gap))
    told = retain.retire(store.state, Tiers())
    assert (told.columns, told.raw) == (1, 2)  # the gap's raw is old too, its columns stay
    with_columns = {one.id for one in segments.find(store.state)}
    assert with_columns == {young[0].id, middle[0].id, gap[0].id}
    assert retain.sweep(store.state, store.files, grace=-1).files == 0  # nobody has signed it
    store.seal()
    assert retain.sweep(store.state, store.files, grace=-1).files == 4
    report = store.report()
    assert report.problems == ()
    assert report.retired == 1
    assert store.path(young[0].raw_file).exists()
    assert not store.path(middle[0].raw_file).exists()
    assert store.path(middle[0].columns_file).exists()
    _age(store, 366, gap)
    assert retain.retire(store.state, Tiers()).columns == 1


def test_k2_absent_is_not_retired(store: Sealed) -> None:
    one = store.write(audit_events(10))
    store.seal()
    _age(store, 91, one)
    retain.retire(store.state, Tiers())
    store.path(one[0].columns_file).unlink()  # before anybody has signed that it may go
    assert {problem.what for problem in store.report().problems} == {"dropped"}
    store.seal()
    assert store.report().problems == ()


def test_k2_a_cluster_has_tiers_of_its_own_and_a_hold_keeps_all(store: Sealed) -> None:
    one = store.write(audit_events(10))
    other = store.write(audit_events(10, start=10, cluster="prod-us"))
    _age(store, 40, (*one, *other))
    own = {"prod-us": Tiers(raw=7, columns=30)}
    at = NOON // 1000
    retain.keep(store.state, Hold("run-7", "", at - 10**15, at + 10**15, "the court asks"))
    assert retain.retire(store.state, Tiers(), own) == retain.Retired(0, 0, 0)
    assert [held.run for held in retain.holds(store.state)] == ["run-7"]
    assert retain.let_go(store.state, "run-7")
    assert not retain.let_go(store.state, "run-7")
    told = retain.retire(store.state, Tiers(), own)
    assert (told.columns, told.raw) == (1, 1)
    assert segments.find(store.state)[0].id == one[0].id


def test_old_alerts_go_unless_they_wait_to_be_delivered(store: Sealed) -> None:
    outbox = Outbox(store.state)
    old = NOON - 400 * DAY
    alerts = [
        Alert(name, "MON-100", "h", "high", "t", "s", {}, first, first)
        for name, first in (("old", old), ("waiting", old), ("new", NOON))
    ]
    outbox.put([alerts[0], alerts[2]], [])
    outbox.put([alerts[1]], ["slack"])
    assert retain.retire(store.state, Tiers(alerts=365)).alerts == 1
    assert {one.id for one in outbox.alerts()} == {"waiting", "new"}


def test_a5_orphans_go_after_a_day_and_never_earlier(store: Sealed) -> None:
    store.write(audit_events(10))
    table = batch.table("audit", audit_events(5))
    (orphan,) = store.lake.write("audit", table, "prod/audit/other", 0, 5)
    part = store.path(orphan.columns_file).with_name(".x.part")
    part.write_bytes(b"half")
    assert retain.orphans(store.state, store.files) == ()
    assert retain.sweep(store.state, store.files).orphans == 0
    for path in (store.path(orphan.columns_file), part):
        os.utime(path, (1, 1))
    assert len(retain.orphans(store.state, store.files)) == 2
    assert retain.sweep(store.state, store.files).orphans == 2
    assert len(_ids(store)) == 10
    assert store.path(orphan.raw_file).exists()


def test_upkeep_seals_compacts_and_retains_when_it_is_time(store: Sealed) -> None:
    upkeep = Upkeep(store.state, store.lake, store.key, "me", store.witness)
    old = tuple(one for i in range(9) for one in store.write(audit_events(5, start=5 * i)))
    _age(store, 1, old)
    assert upkeep.tick(0.0).did == ("checkpoint 1",)
    assert upkeep.tick(SEAL - 1).did == ()
    assert upkeep.tick(SEAL).did == ()  # nothing has changed
    assert upkeep.tick(COMPACT).did == ("compacted 9 segments into 1", "checkpoint 2")
    _age(store, 100, segments.find(store.state))
    assert upkeep.tick(RETAIN).did == ("retired 1 segments, deleted 0 files",)
    assert [line.n for line in store.witness.read()] == [1, 2, 3]
    assert store.report().problems == ()
    store.write(audit_events(5, start=100))
    store.key = None  # type: ignore[assignment]
    store.witness.path.unlink()
    store.witness.path.mkdir()
    told = upkeep.tick(RETAIN + SEAL)
    assert told.did == ()
    assert told.failed[0].startswith("seal: cannot")
