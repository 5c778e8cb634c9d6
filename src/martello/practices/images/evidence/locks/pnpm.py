"""pnpm-lock.yaml, lock file versions 5 to 9.

Source: pnpm's lock file documents: 5 names packages `/name/1.0.0_peers`, 6 `/name@1.0.0(peers)`,
9 `name@1.0.0` in `packages` and with peers in `snapshots`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from martello.core.package import Package
from martello.practices.images.evidence.locks import parse
from martello.practices.images.evidence.locks.graph import reach
from martello.practices.images.evidence.model import Body, Parsed, Reader, Sibling

_SLASHED: Final = re.compile(r"/((?:@[^/]+/)?[^/@]+)/(\d[^/_(]*)(?:[_(/].*)?\Z")
_AT: Final = re.compile(r"/?((?:@[^/@]+/)?[^/@]+)@([^()]+)(?:\(.*)?\Z", re.DOTALL)
_REMOTE: Final = re.compile(r"(?:https?:|git[+:]|file:|link:|github\.com/|gitlab\.com/|codeload\.)")
_TABLES: Final = ("dependencies", "optionalDependencies")


def _lock(path: str, body: Body) -> Parsed:
    document = parse.yaml(body)
    release = parse.word(document.get("lockfileVersion"))
    if not re.match(r"[5-9](?:\.|\Z)", release):
        raise ValueError(f"lock file version {release[:20] or 'missing'}; 5 to 9 are read")
    packages = parse.table(document.get("packages"))
    if release[0] == "9":
        needed = _needed(document)
        found = (_package(key, entry, dev=key not in needed) for key, entry in packages.items())
    else:
        found = (
            _package(key, entry, dev=parse.table(entry).get("dev") == "true")
            for key, entry in packages.items()
        )
    return Parsed(packages=parse.unique(one for one in found if one), sibling=Sibling("npm.lock"))


def _package(key: str, entry: Any, *, dev: bool) -> Package | None:
    entry = parse.table(entry)
    name, version = parse.word(entry.get("name")), parse.word(entry.get("version"))
    parts = _SLASHED.search(key) or _AT.match(key)
    if parts is not None:
        name = name or parts[1]
        version = version or parts[2]
    if version.startswith(("file:", "link:")) or key.startswith("file:"):
        return None
    if not name or not version:
        raise ValueError(f"neither name nor version: {key[:60]}")
    return parse.package("npm", name, version, dev=dev)


def _needed(document: dict[str, Any]) -> set[str]:
    """The keys of packages that importers need at run time, by way of snapshots."""
    snapshots = parse.table(document.get("snapshots"))
    needs = {
        key: [target for table in _TABLES for target in _targets(parse.table(entry).get(table))]
        for key, entry in snapshots.items()
    }
    roots: list[str] = []
    for importer in parse.table(document.get("importers")).values():
        for table in _TABLES:
            roots += _targets(parse.table(importer).get(table))
    return {key.partition("(")[0] for key in reach(needs, roots)}


def _targets(dependencies: Any) -> Iterator[str]:
    for name, value in parse.table(dependencies).items():
        version = parse.word(value if isinstance(value, str) else parse.table(value).get("version"))
        plain = version.partition("(")[0]
        if version.startswith(("link:", "file:")):
            yield f"{name}@{version}"
        elif "@" in plain.lstrip("@") and not _REMOTE.match(plain):
            yield version  # an alias: the real name, and its version
        else:
            yield f"{name}@{version}"
            yield version


READERS = (
    Reader(
        name="pnpm",
        read=_lock,
        names=frozenset(("pnpm-lock.yaml",)),
        accepts=lambda path: "node_modules/" not in path,
    ),
)
