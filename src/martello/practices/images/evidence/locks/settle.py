"""Joins what lock files and manifests say only together: which dependencies are for development,
what go.sum adds to an old go.mod, which licence an npm package bears.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from martello.practices.images.evidence.locks import parse
from martello.practices.images.evidence.locks.graph import mark_dev, node, reach
from martello.practices.images.evidence.model import Parsed, Sibling

_MODULES: Final = "node_modules/"


def settle(files: Mapping[str, Parsed]) -> dict[str, Parsed]:
    """The same files, by path, with what their siblings add. Pure; the order does not matter."""
    joined = _Joined(files)
    return {path: joined.settled(path, parsed) for path, parsed in files.items()}


class _Joined:
    def __init__(self, files: Mapping[str, Parsed]) -> None:
        self._files = files
        self._manifests: dict[str, list[tuple[str, Sibling]]] = {}
        self._licences: dict[str, dict[str, tuple[str, ...]]] = {}
        locks = {"yarn.lock": set[str](), "cargo.lock": set[str]()}
        for path, parsed in files.items():
            if parsed.sibling and parsed.sibling.kind in locks:
                locks[parsed.sibling.kind].add(_directory(path))
        for path, parsed in files.items():
            one = parsed.sibling
            if one is None:
                continue
            if one.kind == "npm.licence":
                home = path[: path.index(_MODULES)].rstrip("/")
                known = self._licences.setdefault(home, {})
                known.update({node(package): package.licences for package in one.packages})
            kind = {"cargo.toml": "cargo.lock", "package.json": "yarn.lock"}.get(one.kind)
            # A workspace's members lie below its lock file: the nearest one is theirs.
            nearest = _nearest(path, locks[kind]) if kind else None
            if nearest is not None:
                self._manifests.setdefault(f"{kind} {nearest}", []).append((path, one))
        self._settlers: dict[str, Callable[[str, Parsed, Sibling], Parsed]] = {
            "go.mod": self._go,
            "cargo.lock": self._cargo,
            "yarn.lock": self._yarn,
            "poetry.lock": self._poetry,
        }

    def settled(self, path: str, parsed: Parsed) -> Parsed:
        one = parsed.sibling
        settler = self._settlers.get(one.kind) if one else None
        if one is not None and settler is not None:
            parsed = settler(path, parsed, one)
        if one is not None and one.kind in ("npm.lock", "yarn.lock"):
            parsed = self._licensed(path, parsed)
        return parsed

    def _beside(self, path: str, name: str) -> Sibling | None:
        directory = _directory(path)
        found = self._files.get(f"{directory}/{name}" if directory else name)
        return found.sibling if found else None

    def _go(self, path: str, parsed: Parsed, one: Sibling) -> Parsed:
        sums = self._beside(path, "go.sum")
        if not one.wanted or sums is None:
            return parsed
        known = {*one.roots, *(package.name for package in parsed.packages)}
        added = [package for package in sums.packages if package.name not in known]
        return msgspec.structs.replace(parsed, packages=parse.unique((*parsed.packages, *added)))

    def _cargo(self, path: str, parsed: Parsed, one: Sibling) -> Parsed:
        manifests = self._manifests.get(f"cargo.lock {_directory(path)}", [])
        renamed = {key: real for _, each in manifests for key, (real,) in each.needs}
        asked: dict[str, set[str]] = {}
        for _, manifest in manifests:
            for name in manifest.roots:
                names = {renamed.get(key, key) for key in manifest.wanted}
                asked.setdefault(name, set()).update(names)
        if not asked:
            return parsed
        needs = dict(one.needs)
        for root in one.roots:
            wishes = asked.get(root.partition("@")[0])
            if wishes is not None:
                targets = needs.get(root, ())
                needs[root] = tuple(key for key in targets if key.partition("@")[0] in wishes)
        needed = reach(needs, one.roots)
        return msgspec.structs.replace(parsed, packages=mark_dev(parsed.packages, needed))

    def _yarn(self, path: str, parsed: Parsed, one: Sibling) -> Parsed:
        manifests = self._manifests.get(f"yarn.lock {_directory(path)}", [])
        if not any(_directory(place) == _directory(path) for place, _ in manifests):
            return parsed
        needs = dict(one.needs)
        versions: dict[str, list[str]] = {}
        for package in parsed.packages:
            versions.setdefault(package.name, []).append(node(package))
        local = {name for _, manifest in manifests for name in manifest.roots}
        # A workspace's own entry lists what it needs for development too; its manifest decides.
        for root in one.roots:
            needs = {
                key: targets
                for key, targets in needs.items()
                if key.rpartition("@")[0] != root or root not in local
            }
        roots = [
            target
            for _, manifest in manifests
            for pattern in manifest.wanted
            for target in _yarn_targets(pattern, needs, versions)
        ]
        # A pattern that a resolution has rewritten is found by its name alone.
        for key, targets in list(needs.items()):
            needs[key] = tuple(
                found for target in targets for found in _yarn_targets(target, needs, versions)
            )
        needed = reach(needs, roots)
        return msgspec.structs.replace(parsed, packages=mark_dev(parsed.packages, needed))

    def _poetry(self, path: str, parsed: Parsed, one: Sibling) -> Parsed:
        project = self._beside(path, "pyproject.toml")
        if project is None or not project.wanted_dev:
            return parsed
        needed = reach(dict(one.needs), project.wanted)
        return msgspec.structs.replace(parsed, packages=mark_dev(parsed.packages, needed))

    def _licensed(self, path: str, parsed: Parsed) -> Parsed:
        known = self._licences.get(_directory(path))
        if not known:
            return parsed
        return msgspec.structs.replace(
            parsed,
            packages=tuple(
                package
                if package.licences or node(package) not in known
                else msgspec.structs.replace(package, licences=known[node(package)])
                for package in parsed.packages
            ),
        )


def _yarn_targets(
    pattern: str, needs: Mapping[str, tuple[str, ...]], versions: Mapping[str, list[str]]
) -> Iterator[str]:
    plain = pattern.replace("@npm:", "@", 1)
    if plain in needs:
        yield plain
    else:
        yield from versions.get(pattern.rpartition("@")[0], ())


def _directory(path: str) -> str:
    return path.rpartition("/")[0]


def _nearest(path: str, directories: set[str]) -> str | None:
    directory = _directory(path)
    while directory not in directories:
        if not directory:
            return None
        directory = _directory(directory)
    return directory
