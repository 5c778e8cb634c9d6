"""Audit logs in batches: whatever is between the events, those that are there are read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from martello.adapters.audit import batches
from martello.adapters.audit.batches import AuditBatches
from martello.adapters.audit.columns import Origin
from martello.core.errors import BadInput


def event(number: int) -> dict[str, object]:
    """One audit event."""
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": f"{number:04}",
        "stage": "ResponseComplete",
        "verb": "get",
        "requestURI": "/api/v1/pods",
        "user": {"username": "alice"},
        "stageTimestamp": "2026-11-29T06:00:00.000000Z",
    }


def ids(path: Path) -> tuple[list[str], AuditBatches]:
    """The audit ids of a file, and what was read."""
    reading = AuditBatches([str(path)], Origin(b"k" * 32))
    return [one for rows in reading for one in rows["api_id"].to_pylist()], reading


def test_events_are_the_same_however_many_bytes_are_read_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "audit.log"
    log.write_text("".join(json.dumps(event(n)) + "\n" for n in range(500)))
    expected = [f"{n:04}" for n in range(500)]
    for piece in (1, 700, 5_000, 8 << 20):
        monkeypatch.setattr(batches, "_PIECE", piece)
        assert ids(log)[0] == expected
    log.write_text(json.dumps([event(n) for n in range(20)], indent=2))
    assert ids(log)[0] == expected[:20]


def test_a_line_that_is_too_long_is_a_gap_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "_LINE", 3 << 20)
    monkeypatch.setattr(batches, "_WHOLE", 8 << 20)
    log = tmp_path / "audit.log"
    long = json.dumps({**event(7), "objectRef": {"name": "x" * (20 << 20)}})
    lines = [json.dumps(event(0)), long, json.dumps(event(1)), json.dumps(event(2))]
    log.write_text("\n".join(lines) + "\n")
    found, reading = ids(log)
    assert found == ["0000", "0001", "0002"]
    assert reading.gap_count == 1
    assert "a line is over 3 MiB" in reading.gaps[0].why
    held = max(sum(map(len, piece)) for piece in [[p] for p in reading._pieces(str(log), "x")])
    assert held <= 16 << 20


def test_one_value_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "_WHOLE", 1 << 20)
    log = tmp_path / "audit.json"
    log.write_text("[\n" + ",\n".join(json.dumps(event(n)) for n in range(9_000)) + "]")
    with pytest.raises(BadInput, match="cannot read"):
        ids(log)
