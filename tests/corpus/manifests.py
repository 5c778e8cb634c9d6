"""Real manifests of well-known projects: each is read and judged, and the line is the line."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from martello.adapters.manifests import FileOrigin, parse_documents, read_paths
from martello.adapters.manifests.kustomize import is_kustomization
from martello.catalogue.load import load
from martello.catalogue.scan import scan
from martello.core.check import Check
from martello.core.path import look_up
from martello.core.reading import Reading

_ABSENT = object()


def replay(path: Path) -> Iterator[tuple[str, bool, str]]:
    """For every file its name, whether it was read as the index says, and what was otherwise."""
    checks = load()
    for project in json.loads((path / "index.json").read_bytes()):
        for entry in project["files"]:
            name = f"{project['project']}/{entry['path']}"
            problem = _problem(path / name, entry, checks)
            yield name, not problem, problem


def _problem(file: Path, entry: dict[str, Any], checks: tuple[Check, ...]) -> str:
    reading = read_paths([str(file)])
    if reading.unassessed and b"{{" not in file.read_bytes():  # a template is nobody's manifest
        return "; ".join(f"{u.location}: {u.reason}" for u in reading.unassessed)
    return (
        _miscounted(file, entry, reading)
        or _wrong_line(file, reading)
        or _misjudged(file, reading, checks)
    )


def _miscounted(file: Path, entry: dict[str, Any], reading: Reading) -> str:
    """The index counts documents that have apiVersion and kind; a List is one of them there."""
    documents = [d.value for d in parse_documents(file.read_bytes(), str(file)).documents]
    objects = [v for v in documents if isinstance(v, dict) and "apiVersion" in v and "kind" in v]
    found = Counter(value["kind"] for value in objects)
    expected = Counter(entry["objects"])
    if reading.unassessed:
        expected &= found  # what was not read is missing, and said to be
    if found != expected:
        return f"objects: expected {dict(expected)}, found {dict(found)}"
    items = sum(len(v["items"]) if v["kind"] == "List" else 1 for v in objects)
    partial = 0 if is_kustomization(str(file)) and not objects else reading.partial
    if len(reading.resources) + partial != items:
        return f"{items} objects are {len(reading.resources)} resources, {partial} partial"
    return ""


def _wrong_line(file: Path, reading: Reading) -> str:
    """The line that a node is said to be on has its key."""
    lines = file.read_text("utf-8").split("\n")
    for resource in reading.resources:
        assert isinstance(resource.origin, FileOrigin)
        for path in _paths(resource.raw, ()):
            key = path[-1]
            where = resource.locate(path)
            rest = lines[where.line - 1][where.column - 1 :]
            if isinstance(key, str) and not rest.lstrip("\"'").startswith(key):
                return f"{where} is not where {key} is: {rest[:40]}"
    return ""


def _misjudged(file: Path, reading: Reading, checks: tuple[Check, ...]) -> str:
    """Every check of every profile gives a verdict, and each finding stands where it is said to."""
    result = scan(reading, checks, today=date(2026, 1, 1), profile="all")
    for entry in result.unassessed:
        if "internal error" in entry.reason:
            return f"{entry.check}: {entry.reason}"
    lines = file.read_text("utf-8").split("\n")
    raws = {r.ref: r.raw for r in reading.resources}
    for finding in result.findings:
        path = finding.path
        while path and look_up(raws[finding.ref], path, _ABSENT) is _ABSENT:
            path = path[:-1]
        line = lines[finding.location.line - 1] if finding.location.line else ""
        if path and isinstance(path[-1], str) and path[-1] not in line:
            return f"{finding.check} at {finding.location} is not where {path[-1]} is: {line[:40]}"
        if not line.strip():
            return f"{finding.check} at {finding.location} is an empty line"
    return ""


def _paths(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    members: Any = ()
    if isinstance(value, dict):
        members = value.items()
    elif isinstance(value, list):
        members = enumerate(value)
    for key, member in members:
        yield (*path, key)
        yield from _paths(member, (*path, key))
