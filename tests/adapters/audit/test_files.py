"""Files of audit events: every whole event is read, everything else is a gap with its place."""

from __future__ import annotations

import gzip
import json
import random
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from martello.adapters.audit.files import LONGEST, AuditReading, read_audit
from martello.core.errors import BadInput


def event(number: int, **more: Any) -> dict[str, Any]:
    """A small event that is told by its id."""
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "auditID": f"id-{number}",
        "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/a/pods",
        "verb": "list",
        "user": {"username": "bob", "groups": ["system:authenticated"]},
        "objectRef": {"resource": "pods", "namespace": "a", "apiVersion": "v1"},
        "responseStatus": {"code": 200},
        "stageTimestamp": "2026-11-01T10:00:00.5Z",
        **more,
    }


def read(data: bytes) -> tuple[AuditReading, list[str]]:
    """A reading of some bytes, and the ids that it gave."""
    reading = read_audit(["-"], stdin=BytesIO(data))
    return reading, [one.api_id for one in reading]


EVENTS = [event(number) for number in range(5)]
IDS = [one["auditID"] for one in EVENTS]
LINES = [json.dumps(one).encode() for one in EVENTS]
PLAIN = b"\n".join(LINES) + b"\n"
LIST = {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": EVENTS}


@pytest.mark.parametrize(
    "data",
    [
        PLAIN,
        PLAIN.rstrip(b"\n"),
        PLAIN.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + PLAIN,
        b"\n\n" + PLAIN.replace(b"\n", b"\n \n"),
        json.dumps(EVENTS).encode(),
        json.dumps(LIST).encode(),
        json.dumps(LIST, indent=2).encode(),
        json.dumps(EVENTS, indent=2).encode(),
        b"\n".join(json.dumps(one, indent=1).encode() for one in EVENTS),
        b"[\n" + b",\n".join(LINES) + b"\n]\n",
        b'{"kind":"EventList","items":[\n' + b",\n".join(LINES) + b"\n]}\n",
        gzip.compress(PLAIN, mtime=0),
        gzip.compress(PLAIN[:700], mtime=0) + gzip.compress(PLAIN[700:], mtime=0),
        PLAIN.replace(b"audit.k8s.io/v1", b"audit.k8s.io/v1beta1"),
    ],
)
def test_every_shape_of_a_log_is_read(data: bytes) -> None:
    reading, ids = read(data)
    assert ids == IDS
    assert reading.gaps == ()
    assert reading.events == 5


def test_a_half_last_line_is_a_gap_with_its_offset() -> None:
    data = PLAIN + LINES[0][:100]
    reading, ids = read(data)
    assert ids == IDS
    assert [(gap.offset, gap.size) for gap in reading.gaps] == [(len(PLAIN), 100)]
    assert "not finished" in reading.gaps[0].why


def test_a_half_line_between_whole_ones_costs_no_other() -> None:
    reading, ids = read(LINES[0] + b"\n" + LINES[1][:90] + b"\n" + LINES[2] + b"\n")
    assert ids == ["id-0", "id-2"]
    assert [(gap.offset, gap.size) for gap in reading.gaps] == [(len(LINES[0]) + 1, 91)]


@pytest.mark.parametrize(
    "bad",
    [
        b"no json",
        b"{} trailing",
        b"[" * 100_000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        b"\x00\x01",
        b'{"kind":"Pod"}',
        b"12",
        b'"text"',
        b"null",
        b'{"kind":"Event","verb":7}',
    ],
)
def test_what_is_no_event_is_a_gap(bad: bytes) -> None:
    reading, ids = read(LINES[0] + b"\n" + bad + b"\n" + LINES[1] + b"\n")
    assert ids == ["id-0", "id-1"]
    assert reading.gap_count >= 1
    assert reading.gaps[0].offset == len(LINES[0]) + 1


def test_a_damaged_archive_gives_what_comes_before() -> None:
    source = random.Random(4)
    many = [json.dumps(event(n, userAgent=source.randbytes(200).hex())) for n in range(3000)]
    packed = gzip.compress("\n".join(many).encode())
    reading, ids = read(packed[: len(packed) // 2])
    assert 0 < len(ids) < 3000
    assert ids == [f"id-{n}" for n in range(len(ids))]
    assert reading.gaps[-1].why == "the file is cut or damaged here"


def test_fields_of_wrong_types_are_left_out_and_flagged() -> None:
    odd = {"sourceIPs": "10.0.0.1", "annotations": {"a": 7}, "responseStatus": [], "level": 3}
    reading = read_audit(["-"], stdin=BytesIO(json.dumps(event(1, **odd)).encode()))
    (one,) = reading
    assert one.flags == ("partial",)
    assert (one.actor_user, one.actor_ips, one.api_code) == ("bob", (), 0)


def test_of_a_key_written_twice_the_last_counts() -> None:
    line = LINES[0].replace(b'"verb": "list"', b'"verb": "get", "verb": "delete"')
    (one,) = read_audit(["-"], stdin=BytesIO(line))
    assert one.api_verb == "delete"


def test_bytes_that_are_no_text_are_flagged() -> None:
    (one,) = read_audit(["-"], stdin=BytesIO(LINES[0].replace(b"bob", b"b\xffb")))
    assert one.flags == ("bad_utf8", "partial")
    assert one.actor_user == "b\ufffdb"


def test_a_request_object_may_be_an_array_or_anything() -> None:
    bodies: list[Any] = [[{"op": "add"}], "text", 5, None, {"deep": [[[]]]}]
    for body in bodies:
        (one,) = read_audit(["-"], stdin=BytesIO(json.dumps(event(1, requestObject=body)).encode()))
        assert one.flags == ()


def test_rotated_files_come_before_the_one_that_is_written(tmp_path: Path) -> None:
    (tmp_path / "audit.log").write_bytes(LINES[2])
    (tmp_path / "audit-2026-11-02T00-00-00.000.log.gz").write_bytes(gzip.compress(LINES[1]))
    (tmp_path / "audit-2026-11-01T00-00-00.000.log").write_bytes(LINES[0])
    assert [one.api_id for one in read_audit([str(tmp_path)])] == IDS[:3]
    pattern = str(tmp_path / "audit-*.gz")
    assert [one.api_id for one in read_audit([pattern])] == ["id-1"]


def test_a_file_that_is_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello\nworld\n")
    with pytest.raises(BadInput, match="no audit event"):
        list(read_audit([str(tmp_path / "notes.txt")]))
    with pytest.raises(BadInput, match="no such file"):
        read_audit([str(tmp_path / "nothing.log")])


def test_a_bomb_is_refused() -> None:
    line = b" " * (1 << 20)
    packed = gzip.compress(gzip.compress(line))  # of two layers only the outer is opened
    with pytest.raises(BadInput):
        list(read_audit(["-"], stdin=BytesIO(packed)))


def test_a_line_without_an_end_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("martello.adapters.audit.files.LONGEST", 1 << 16)
    reading, ids = read(LINES[0] + b"\n" + b"{" * (1 << 18) + b"\n" + LINES[1] + b"\n")
    assert ids == ["id-0", "id-1"]
    assert "MiB" in reading.gaps[0].why
    assert LONGEST == 64 << 20


@settings(max_examples=60)
@given(st.integers(0, len(PLAIN) - 1), st.integers(1, 40))
def test_bytes_that_are_missing_cost_at_most_the_events_they_touch(at: int, size: int) -> None:
    data = PLAIN[:at] + PLAIN[at + size :]
    reading = AuditReading(["-"], BytesIO(data))
    try:
        ids = [one.api_id for one in reading]
    except BadInput:
        ids = []
    first = PLAIN[:at].count(b"\n")
    last = PLAIN[: at + size].count(b"\n")
    untouched = {i for n, i in enumerate(IDS) if n < first or n > last}
    assert untouched <= set(ids)
