"""What is read in bulk is what the scalar reader makes of each event, hostile ones included."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.support.monitor.hostile import benign, line

from martello.adapters import batch
from martello.adapters.audit import bulk
from martello.adapters.audit.columns import Origin, read

ORIGIN = Origin(b"key", "prod", "log", 1_800_000_000_000_000_000)
ROUNDS = int(os.environ.get("MARTELLO_ROUNDS", "1"))
CORPORA = os.environ.get("MARTELLO_CORPORA")


def plain(number: int) -> bytes:
    """A benign event as the API server writes it."""
    return json.dumps(benign(number), separators=(",", ":")).encode()


def one_by_one(lines: Iterable[bytes]) -> tuple[list[dict[str, Any]], int]:
    """The events of the scalar reader, and how many documents were none."""
    found = [one for text in lines for one in read(text, ORIGIN)]
    events = [one for one in found if isinstance(one, dict)]
    return events, len(found) - len(events)


@pytest.mark.parametrize("seed", range(6))
def test_bulk_is_the_scalar_reader_on_hostile_events(seed: int) -> None:
    random = Random(seed)
    for _ in range(ROUNDS):
        lines = [line(random, number) for number in range(700)]
        found = bulk.read(b"\n".join(lines), ORIGIN)
        events, faults = one_by_one(lines)
        assert len(found.faults) == faults
        for got, wanted in zip(batch.events(found.rows), events, strict=True):
            assert got == wanted
        assert 60 < found.plain < len(lines)


@pytest.mark.parametrize("seed", range(3))
def test_a_list_is_its_events(seed: int) -> None:
    random = Random(seed)
    lines = [json.dumps(benign(number)).encode() for number in range(5)]
    lines += [plain(9), b'{"verb":7}', b"7"]
    random.shuffle(lines)
    events, faults = one_by_one(lines)
    joined = b",".join(lines)
    for data in (b"[" + joined + b"]", b'{"kind":"EventList","items":[' + joined + b"]}"):
        found = bulk.read(data, ORIGIN)
        assert (batch.events(found.rows), len(found.faults)) == (events, faults)


@pytest.mark.parametrize(
    "data", [b"", b"\n \n", b"{}", b"7", b"[]", b'{"kind":"EventList","items":[]}', b"\xff\xfe"]
)
def test_nothing_is_no_error(data: bytes) -> None:
    assert bulk.read(data, ORIGIN).rows.num_rows == 0


def test_a_document_over_several_lines_is_read() -> None:
    data = json.dumps({"kind": "EventList", "items": [benign(1)]}, indent=1).encode()
    assert bulk.read(data, ORIGIN).rows["api_id"].to_pylist() == ["id-1"]
    assert bulk.read(json.dumps(benign(2), indent=1).encode(), ORIGIN).rows.num_rows == 1


def test_a_hostile_event_never_costs_its_batch() -> None:
    bombs = [
        b'{"verb":"get","user":{},"requestObject":' + b"[" * 9000 + b"]" * 9000 + b"}",
        b'{"verb":"get","user":{"username":"\\ud800"}}',
        b'{"verb":"get","user":{"username":"\xff"}}',
        b'{"verb":"get","user":{"username":"\\u0000"},"x":1e999}',
        b'{"verb":"get","verb":"create","user":{}}',
        b'{"verb":["get"],"user":{}}',
        b"{",
    ]
    lines = [plain(0), *bombs, plain(1)]
    found = bulk.read(b"\n".join(lines), ORIGIN)
    assert found.plain == 2
    assert [one.document for one in found.faults] == [6, 7]
    told = found.rows["flags"].to_pylist()
    assert [flags and flags[0] for flags in told] == [
        None,
        "partial",
        "bad_utf8",
        "bad_utf8",
        "partial",
        "duplicate_key",
        None,
    ]
    assert found.rows["action"].to_pylist()[5] == "create"


def test_order_and_ids_do_not_hang_on_how_events_are_cut() -> None:
    random = Random(1)
    lines = [line(random, number) for number in range(900)]
    whole = bulk.read(b"\n".join(lines), ORIGIN).rows["id"].to_pylist()
    parts: list[str] = []
    for begin in range(0, len(lines), 70):
        parts += bulk.read(b"\n".join(lines[begin : begin + 70]), ORIGIN).rows["id"].to_pylist()
    assert parts == whole


def test_no_text_is_written_shorter_than_the_encoder_writes_it() -> None:
    """What the proof of plain events stands on: no escape is longer than any way to say it."""
    import msgspec

    for point in [*range(0x300), 0x2028, 0xFFFD, 0x1F600]:
        shortest = min(
            len(way)
            for way in (
                json.dumps(chr(point)).encode(),
                json.dumps(chr(point), ensure_ascii=False).encode(),
            )
        )
        assert len(msgspec.json.encode(chr(point))) <= shortest, hex(point)


def _same(lines: list[bytes]) -> int:
    """Asserts that both readers say the same; how many needed no scalar reader."""
    found = bulk.read(b"\n".join(lines), ORIGIN)
    assert batch.events(found.rows) == one_by_one(lines)[0]
    return found.plain


def test_the_escapes_of_the_api_server_are_plain() -> None:
    uri = rb"/api/v1/pods?watch=true\u0026limit=5\u003c\u003e"
    wanted = plain(1).replace(b"/api/v1/namespaces/a/pods/web", uri)
    assert _same([plain(0), wanted, plain(2)]) == 3


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"bob"', rb'"b\\u0026b","":1'),  # five bytes for what only looks like an escape
        (b'"bob"', rb'"b\u005cu0026","":1'),
        (b'"bob"', rb'"b\u0026b\\","":1'),
        (b'"bob"', rb'"b\u0026b","":1'),
        (b'"bob"', rb'"b\u0062","":1'),
        (b'"verb":"get"', rb'"verb":"get","":1,"requestObject":{"a":"\u0026"}'),
        (
            b'"verb":"get"',
            rb'"verb":"get","":1,"requestObject":{"a":"\u0026"},"userAgent":"\u005c"',
        ),
        (b'"verb":"get"', rb'"verb":"get","requestObject":{"a":1e5,"":1}'),
        (b'"verb":"get"', rb'"verb":"get","requestObject":{"a":1e5,"a":1}'),
        (b'"verb":"get"', rb'"verb":"get","requestObject":{"kind":"\u0053ecret","data":{"a":"b"}}'),
        (b'"verb":"get"', rb'"verb":"get","requestObject":{"kind":"Secret","data":{"a":"b"}}'),
        (b'"verb":"get"', rb'"verb":"get","responseObject":{"status":{"token":"b"}}'),
        (b'"verb":"get"', rb'"verb":"get","requestObject":null'),
        (b'"verb":"get"', b'"verb":"get","requestObject":' + b"[" * 120 + b"]" * 120),
    ],
)
def test_nothing_hides_behind_an_escape_or_in_a_body(old: bytes, new: bytes) -> None:
    forged = plain(1).replace(old, new)
    assert forged != plain(1)
    _same([plain(0), forged, plain(2)])
    found = bulk.read(forged, ORIGIN)
    if b'"":1' in new and b"Object" not in new:
        assert not found.plain


def test_a_document_of_two_lines_and_two_of_one_are_not_taken_for_each_other() -> None:
    data = plain(1) + plain(2) + b"\n" + plain(3).replace(b',"verb"', b'\n,"verb"')
    assert bulk.read(plain(0) + b"\n" + data, ORIGIN).rows["api_id"].to_pylist() == ["id-0"]


@pytest.mark.parametrize("kind", ["pods", "deployments", "roles", "secrets", "widgets"])
def test_bodies_are_read_in_columns(kind: str) -> None:
    pod = {"containers": [{"name": "c", "image": "i", "command": ["a", "b"]}], "hostPID": True}
    spec = pod if kind == "pods" else {"template": {"spec": pod}}
    lines = []
    for number in range(20):
        event = benign(number)
        event["level"], event["verb"] = "RequestResponse", "create"
        group = {"deployments": "apps", "roles": "rbac.authorization.k8s.io", "widgets": "x.io"}
        event["objectRef"] = {"resource": kind, "namespace": "a", "apiGroup": group.get(kind, "")}
        rules = [{"verbs": ["*"], "resources": ["secrets"]}]
        event["requestObject"] = {"metadata": {"generateName": "n-"}, "spec": spec, "rules": rules}
        event["responseObject"] = {"metadata": {"uid": f"u-{number}"}, "data": {"a": "secret"}}
        lines.append(json.dumps(event, separators=(",", ":")).encode())
    assert _same([plain(99), *lines]) == (1 if kind == "secrets" else 21)


@pytest.mark.corpus
@pytest.mark.skipif(CORPORA is None, reason="no MARTELLO_CORPORA")
@pytest.mark.parametrize("name", ["audit-benign/events.jsonl.gz", "falco-audit/cases.jsonl"])
def test_bulk_is_the_scalar_reader_on_corpora(name: str) -> None:
    path = Path(CORPORA or "") / name
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    lines = data.split(b"\n")[:4000]
    if name.startswith("falco"):
        lines = [json.dumps(e).encode() for one in lines if one for e in json.loads(one)["events"]]
    lines = [one for one in lines if one]
    found = bulk.read(b"\n".join(lines), ORIGIN)
    assert batch.events(found.rows) == one_by_one(lines)[0]
