"""Replays Falco's own cases of its rule language: loading, matching, and the grammar of filters."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from tests.support.monitor.falco_events import scalar

from martello.practices.monitor.engine.ir import (
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
from martello.practices.monitor.engine.rule import Rule
from martello.practices.monitor.engine.scalar import holds
from martello.practices.monitor.falco.fields import Known, Source, sources
from martello.practices.monitor.falco.filter import CannotRun, Lowering, lower
from martello.practices.monitor.falco.items import PRIORITIES
from martello.practices.monitor.falco.load import Loaded, load
from martello.practices.monitor.falco.problems import Problem
from martello.practices.monitor.falco.syntax import Malformed, parse

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
    for row in _rows(path / "load.jsonl"):
        yield f"load {row['name']}", *_loads(row)
    for row in _rows(path / "detect.jsonl"):
        yield f"detect {row['name']}", *_detects(row, path / "captures")


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
    lowering = Lowering(_source(row))
    with suppress(CannotRun):
        lowering.tree(parse(row["filter"]))
    return len(lowering.warnings)


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


def _texts(row: Row) -> list[tuple[str, str]]:
    return [(one["file"], one["yaml"]) for one in row["rules"]]


def _loads(row: Row) -> tuple[bool, str]:
    """The verdict, and every further fact that the case states."""
    texts = _texts(row)
    found = load(texts, strict=True)
    wrong = [fact for fact, right in _facts(row, found, texts) if not right]
    return (
        not wrong,
        f"{', '.join(wrong)}: {[*map(str, found.errors)]} {[*map(str, found.warnings)]}",
    )


def _facts(row: Row, found: Loaded, texts: list[tuple[str, str]]) -> Iterator[tuple[str, bool]]:
    errors, warnings = found.errors, found.warnings
    yield "expect", bool(errors) is (row["expect"] == "load_error")
    for name, problems in (("errors", errors), ("warnings", warnings)):
        for wanted in row.get(name, ()):
            yield f"{name} {wanted}", any(_is(one, wanted) for one in problems)
        for part in row.get(f"{name}_contain", ()):
            yield f"{name} {part}", any(part in one.why for one in problems)
        for part in row.get(f"{name}_do_not_contain", ()):
            yield f"{name} {part}", not any(part in one.why for one in problems)
        if f"{name[:-1]}_count" in row:
            yield f"count of {name}", len(problems) == row[f"{name[:-1]}_count"]
    if "has_warnings" in row:
        yield "has_warnings", bool(warnings) is row["has_warnings"]
    if row.get("first_file_loads"):
        yield "first file", not load(texts[:1], strict=True).errors
    for name, condition in row.get("compiled_condition", {}).items():
        yield f"condition {name}", found.described[name]["compiled"] == condition
    for name, says in row.get("described", {}).items():
        told = {**found.described[name], "name": name}
        told["description"] = told["desc"]
        for key, value in says.items():
            yield f"{name} {key}", _plain(told.get(key)) == _plain(value)
    if "enabled_rules" in row:
        usable = [one for one in found.pack if one.enabled and not one.unassessed]
        yield "enabled_rules", len(usable) == row["enabled_rules"]


def _plain(value: Any) -> Any:
    """A value as it is compared: levels and booleans in small letters, info by its long name."""
    text = str(value).lower()
    return "informational" if text == "info" else text


def _is(found: Problem, wanted: Row) -> bool:
    """Of one code and about one item; the words of a parser of YAML are its own."""
    named = dict(found.place.items)
    item, name = wanted["item_type"], wanted.get("item_name")
    return found.code == wanted["code"] and item in named and (name is None or named[item] == name)


def _detects(row: Row, captures: Path) -> tuple[bool, str]:
    """The alerts of a capture: an event stops at the first rule that is true of it."""
    found = load(_texts(row), strict=True)
    if found.errors:
        return False, str(found.errors[0])
    rules = _enabled(found, row.get("options", {}))
    counts: dict[str, int] = {}
    lines: list[str] = []
    for flat in _rows(captures / f"{row['capture']}.jsonl"):
        event = scalar(flat)
        rule = next((one for one in rules if holds(one.tree, event)), None)
        if rule is None:
            continue
        counts[rule.title] = counts.get(rule.title, 0) + 1
        level = found.described[rule.title]["priority"].capitalize()
        lines.append(f"{_clock(event['time'])}: {level} {found.outputs[rule.title].render(event)}")
    levels = {found.described[name]["priority"] for name in counts}
    wrong = [fact for fact, right in _alerts(row, counts, levels, lines) if not right]
    return not wrong, f"{', '.join(wrong)}: {counts} {lines[:3]}"


def _alerts(
    row: Row, counts: Mapping[str, int], levels: set[str], lines: list[str]
) -> Iterator[tuple[str, bool]]:
    expect, total = row["expect"], sum(counts.values())
    if expect.get("none"):
        yield "none", not total
    if expect.get("some"):
        yield "some", total > 0
    if "total" in expect:
        yield "total", total == expect["total"]
    for name, count in expect.get("rules", {}).items():
        yield name, counts.get(name, 0) == count
    for level in expect.get("priorities_present", ()):
        yield level, {"INFO": "informational"}.get(level, level.lower()) in levels
    if "output_lines" in row:
        yield "output_lines", lines == row["output_lines"]
    if "output_regex" in row:
        yield "output_regex", any(re.search(row["output_regex"], line) for line in lines)


def _enabled(found: Loaded, options: Row) -> list[Rule]:
    rules = [one for one in found.pack if not one.unassessed]
    tags = set(options.get("enabled_tags", ()))
    off = set(options.get("disabled_tags", ()))
    names = options.get("disabled_rules", ())
    levels = list(PRIORITIES)
    least = options.get("min_priority", "debug").lower()
    least = levels.index("informational" if least == "info" else least)
    return [
        one
        for one in rules
        if (tags & set(one.tags) if tags else one.enabled)
        and not off & set(one.tags)
        and not any(name in one.title for name in names)
        and levels.index(found.described[one.title]["priority"]) <= least
    ]


def _clock(at: int) -> str:
    seconds, rest = divmod(at, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest:09d}+0000"
