"""All readers of evidence, and which of them want a file.

The choice is made for each entry of each layer, a hundred thousand times an image: one look-up by
name, one by the ending after the last dot, one comparison with the few folders that count.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from martello.practices.images import secrets
from martello.practices.images.evidence import (
    apk,
    binaries,
    dotnet,
    dpkg,
    erlang,
    java,
    locks,
    node,
    osrelease,
    php,
    python,
    redhat,
    rlang,
    rpmdb,
    ruby,
)
from martello.practices.images.evidence.model import Reader

IMAGE_READERS: Final[tuple[Reader, ...]] = (
    *osrelease.READERS,
    *dpkg.READERS,
    *apk.READERS,
    *rpmdb.READERS,
    *redhat.READERS,
    *python.READERS,
    *node.READERS,
    *java.READERS,
    *ruby.READERS,
    *php.READERS,
    *dotnet.READERS,
    *erlang.READERS,
    *rlang.READERS,
    *binaries.READERS,
    *secrets.READERS,
)
LOCK_READERS: Final[tuple[Reader, ...]] = locks.READERS
# Folders that hold a distribution's databases: where one is reached through a symbolic link, its
# files are looked for where the link leads.
ANCHORS: Final = (
    "etc",
    "usr/lib",
    dpkg.STATUS_D,
    dpkg.INFO,
    "var/lib/dpkg",
    *(place.rpartition("/")[0] for place in apk.PLACES),
    *rpmdb.PLACES,
    *redhat.PLACES,
)
LEAST_PROGRAM: Final = 4096  # bytes: below that it is a script or says nothing
_FORMAT: Final = 1  # counted up when the facts of layers mean something else


class Choice:
    """Which readers want a path."""

    __slots__ = ("_endings", "_folders", "_names", "_readers", "_under", "programs", "version")

    def __init__(self, readers: Sequence[Reader]) -> None:
        self._readers = tuple(readers)
        self._names: dict[str, list[Reader]] = {}
        self._endings: dict[str, list[tuple[str, Reader]]] = {}
        self._under: list[tuple[str, Reader]] = []
        self.programs = tuple(reader for reader in readers if reader.programs)
        self.version = version_of(readers)
        for reader in readers:
            for name in reader.names:
                self._names.setdefault(name, []).append(reader)
            for suffix in reader.suffixes:
                self._endings.setdefault(_ending(suffix), []).append((suffix, reader))
            for folder in reader.under:
                prefix = folder.strip("/")
                self._under.append((f"{prefix}/" if prefix else "", reader))
        self._folders = tuple({prefix for prefix, _ in self._under})

    def wanting(self, path: str) -> tuple[Reader, ...]:
        """The readers that want a file at a path, each once, in their order; not the ones of
        programs.
        """
        name = path[path.rfind("/") + 1 :]
        candidates = self._names.get(name)
        endings = self._endings.get(name[name.rfind(".") :]) if "." in name else None
        under = path.startswith(self._folders)
        if candidates is None and endings is None and not under:
            return ()
        found = list(candidates or ())
        found += [reader for suffix, reader in endings or () if path.endswith(suffix)]
        if under:
            found += [reader for prefix, reader in self._under if path.startswith(prefix)]
        agreed = [one for one in found if one.accepts is None or one.accepts(path)]
        if len(agreed) > 1:
            return tuple(one for one in self._readers if one in agreed)
        return tuple(agreed)

    def wanting_file(self, path: str, size: int, mode: int) -> tuple[Reader, ...]:
        """The readers that want a regular file: those of programs too, where it may be one and
        nothing else proves a package by it.
        """
        readers = self.wanting(path)
        if mode & 0o111 and size >= LEAST_PROGRAM and all(map(leaks_only, readers)):
            return (*readers, *self.programs)
        return readers


@lru_cache(maxsize=16)
def choice(readers: tuple[Reader, ...]) -> Choice:
    """The choice among readers, made once."""
    return Choice(readers)


def version_of(readers: Sequence[Reader]) -> str:
    """A short name of what these readers answer: facts of another version are made anew (L11)."""
    names = sorted(f"{reader.name} {reader.version}" for reader in readers)
    return hashlib.sha256("\n".join((str(_FORMAT), *names)).encode()).hexdigest()[:16]


def leaks_only(reader: Reader) -> bool:
    """Whether a reader looks for secrets and for nothing else."""
    return reader.name == secrets.READERS[0].name  # also one with a user's own rules


def _ending(suffix: str) -> str:
    dot = suffix.rfind(".")
    if dot < 0 or "/" in suffix[dot:]:
        raise ValueError(f"a suffix without a dot in its last name: {suffix}")
    return suffix[dot:]
