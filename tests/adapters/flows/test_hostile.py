"""Hostile lines: bounded, counted as bad, never a traceback, and nothing of them is echoed."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from typing import Any, cast

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.support.network.flowlines import read
from tests.support.network.flowsamples import SAMPLES

from martello.adapters.flows import ends
from martello.adapters.flows.detect import READERS, detect
from martello.adapters.flows.ends import BadLine, Read
from martello.adapters.flows.lines import LONGEST
from martello.adapters.flows.read import read_flows
from martello.core.flow import Flow

GOOD: dict[str, Any] = {
    "verdict": "FORWARDED",
    "IP": {"source": "10.0.1.1", "destination": "10.0.2.2"},
    "l4": {"TCP": {"source_port": 40000, "destination_port": 80}},
}


def ports(source: object, target: object) -> dict[str, Any]:
    return GOOD | {"l4": {"TCP": {"source_port": source, "destination_port": target}}}


@pytest.mark.parametrize(
    "line",
    [
        ports(1, 65536),
        ports(-1, 80),
        ports(1, 10**30),
        ports(1, 1.5),
        ports(1, "80"),
        GOOD | {"IP": {"source": "10.0.1.256", "destination": "10.0.2.2"}},
        GOOD | {"IP": {"source": "1" * 1000, "destination": "10.0.2.2"}},
        GOOD | {"source": {"pod_name": "a\x1b[31m"}},
        GOOD | {"source": {"pod_name": "a" * 254}},
        GOOD | {"destination_names": ["a\nb"]},
        GOOD | {"time": "yesterday"},
        GOOD | {"time": "99999-01-01T00:00:00Z"},
        json.dumps(GOOD).replace("40000", "NaN"),
        json.dumps(GOOD)[:-5],
        '{"flow":' * 100_000,
        '{"flow":{"verdict":1,"l7":' + "[" * 100_000,
        b'{"flow":"\xff\xfe"}',
        b"\0" * 1000,
        '{"flow":{"source":{"pod_name":"\\ud800"}}}',
    ],
)
def test_a_bad_line_of_hubble(line: dict[str, Any] | str | bytes) -> None:
    flows, found = read(GOOD, line, GOOD)
    assert (len(flows), found.lines, found.bad) == (2, 3, 1)
    assert found.first_bad[0].startswith("stdin:2: ")
    assert found.first_bad[0].isprintable()
    assert len(found.first_bad[0]) < 100


@pytest.mark.parametrize("field", ["num_flows_started", "dest_port", "start_time"])
@pytest.mark.parametrize("value", [-1, 10**18, 10**40, 1.5, True, [], {}, "x", "9" * 5000])
def test_numbers_that_cannot_be(field: str, value: object) -> None:
    log: dict[str, Any] = {
        "source_name_aggr": "a",
        "source_namespace": "n",
        "dest_name_aggr": "b",
        "proto": "tcp",
    }
    log |= {"dest_namespace": "n", "dest_port": 80}
    flows, found = read(log, log | {field: value})
    assert (len(flows), found.bad) == (1, 1)


class _Long:
    """A line of 100 MB between two good ones, made while it is read."""

    def __init__(self) -> None:
        self._parts = self._made()

    def _made(self) -> Iterator[bytes]:
        good = json.dumps(GOOD).encode() + b"\n"
        yield good
        for _ in range(400):
            yield b"[" * (1 << 18)
        yield b"\n" + good

    def read(self, size: int = -1) -> bytes:
        return next(self._parts, b"")


def test_a_line_of_100_mb_is_not_kept() -> None:
    found = read_flows(["-"], stdin=cast(Any, _Long()), max_bad=1)
    tracemalloc.start()
    try:
        flows = list(found)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (len(flows), found.bad, found.lines) == (2, 1, 3)
    assert found.first_bad == ("stdin:2: it is longer than 16 MiB",)
    assert most < 3 * LONGEST


def test_memory_does_not_grow_with_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ends, "_KEPT", 100)
    kept = ends.Ends()
    for number in range(1000):
        kept.peer(f"10.0.{number >> 8}.{number & 255}", pod=f"p{number}")
        kept.names([f"n{number}"])
    assert max(len(kept._peers), len(kept._addresses), len(kept._names)) <= 100


WORDS = (
    "",
    "-",
    "10.0.0.1",
    "fd00::1",
    "10.0.0.1:80",
    "a->b",
    "tcp",
    "6",
    "tcp_connect",
    "\x1b",
    "|||",
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from(WORDS),
    st.text(max_size=5),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("flow"), inner, max_size=1),
    max_leaves=4,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something lies within a sample."""
    inner: list[tuple[Any, Any]] = list(value.items()) if isinstance(value, dict) else []
    inner += enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, one in inner for found in places(one, (*path, key)))]


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """The sample with something else there."""
    if not path:
        return new
    copy = list(value) if isinstance(value, list) else dict(value)
    copy[path[0]] = put(value[path[0]], path[1:], new)
    return copy


@st.composite
def spoiled(draw: st.DrawFn, name: str) -> bytes:
    """A good line with up to three places spoiled."""
    value: Any = SAMPLES[name]
    text = isinstance(value, str)
    value = value.split() if text else value
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(value)))
        new = draw(st.sampled_from(WORDS) | st.text(max_size=5) if text else VALUES)
        value = put(value, path, new)
    if text and isinstance(value, list):
        return " ".join(value).encode(errors="replace")
    return json.dumps(value).encode()


def check(read_line: Read, line: bytes) -> None:
    """Whatever comes of a line is a flow that can be, a reason, or a fault."""
    try:
        found = read_line(line, "f:1")
    except BadLine as fault:
        found = (fault,)
    for one in found if isinstance(found, tuple) else (found,):
        if not isinstance(one, Flow):
            assert str(one).isprintable()
            assert isinstance(one, str | BadLine)
            continue
        assert 0 <= one.port <= 65535
        assert 0 <= one.source_port <= 65535
        assert 0 < one.count <= 1 << 53
        assert 0 <= one.at < 1e12
        assert isinstance(one.reply, bool | None)
        ends_ = (*msgspec.structs.astuple(one.source), *msgspec.structs.astuple(one.destination))
        assert all(isinstance(text, str) and text.isprintable() for text in ends_)


@pytest.mark.parametrize("name", sorted(READERS))
def test_each_sample_is_told_and_read(name: str) -> None:
    flows, found = read(SAMPLES[name], max_bad=0)
    assert (len(flows), found.readers) == (1, {"stdin": name})


@pytest.mark.parametrize("name", sorted(READERS))
@settings(max_examples=60)
@given(data=st.data())
def test_no_spoiled_line_is_too_much(name: str, data: st.DataObject) -> None:
    line = data.draw(spoiled(name))
    detect([line])
    check(READERS[name](ends.Ends()), line)


@settings(max_examples=100)
@given(st.sampled_from(sorted(READERS)), st.binary(max_size=40))
@example("envoy", b'[] """" 1 2 3 4 5')
@example("envoy", b'[x "a" outbound|1||h :1 2:2 3:3')
@example("conntrack", b"[1.] tcp 6 src=10.0.0.1 dst=10.0.0.2 dport=\xc2\xb2")
@example("vpc", b"srcaddr dstaddr")
@example("cloud", b'{"records":[[[[{"flowTuples":3,"flows":{"flows":"x"}}]]]]}')
@example("cloud", b'{"records":' + b"[" * 500 + b"]" * 500 + b"}")
def test_no_bytes_are_too_much(name: str, line: bytes) -> None:
    detect([line])
    check(READERS[name](ends.Ends()), line)
