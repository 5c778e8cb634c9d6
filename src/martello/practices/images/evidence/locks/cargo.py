"""Cargo.lock, and Cargo.toml, which alone knows what is for development.

Source: the Cargo book, `Cargo.toml vs Cargo.lock` and `Specifying dependencies`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from martello.practices.images.evidence.locks import parse
from martello.practices.images.evidence.model import Body, Parsed, Reader, Sibling


def _lock(path: str, body: Body) -> Parsed:
    document = parse.toml(body)
    # Before version 2 of the format, the project's own package stood apart.
    entries = parse.rows(document.get("package")) + parse.rows([document.get("root")])
    versions: dict[str, list[str]] = {}
    for entry in entries:
        versions.setdefault(parse.word(entry.get("name")), []).append(
            parse.word(entry.get("version"))
        )
    needs = []
    for entry in entries:
        targets = (_target(text, versions) for text in parse.words(entry.get("dependencies")))
        needs.append((f"{entry.get('name')}@{entry.get('version')}", tuple(targets)))
    local = [entry for entry in entries if "source" not in entry]
    return Parsed(
        packages=parse.unique(
            parse.package("cargo", parse.word(entry.get("name")), parse.word(entry.get("version")))
            for entry in entries
            if "source" in entry
        ),
        sibling=Sibling(
            "cargo.lock",
            needs=tuple(needs),
            roots=tuple(f"{entry.get('name')}@{entry.get('version')}" for entry in local),
        ),
    )


def _target(text: str, versions: dict[str, list[str]]) -> str:
    name, _, rest = text.partition(" ")
    version = rest.partition(" ")[0]
    known = versions.get(name, [])
    return f"{name}@{version or (known[0] if known else '')}"


def _manifest(path: str, body: Body) -> Parsed:
    document = parse.toml(body)
    name = parse.word(parse.table(document.get("package")).get("name"))
    tables = [document, *map(parse.table, parse.table(document.get("target")).values())]
    shared = parse.table(parse.table(document.get("workspace")).get("dependencies"))
    return Parsed(
        sibling=Sibling(
            "cargo.toml",
            wanted=tuple(_names(tables, ("dependencies", "build-dependencies"))),
            wanted_dev=tuple(_names(tables, ("dev-dependencies", "dev_dependencies"))),
            roots=(name,) if name else (),
            needs=tuple((key, (real,)) for key, real in _renamed(shared) if key != real),
        )
    )


def _names(tables: list[dict[str, Any]], fields: tuple[str, ...]) -> Iterator[str]:
    for table in tables:
        for field in fields:
            for _, real in _renamed(parse.table(table.get(field))):
                yield real


def _renamed(dependencies: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in dependencies.items():
        yield key, parse.word(parse.table(value).get("package")) or key


READERS = (
    Reader(name="cargo", read=_lock, names=frozenset(("Cargo.lock",))),
    Reader(name="Cargo.toml", read=_manifest, names=frozenset(("Cargo.toml",))),
)
