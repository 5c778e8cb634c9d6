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
from martello.adapters.sensors import cri, falco, hubble, tetragon
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
