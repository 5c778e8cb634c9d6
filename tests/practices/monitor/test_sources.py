"""K6: what the table of sources says is what the readers fill."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from martello.adapters.audit import columns
from martello.adapters.sensors import cri, falco, hubble, kmsg, tetragon
from martello.adapters.sensors import events as k8s_events
from martello.adapters.sensors.shape import Place
from martello.core.event import COLUMNS, KINDS
from martello.practices.monitor.sources import FEEDS, VERBS, values, would_fill

CORPORA = Path(os.environ.get("MARTELLO_CORPORA") or "../shared/corpora")
PLACE = Place("c", "n", "b")


def _sensors(name: str) -> Iterator[Any]:
    member = {"tetragon": "event", "falco": "alert", "hubble": "flow"}[name]
    rows = (CORPORA / "tetragon" / f"{name}.jsonl").read_bytes().splitlines()
    lines = [msgspec.json.encode(msgspec.json.decode(row)[member]) + b"\n" for row in rows]
    if name == "tetragon":
        yield from tetragon.Reader(PLACE).read(lines, name, 1)
    elif name == "falco":
        yield from falco.read(lines, name, 1, PLACE)
    elif name == "hubble":
        yield from hubble.read(lines, name, 1, PLACE)


def _audit() -> Iterator[Any]:
    with gzip.open(CORPORA / "audit-benign" / "events.jsonl.gz") as lines:
        for number, line in enumerate(lines):
            if number % 7 == 0:
                yield from columns.read(line, columns.Origin(b"\0" * 32, "c", seen=1))


@pytest.mark.corpus
@pytest.mark.skipif(not CORPORA.is_dir(), reason=f"no corpora in {CORPORA}")
@pytest.mark.parametrize("name", ["audit", "tetragon", "falco", "hubble"])
def test_k6_sources_fill_what_the_table_says(name: str) -> None:
    events: Iterable[Any] = _audit() if name == "audit" else _sensors(name)
    seen = 0
    for event in events:
        if not isinstance(event, dict) or event["kind"] == "gap":
            continue
        seen += 1
        filled = FEEDS[name].columns[event["kind"]]
        of_kind = {c for c in event if c in COLUMNS and event["kind"] in COLUMNS[c].kinds}
        assert of_kind <= filled, (event["kind"], sorted(of_kind - filled))
    assert seen > 3


def test_k6_the_table_names_columns_of_its_kinds() -> None:
    for feed in FEEDS.values():
        for kind, names in feed.columns.items():
            assert kind in KINDS
            assert all(kind in COLUMNS[name].kinds for name in names)
    assert cri.SOURCE in FEEDS


def test_k6_a_column_knows_who_would_fill_it() -> None:
    assert would_fill("proc_tty", ["process"]) == ("bpftrace", "auditd")
    assert would_fill("net_dst_name", ["network"]) == ("bpftrace", "auditd", "hubble")
    assert would_fill("proc_tty", ["audit"]) == ()


def test_closed_values_are_those_of_the_columns() -> None:
    assert values("api_verb", "audit") == VERBS
    assert values("action", "process") is None
    assert values("kind", "file") == ("file",)
    assert values("k8s_ns", "audit") is None


def test_k6_what_the_kernel_and_events_say_is_in_the_table() -> None:
    told = [
        b"4,1,5,-;audit: type=1326 audit(1.1:1): auid=0 uid=33 pid=7 comm=web exe=/web sig=31 "
        b"arch=c000003e syscall=272 code=0x80000000",
        b'4,2,6,-;apparmor="DENIED" operation="mount" profile="web" pid=7 comm="web"',
        b"4,3,7,-;web[7]: segfault at 0 ip 0 sp 0 error 4",
    ]
    reader = kmsg.Reader(PLACE, boot=1)
    events: list[Any] = [event for one in told for event in reader.record(one, 1)]
    about = {"kind": "Pod", "namespace": "shop", "name": "web-1", "uid": "u"}
    said = {"involvedObject": about, "reason": "BackOff", "type": "Warning", "message": "again"}
    events += k8s_events.read([msgspec.json.encode(said) + b"\n"], "x", 1, PLACE)
    assert {event["kind"] for event in events} == {"kernel", "k8s_event"}
    for event in events:
        name = "kmsg" if event["kind"] == "kernel" else "events"
        assert set(event) - {"flags"} <= FEEDS[name].columns[event["kind"]]
