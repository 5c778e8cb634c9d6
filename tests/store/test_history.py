"""Histories: in order of time, without second copies, with what was received; never less."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.lake import NOON, Store, audit_event, audit_events

from martello.adapters import batch
from martello.store.compact import compact
from martello.store.history import History

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
        history = History(store.state, store.lake, ["audit"], raw=raw)
        found = [event for table in history for event in batch.events(table)]
        assert found == _plain(events, raw)
        assert (history.events, history.bare, history.unread) == (60, 0, [])
        assert len(history.known) == (1 if compacted else 4)


def test_a_history_is_of_a_window(store: Store) -> None:
    store.write(audit_events(100))
    store.write(audit_events(5, kind="file"), "file")
    since, until = AT + 10_000_000, AT + 20_000_000
    tables = History(store.state, store.lake, ["audit"], since, until)
    ids = [event["id"] for table in tables for event in batch.events(table)]
    assert ids == [audit_event(i)["id"] for i in range(10, 20)]
    assert len(list(History(store.state, store.lake))) == 2


def test_what_cannot_be_read_is_told(store: Store) -> None:
    (one,) = store.write(audit_events(10))
    (other,) = store.write(audit_events(10, start=10))
    store.path(one.columns_file).write_bytes(b"PAR1")
    history = History(store.state, store.lake, raw=True)
    (good,) = history
    assert history.unread == [one.columns_file]
    assert (good.num_rows, history.bare) == (10, 0)
    store.path(other.raw_file).unlink()
    history = History(store.state, store.lake, raw=True)
    (good,) = history
    assert (good["raw"].null_count, history.bare) == (10, 1)
