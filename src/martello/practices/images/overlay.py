"""Layers laid one over the other: which evidence is left, where it lies, which layer brought it.

Sources: the OCI image layer specification (whiteouts, changes) and what container runtimes do: a
path is resolved through symbolic links that are there when its entry comes; a directory with an
entry replaces a link, one that is only implied is written through.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Final

import msgspec

from martello.core.package import Leak, Package, Unread
from martello.practices.images.evidence.model import Parsed
from martello.practices.images.facts import LayerFacts, hashed

_HOPS: Final = 40  # links on the way to one file, as Linux allows
_MOST_THROUGH: Final = 1_000_000  # paths compared because a layer writes through links

Key = tuple[str, str, str, str]  # type, name, version, architecture


class Held(msgspec.Struct, frozen=True):
    """Evidence that is left; `first` says which layer first brought a package, if not this one."""

    layer: int
    parsed: Parsed
    shown: str  # the path that it stands for
    first: Mapping[Key, int] = {}


class Missing(msgspec.Struct, frozen=True):
    """A hard link that a reader wants, to a file that none has read."""

    layer: int
    target: str


class Found(msgspec.Struct, frozen=True):
    """A secret that a layer holds, wherever its file went."""

    path: str
    layer: int
    leak: Leak


def resolve(path: str, links: Mapping[str, str]) -> str | None:
    """Where a path leads within an image; None where links lead in a circle. A link never leads
    above the root.
    """
    done: list[str] = []
    todo = path.split("/")[::-1]
    hops = 0
    while todo:
        part = todo.pop()
        if part in ("", "."):
            continue
        if part == "..":
            del done[-1:]
            continue
        done.append(part)
        target = links.get("/".join(done)) if links else None
        if target is None:
            continue
        hops += 1
        if hops > _HOPS:
            return None
        done = [] if target.startswith("/") else done[:-1]
        todo += target.split("/")[::-1]
    return "/".join(done)


class Overlay:
    """The evidence and the links that are left after the layers laid so far."""

    def __init__(self) -> None:
        self.evidence: dict[str, Held] = {}
        self.links: dict[str, str] = {}
        self.missing: dict[str, Missing] = {}
        self.leaks: list[Found] = []
        self.unread: list[Unread] = []
        self._at: dict[int, str] = {}  # hash of each path kept, and of the directories above
        self._inside: dict[str, set[str]] = {}
        self._parents: dict[str, str | None] = {}
        self._through = _MOST_THROUGH

    def lay(self, number: int, facts: LayerFacts) -> None:
        """Lays a layer over all before it."""
        self._parents.clear()
        before: dict[str, Held] = {}
        for path in facts.whiteouts:
            opaque = path.endswith("/")
            real = resolve(path, self.links) if opaque else self.place(path)
            if real is not None:
                (self._empty if opaque else self._remove)(real)
        others, directories = _numbers(facts.others), _numbers(facts.directories)
        for hit in self._at.keys() & others:
            self._cover(self._at.get(hit, ""), before)
        for hit in self._at.keys() & directories:
            self._forget(self._at.get(hit, ""))
        for path in facts.implied:
            if path not in self.links:
                self._forget(path)
        fresh: set[str] = set()
        for path, target in facts.links.items():
            real = self.place(path)
            if real is not None:
                self._cover(real, before)
                self._keep(real)
                self.links[real] = target
                self._parents.clear()
                fresh.add(real)
        places = {path: self.place(path) for path in (*facts.evidence, *facts.hardlinks)}
        self._write_through(facts.implied, others, directories, before, fresh)
        for path, parsed in facts.evidence.items():
            real = places[path]
            if real is None:
                why = "symbolic links above it lead in a circle"
                self.unread.append(Unread("file", path, why))
            else:
                self._bring(number, real, parsed, facts.aliases.get(path, ""), before)
        for path, target in facts.hardlinks.items():
            real = places[path]
            if real is not None:
                self._link(number, real, target, before)

    def place(self, path: str) -> str | None:
        """Where an entry is written: its directory resolved, its own name not."""
        folder, slash, name = path.rpartition("/")
        if not slash:
            return path
        if folder not in self._parents:
            self._parents[folder] = resolve(folder, self.links)
        real = self._parents[folder]
        if real is None:
            return None
        return f"{real}/{name}" if real else name

    def _bring(
        self, number: int, real: str, parsed: Parsed, shown: str, before: dict[str, Held]
    ) -> None:
        self._cover(real, before)
        self.leaks += (Found(real, number, leak) for leak in parsed.leaks)
        old = before.get(real)
        first: dict[Key, int] = {}
        if old is not None:
            known = {key_of(package): old for package in old.parsed.packages}
            for package in parsed.packages:
                key = key_of(package)
                if key in known:
                    first[key] = old.first.get(key, old.layer)
        self._keep(real)
        self.evidence[real] = Held(number, parsed, shown or real, first)

    def _link(self, number: int, real: str, target: str, before: dict[str, Held]) -> None:
        held = self.evidence.get(resolve(target, self.links) or target)
        if held is not None:
            self._bring(number, real, held.parsed, "", before)
            return
        self._keep(real)
        self.missing[real] = Missing(number, target)

    def _write_through(
        self,
        implied: Sequence[str],
        others: array[int],
        directories: array[int],
        before: dict[str, Held],
        fresh: Set[str],
    ) -> None:
        """Hides what a layer overwrites by paths that lead through links; its own links stay."""
        led = [(path, resolve(path, self.links)) for path in implied] if self.links else []
        pairs = [(path, real) for path, real in led if real is not None and real != path]
        if not pairs:
            return
        files, folders = set(others), set(directories)
        while pairs:
            path, real = pairs.pop()
            self._make_room(real)
            for inside in self._inside.get(real, set()) - fresh:
                self._through -= 1
                if self._through < 0:
                    why = "its layers write through too many symbolic links"
                    self.unread.append(Unread("image", "", why))
                    return
                alias = f"{path}/{inside[inside.rfind('/') + 1 :]}"
                number = _number(alias)
                if number in files:
                    self._cover(inside, before)
                elif number in folders:
                    self._forget(inside)
                    pairs.append((alias, inside))

    def _make_room(self, folder: str) -> None:
        """A directory takes the place of evidence at its path or above it."""
        while folder:
            self._forget(folder)
            folder = folder.rpartition("/")[0]

    def _keep(self, path: str) -> None:
        """Makes a path and the directories above it known."""
        while path:
            self._at.setdefault(_number(path), path)
            folder = path.rpartition("/")[0]
            siblings = self._inside.setdefault(folder, set())
            if path in siblings:
                return
            siblings.add(path)
            path = folder

    def _cover(self, path: str, before: dict[str, Held]) -> None:
        """Something that is no directory takes the place of a path."""
        held = self.evidence.get(path)
        if held is not None:
            before[path] = held
        self._remove(path)

    def _remove(self, path: str) -> None:
        self._forget(path)
        self._empty(path)
        self._inside.get(path.rpartition("/")[0], set()).discard(path)
        self._at.pop(_number(path), None)

    def _empty(self, folder: str) -> None:
        todo = [folder]
        while todo:
            for path in self._inside.pop(todo.pop(), ()):
                self._forget(path)
                self._at.pop(_number(path), None)
                todo.append(path)

    def _forget(self, path: str) -> None:
        self.evidence.pop(path, None)
        self.missing.pop(path, None)
        if self.links.pop(path, None) is not None:
            self._parents.clear()


def key_of(package: Package) -> Key:
    """What makes a package the same in two states of a database."""
    return (package.type, package.name, package.version, package.arch)


class Paths:
    """Which paths each layer has, asked of few layers: their hashes are spread out when first
    asked for.
    """

    def __init__(self, layers: Sequence[LayerFacts]) -> None:
        self._layers = layers
        self._files: dict[int, frozenset[int]] = {}

    def highest(self, path: str, below: int) -> int | None:
        """The highest layer below a number that has a file (anything that is no directory)."""
        number = _number(path)
        for layer in range(below - 1, -1, -1):
            if layer not in self._files:
                self._files[layer] = frozenset(_numbers(self._layers[layer].others))
            if number in self._files[layer]:
                return layer
        return None

    def with_folder(self, path: str) -> Iterator[int]:
        """The layers that have a directory at a path, or files in it."""
        number = _number(path)
        for layer, facts in enumerate(self._layers):
            if path in facts.implied or number in _numbers(facts.directories):
                yield layer


def _numbers(data: bytes) -> array[int]:
    numbers = array("Q")
    numbers.frombytes(data)
    return numbers


def _number(path: str) -> int:
    return int.from_bytes(hashed(path), sys.byteorder)
