"""conan.lock of Conan 1 and 2. Source: Conan's documentation of lock files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from martello.core.package import Package
from martello.practices.images.evidence.locks import parse
from martello.practices.images.evidence.locks.graph import mark_dev, reach
from martello.practices.images.evidence.model import Body, Parsed, Reader

# name/version[@user/channel][#recipe revision][:package id][%time]
_REFERENCE: Final = re.compile(r"([^/@#:%\s]+)/([^@#:%\s]+)")


def _lock(path: str, body: Body) -> Parsed:
    document = parse.json(body)
    graph = document.get("graph_lock")
    if isinstance(graph, dict):
        return Parsed(packages=parse.unique(_nodes(parse.table(graph.get("nodes")))))
    if "requires" not in document and "version" not in document:
        raise ValueError("neither a graph nor requires")
    packages = [
        *_references(document.get("requires"), dev=False),
        *_references(document.get("build_requires"), dev=True),
        *_references(document.get("python_requires"), dev=True),
    ]
    return Parsed(packages=parse.unique(packages))


def _nodes(nodes: dict[str, Any]) -> tuple[Package, ...]:
    """Packages of the graph of Conan 1. Node 0 is the project's conanfile."""
    packages: list[Package] = []
    needs: dict[str, list[str]] = {}
    keys: dict[str, str] = {}
    for number, entry in nodes.items():
        entry = parse.table(entry)
        parts = _REFERENCE.match(parse.word(entry.get("ref")))
        needs[number] = parse.words(entry.get("requires"))
        keys[number] = f"{parts[1]}@{parts[2]}" if parts else ""
        if parts and "path" not in entry:
            packages.append(parse.package("conan", parts[1], parts[2]))
    tools = {one for entry in nodes.values() for one in _built_with(entry)}
    inner = {one for targets in needs.values() for one in targets}
    roots = [number for number in nodes if number not in inner and number not in tools]
    needed = {keys[number] for number in reach(needs, roots) if number in keys}
    return mark_dev(packages, needed)


def _built_with(entry: Any) -> list[str]:
    return parse.words(parse.table(entry).get("build_requires"))


def _references(value: Any, *, dev: bool) -> Iterator[Package]:
    for reference in value if isinstance(value, list) else []:
        # With `conan lock add` an entry may be a pair of reference and packages.
        text = reference[0] if isinstance(reference, list) and reference else reference
        parts = _REFERENCE.match(parse.word(text))
        if parts is None:
            raise ValueError(f"no name/version: {str(text)[:60]}")
        yield parse.package("conan", parts[1], parts[2], dev=dev)


READERS = (Reader(name="conan", read=_lock, names=frozenset(("conan.lock",))),)
