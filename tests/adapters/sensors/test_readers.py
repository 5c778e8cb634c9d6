"""What all readers of lines have in common: any bytes are an event, a gap or nothing; nothing is
lost silently; ids come of the content.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.events import events_of, judged

from martello.adapters.sensors import (
    auditd,
    cri,
    events,
    falco,
    hubble,
    kmsg,
    ndjson,
    otlp,
    tetragon,
)
from martello.adapters.sensors.shape import LONGEST, Event, NotRead
from martello.core.event import Gap

SEEN = 1_800_000_000_000_000_000
Read = Callable[[Iterable[bytes]], Iterable[Event | Gap]]
TETRAGON = {
    "process_exec": {"process": {"binary": "/bin/sh", "pid": 5, "arguments": "-c id"}},
    "time": "2026-01-01T00:00:00.5Z",
}
FALCO = {"rule": "r", "time": "2026-01-01T00:00:00Z", "output_fields": {"proc.name": "sh"}}
FLOW = {"flow": {"time": "2026-01-01T00:00:00Z", "IP": {"source": "1.1.1.1"}, "source": {}}}
OWN = {"kind": "file", "time": 1_700_000_000_000_000_000, "file_path": "/x"}
EVENT = {
    "metadata": {"uid": "u"},
    "involvedObject": {"kind": "Pod", "name": "p"},
    "reason": "Killing",
}


def encoded(raw: object) -> bytes:
    return json.dumps(raw).encode()


READERS: dict[str, tuple[Read, bytes]] = {
    "tetragon": (
        lambda parts: tetragon.Reader().read(parts, "t", SEEN),
        encoded(TETRAGON),
    ),
    "falco": (lambda parts: falco.read(parts, "f", SEEN), encoded(FALCO)),
    "hubble": (lambda parts: hubble.read(parts, "h", SEEN), encoded(FLOW)),
    "ndjson": (lambda parts: ndjson.read(parts, "n", SEEN), encoded(OWN)),
    "events": (lambda parts: events.read(parts, "e", SEEN), encoded(EVENT)),
    "cri": (
        lambda parts: cri.Log("/var/log/pods/n_p_u/c/0.log").read(parts, SEEN),
        b"2026-01-01T00:00:00Z stdout F hello",
    ),
    "auditd": (
        lambda parts: auditd.Reader().read(parts, "a", SEEN),
        b'type=EXECVE msg=audit(1700000000.123:7): argc=1 a0="id"',
    ),
}
each = pytest.mark.parametrize("name", READERS)


def read(name: str, *parts: bytes) -> list[Event | Gap]:
    found = list(READERS[name][0](parts))
    events_of(found)
    return found


@each
def test_a_good_line_is_an_event(name: str) -> None:
    found = read(name, READERS[name][1] + b"\n")
    assert len(found) == 1
    assert not isinstance(found[0], Gap)


@each
def test_e1_ids_survive_another_chunking(name: str) -> None:
    line = READERS[name][1] + b"\n"
    other = line.replace(b"2026-01-01T00", b"2026-01-01T01").replace(b":7)", b":8)")
    text = line + other + line.replace(b"id", b"ls")
    whole = events_of(read(name, text))
    for size in (1, 7, 64):
        parts = [text[at : at + size] for at in range(0, len(text), size)]
        assert [one["id"] for one in events_of(read(name, *parts))] == [one["id"] for one in whole]


@each
def test_what_cannot_be_read_is_a_gap_with_its_place(name: str) -> None:
    good = READERS[name][1] + b"\n"
    found = read(name, good + b"no such line\n" + good)
    gaps = [one for one in found if isinstance(one, Gap)]
    assert [(gap.offset, gap.size) for gap in gaps] == [(len(good), 13)]


@each
def test_a_huge_line_is_a_gap_and_the_next_is_read(name: str) -> None:
    good = READERS[name][1] + b"\n"
    found = read(name, *[b"x" * (1 << 20)] * 3, b"\n" + good)
    assert [isinstance(one, Gap) for one in found] == [True, False]
    assert isinstance(found[0], Gap)
    assert found[0].size == (3 << 20) + 1


@each
def test_wrong_bytes_are_flagged_or_a_gap(name: str) -> None:
    line = READERS[name][1].replace(b"hello", b"\xff\x01").replace(b'"id"', b'"\xff\x01"')
    line = line.replace(b"/bin/sh", b"/bin/\xff\x01").replace(b'"sh"', b'"\xff"')
    for one in events_of(read(name, line + b"\n")):
        assert name in ("hubble", "ndjson", "events", "tetragon") or "bad_utf8" in one["flags"]


@each
def test_deep_json_is_a_gap(name: str) -> None:
    deep = b'{"flow":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}"
    found = read(name, deep + b"\n")
    assert [type(one) for one in found] == [Gap]


@each
@given(text=st.binary(max_size=400))
def test_any_bytes(name: str, text: bytes) -> None:
    read(name, text)
    read(name, READERS[name][1][: len(text)] + text + b"\n")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


@pytest.mark.parametrize("name", ["tetragon", "falco", "hubble", "ndjson", "events"])
@given(value=VALUES, chosen=st.integers(0, 50))
def test_any_field_may_be_of_any_type(name: str, value: object, chosen: int) -> None:
    raw = json.loads(READERS[name][1])
    places = list(_places(raw))
    holder, key = places[chosen % len(places)]
    holder[key] = value
    read(name, json.dumps(raw).encode() + b"\n")


def _places(raw: dict[str, object]) -> Iterable[tuple[dict[str, object], str]]:
    for key, value in raw.items():
        yield raw, key
        if isinstance(value, dict):
            yield from _places(value)


@given(text=st.binary(max_size=400))
def test_any_request_and_any_record_of_the_kernel(text: bytes) -> None:
    for kind in (True, False):
        try:
            for event in otlp.read(text, SEEN, json=kind):
                judged(event)
        except NotRead:
            pass
    try:
        for event in kmsg.Reader(boot=1).record(b"6,1,1,-;" + text, SEEN):
            judged(event)
    except NotRead:
        pass


def test_long_columns_are_cut_and_flagged() -> None:
    raw = {**TETRAGON, "node_name": "n"}
    raw["process_exec"] = {"process": {"binary": "/b", "arguments": "x" * 200_000}}
    event = events_of(read("tetragon", encoded(raw)))[0]
    assert event["flags"] == ["truncated"]
    assert len(event["proc_args"]) == 65_536
    assert len(event["raw"]) < LONGEST


def test_absurd_times_are_those_of_the_reader_and_flagged() -> None:
    for time in ("0001-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "yesterday", "", 5):
        event = events_of(read("falco", encoded({**FALCO, "time": time})))[0]
        assert (event["time"], event["flags"]) == (SEEN, ["clock"])
