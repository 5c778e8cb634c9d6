"""Replays Falco's own cases of its rule language: loading, matching, and the grammar of filters."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from tests.support.monitor.falco_events import scalar

from martello.practices.monitor.falco.fields import Known, Source, sources
from martello.practices.monitor.falco.filter import CannotRun, lower
from martello.practices.monitor.falco.syntax import Malformed, parse
from martello.practices.monitor.ir import (
    And,
    Atom,
    Column,
    Constant,
    Node,
    Not,
    Or,
    Term,
    both,
    either,
    opposite,
)
from martello.practices.monitor.scalar import holds

Case = tuple[str, bool, str]
Row = Mapping[str, Any]
MOCKED = {
    "c.true": True,
    "c.false": False,
    "c.buffer": False,
    "c.singlequote": "hello 'quoted'",
    "c.doublequote": 'hello "quoted"',
}


def replay(path: Path) -> Iterator[Case]:
    """Filters, files that load or do not, and captures."""
    for number, row in enumerate(_rows(path / "filters.jsonl")):
        yield _filter(number, row)


def _rows(file: Path) -> Iterator[Row]:
    for line in file.read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def _filter(number: int, row: Row) -> Case:
    case = f"filter {number} {row['test']} {row['filter'][:60]!r}"
    expected, found = row["expect"], _judged(row)
    right = found == expected
    if right and "warnings" in row:
        count = _warnings(row)
        right, found = count == row["warnings"], f"{found}, {count} warnings"
    return case, right, f"said {found}, expected {expected}"


def _judged(row: Row) -> Any:
    kind, text = row["kind"], row["filter"]
    if kind == "parse":
        try:
            parse(text)
        except Malformed:
            return "reject"
        return "accept"
    try:
        tree = lower(parse(text), _source(row))[0]
    except Malformed:
        return "error"
    except CannotRun:
        return "ok"
    if kind == "compile":
        return "ok"
    event = scalar(row["event"]) if "event" in row else MOCKED
    return holds(_mocked(tree), event)


def _warnings(row: Row) -> int:
    return len(lower(parse(row["filter"]), _source(row))[1])


def _source(row: Row) -> Source:
    """The fields of system calls, and the dummies."""
    known = sources()["syscall"]
    if not row.get("mock_fields") and "fields" not in row:
        return known
    dummies = {name: Known(name, "any") for name in MOCKED}

    def shape(name: str, arg: str | None) -> Any:
        return Column(name) if name in MOCKED else known.shape(name, arg)

    return msgspec.structs.replace(known, fields={**known.fields, **dummies}, shape=shape)


def _mocked(node: Node) -> Node:
    """Every comparison of a dummy of which the corpus states the truth is that constant."""
    if isinstance(node, Atom):
        truth = MOCKED.get(_name(node.term))
        return Constant(truth) if isinstance(truth, bool) else node
    if isinstance(node, Not):
        return opposite(_mocked(node.part))
    if isinstance(node, And | Or):
        return (both if isinstance(node, And) else either)(*map(_mocked, node.parts))
    return node


def _name(term: Term) -> str:
    return term.name if isinstance(term, Column) else ""
