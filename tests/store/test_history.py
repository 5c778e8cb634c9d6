"""Histories: in order of time, without second copies, with what was received; never less."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.lake import NOON, Store, audit_event, audit_events

from martello.adapters import batch
from martello.store.compact import compact
from martello.store.history import history

AT = NOON // 1000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path) as opened:
        yield opened


def _plain(events: list[dict[str, object]], raw: bool) -> list[dict[str, object]]:
    told = batch.events(batch.table("audit", events))
    return [{n: v for n, v in e.items() if raw or n != "raw"} for e in told]


@pytest.mark.parametrize("compacted", [False, True])
def test_what_was_written_is_read_back_in_order(store: Store, compacted: bool) -> None:
    events = audit_events(60)
    for start in (20, 0, 40):
        store.write(events[start : start + 20])
    store.write(events[10:15])  # second copies
    if compacted:
        compact(store.state, store.lake, "me")
    for raw in (False, True):
        parts = list(history(store.state, store.lake, ["audit"], raw=raw))
        found = [event for part in parts for event in batch.events(part.table)]
        assert found == _plain(events, raw)
        assert len(parts) == (1 if compacted else 3)


def test_a_history_is_of_a_window(store: Store) -> None:
    store.write(audit_events(100))
    store.write(audit_events(5, kind="file"), "file")
    since, until = AT + 10_000_000, AT + 20_000_000
    parts = list(history(store.state, store.lake, ["audit"], since, until))
    ids = [event["id"] for part in parts for event in batch.events(part.table)]
    assert ids == [audit_event(i)["id"] for i in range(10, 20)]
    assert {part.segment.kind for part in history(store.state, store.lake)} == {"audit", "file"}


def test_what_cannot_be_read_is_told(store: Store) -> None:
    (one,) = store.write(audit_events(10))
    store.write(audit_events(10, start=10))
    store.path(one.columns_file).write_bytes(b"PAR1")
    bad, good = history(store.state, store.lake)
    assert bad.table is None
    assert "damaged" in bad.why
    assert good.table.num_rows == 10
    store.path(good.segment.raw_file).unlink()
    (_, without) = history(store.state, store.lake, raw=True)
    assert without.table["raw"].null_count == 10
