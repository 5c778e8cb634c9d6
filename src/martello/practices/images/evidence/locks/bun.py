"""bun.lock, the text form. Source: Bun's documentation of its lock file."""

from __future__ import annotations

import re
from typing import Any, Final

from martello.core.package import Package
from martello.practices.images.evidence.locks import parse
from martello.practices.images.evidence.locks.graph import reach
from martello.practices.images.evidence.model import Body, Parsed, Reader, Sibling

_ENTRY: Final = re.compile(r"((?:@[^/@]+/)?[^/@]+)@(.+)\Z", re.DOTALL)
_LOCAL: Final = ("workspace:", "file:", "link:", "root:")
_TABLES: Final = ("dependencies", "optionalDependencies", "peerDependencies")


def _lock(path: str, body: Body) -> Parsed:
    document = parse.loose_json(body)
    if document.get("lockfileVersion") not in (0, 1, 2):
        raise ValueError("a version of the lock file that is not known; 0 to 2 are read")
    installed = parse.table(document.get("packages"))
    needs = {key: _targets(key, entry, installed) for key, entry in installed.items()}
    roots = [
        target
        for workspace in parse.table(document.get("workspaces")).values()
        for name in _asked(workspace)
        for target in _resolved(parse.word(parse.table(workspace).get("name")), name, installed)
    ]
    needed = reach(needs, roots)
    packages = (_package(entry, dev=key not in needed) for key, entry in installed.items())
    return Parsed(
        packages=parse.unique(one for one in packages if one), sibling=Sibling("npm.lock")
    )


def _package(entry: Any, *, dev: bool) -> Package | None:
    if not isinstance(entry, list) or not entry:
        raise ValueError("a package that is no list")
    parts = _ENTRY.match(parse.word(entry[0]))
    if parts is None:
        raise ValueError(f"no name@version: {str(entry[0])[:60]}")
    if parts[2].startswith(_LOCAL):
        return None
    return parse.package("npm", parts[1], parts[2], dev=dev)


def _asked(entry: Any) -> list[str]:
    return [name for table in _TABLES for name in parse.table(parse.table(entry).get(table))]


def _targets(key: str, entry: Any, installed: dict[str, Any]) -> list[str]:
    details = next((part for part in entry if isinstance(part, dict)), {}) if entry else {}
    return [place for name in _asked(details) for place in _resolved(key, name, installed)]


def _resolved(key: str, name: str, installed: dict[str, Any]) -> list[str]:
    """The place of a dependency as Node looks it up: beside who asks, then outwards."""
    parts = key.split("/")
    for count in range(min(len(parts), 64), -1, -1):
        place = "/".join((*parts[:count], name))
        if place in installed:
            return [place]
    return []


READERS = (
    Reader(
        name="bun",
        read=_lock,
        names=frozenset(("bun.lock",)),
        accepts=lambda path: "node_modules/" not in path,
    ),
)
