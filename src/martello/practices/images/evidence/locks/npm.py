"""package-lock.json and npm-shrinkwrap.json, lock file versions 1 to 3, and package.json.

Source: npm's documentation, `package-lock.json` and `package.json`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from martello.core.package import Package
from martello.practices.images.evidence.locks import parse
from martello.practices.images.evidence.model import Body, Parsed, Reader, Sibling

_ALIAS: Final = re.compile(r"npm:((?:@[^/@]+/)?[^/@]+)@(.+)\Z")
_TARBALL: Final = re.compile(r"/-/[^/]*?-(\d[^/]*)\.tgz\Z")
_MODULES: Final = "node_modules/"


def _lock(path: str, body: Body) -> Parsed:
    document = parse.json(body)
    installed = document.get("packages")
    if isinstance(installed, dict) and installed:
        packages = _flat(installed)
    elif isinstance(document.get("dependencies", {}), dict):
        packages = _nested(parse.table(document.get("dependencies")))
    else:
        raise ValueError("neither packages nor dependencies")
    return Parsed(packages=parse.unique(packages), sibling=Sibling("npm.lock"))


def _flat(installed: dict[str, Any]) -> Iterator[Package]:
    for place, entry in installed.items():
        # What is not below node_modules is the project itself or one of its workspaces.
        if _MODULES not in place or not isinstance(entry, dict) or entry.get("link"):
            continue
        name = parse.word(entry.get("name")) or place.rpartition(_MODULES)[2]
        version = parse.word(entry.get("version"))
        if name:
            yield parse.package(
                "npm", name, version, dev=entry.get("dev") is True, licences=licences(entry)
            )


def _nested(dependencies: dict[str, Any]) -> Iterator[Package]:
    todo = [dependencies]
    while todo:
        for name, entry in todo.pop().items():
            if not isinstance(entry, dict):
                continue
            inner = entry.get("dependencies")
            if isinstance(inner, dict):
                todo.append(inner)
            version = parse.word(entry.get("version"))
            alias = _ALIAS.match(version)
            real, version = (alias[1], alias[2]) if alias else (name, version)
            if version.startswith(("http:", "https:")):
                tarball = _TARBALL.search(version)
                version = tarball[1] if tarball else version
            if version and not version.startswith("file:"):
                yield parse.package("npm", real, version, dev=entry.get("dev") is True)


def _manifest(path: str, body: Body) -> Parsed:
    """package.json: what the project asks for, or the licence of an installed package."""
    document = parse.json(body)
    name, version = parse.word(document.get("name")), parse.word(document.get("version"))
    if _MODULES in path:
        found = licences(document)
        if not (name and version and found):
            return Parsed()
        return Parsed(
            sibling=Sibling(
                "npm.licence", packages=(parse.package("npm", name, version, licences=found),)
            )
        )
    needed = ("dependencies", "optionalDependencies", "peerDependencies")
    return Parsed(
        sibling=Sibling(
            "package.json",
            wanted=tuple(_asked(document, needed)),
            wanted_dev=tuple(_asked(document, ("devDependencies",))),
            roots=(name,) if name else (),
        )
    )


def _asked(document: dict[str, Any], fields: tuple[str, ...]) -> Iterator[str]:
    for field in fields:
        for name, wish in parse.table(document.get(field)).items():
            yield f"{name}@{parse.word(wish)}"


def licences(document: dict[str, Any]) -> tuple[str, ...]:
    """What package.json says of the licence, in its present form and in the two old ones."""
    given = document.get("license", document.get("licenses"))
    found = given if isinstance(given, list) else [given]
    names = (one.get("type", one.get("name")) if isinstance(one, dict) else one for one in found)
    return tuple(name.strip() for name in names if isinstance(name, str) and name.strip())


READERS = (
    Reader(
        name="npm",
        read=_lock,
        names=frozenset(("package-lock.json", "npm-shrinkwrap.json")),
        # npm's own record of what it installed repeats the lock file
        accepts=lambda path: _MODULES not in path,
    ),
    Reader(name="package.json", read=_manifest, names=frozenset(("package.json",))),
)
