"""Java: the libraries of jars, wars and ears, and of the archives in them.

A library says what it is in the properties that Maven packs; where it has none, its manifest and
its file name do. One archive may hold several: shaded, or as archives of their own.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import IO, Final

from martello.core.package import Package, Unread
from martello.practices.images.evidence.archive import (
    Archive,
    Member,
    inflated,
    members,
    nested,
    open_archive,
)
from martello.practices.images.evidence.java_names import Identity, identity, is_runtime
from martello.practices.images.evidence.model import NOTHING, Body, Parsed, Reader
from martello.practices.images.evidence.text import fields, word, words

_ENDINGS: Final = (".jar", ".war", ".ear", ".par", ".hpi", ".jpi", ".sar", ".kar")
_MAVEN: Final = re.compile(rb"(?:\A|/)META-INF/maven/[^/]+/[^/]+/pom\.properties\Z")
_NESTED: Final = re.compile(rb"[^/]\.(?:jar|war|ear|par|sar)\Z", re.IGNORECASE)
_ASIDE: Final = ("-sources", "-javadoc")  # not run
_SPDX: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*(?: (?:AND|OR|WITH) [A-Za-z0-9.+-]+)*")

_LARGEST: Final = 1 << 30
_DEEPEST: Final = 4
_SMALL: Final = 1 << 20  # of a manifest or of properties
_ALL: Final = 512 << 20  # bytes that one file on disk may make, with all that is in it
_DIRECTORY: Final = 8  # what a byte of a directory costs, against one that is inflated
_MISSES: Final = 100
_MOST: Final = 20_000  # archives and libraries in one file


class _Reading:
    """What was found so far in one file on disk, and what it may still cost."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.packages: dict[Package, None] = {}
        self.unread: list[Unread] = []
        self.bytes = _ALL
        self.archives = _MOST

    def spend(self, count: int) -> None:
        """Take bytes off the budget. Raises ValueError where it is used up."""
        self.bytes -= count
        if self.bytes < 0:
            raise ValueError("all that is in it has more than 512 MiB")

    def miss(self, where: str, why: object) -> None:
        """Keep what could not be read."""
        if len(self.unread) < _MISSES:
            self.unread.append(Unread("Java archive", where, str(why)))


def read_archive(path: str, body: Body) -> Parsed:
    """The libraries of a file. Those of archives in it have a path: the file's, `!/`, and theirs.
    Raises ValueError where it is no archive, TooLarge.
    """
    if body.size == 0:
        return NOTHING
    reading = _Reading(path)
    with body.spooled(_LARGEST) as file:
        _read(reading, path, file, 1)
    return Parsed(tuple(reading.packages), unread=tuple(reading.unread))


def _read(reading: _Reading, path: str, file: IO[bytes], depth: int) -> None:
    """Raises ValueError where the file is no archive."""
    archive = open_archive(file)
    reading.spend(len(archive.directory) * _DIRECTORY)
    manifest: dict[str, str] = {}
    stated: list[Identity] = []
    inside: list[Member] = []
    try:
        for member in members(archive, _wanted):
            raw = member.name.encode()
            if _NESTED.search(raw):
                inside.append(member)
                if len(inside) > _MOST:
                    raise ValueError(f"it holds more than {_MOST:,} archives")
                continue
            try:
                reading.spend(max(member.size, member.packed))
                data = inflated(archive, member, _SMALL)
            except ValueError as error:
                reading.miss(path, error)
                continue
            if _MAVEN.search(raw):
                stated.extend(_properties(data))
            else:
                manifest = _manifest(data)
    except ValueError as error:
        reading.miss(path, error)
    if not path.rpartition(".")[0].endswith(_ASIDE):
        _add(reading, path, archive, manifest, stated, bool(inside))
    for member in inside:
        _descend(reading, path, archive, member, depth)


def _descend(reading: _Reading, path: str, archive: Archive, member: Member, depth: int) -> None:
    where = f"{path}!/{member.name[:300]}"
    reading.archives -= 1
    if reading.archives < 0:
        if reading.archives == -1:
            reading.miss(path, f"it holds more than {_MOST:,} archives")
        return
    if depth >= _DEEPEST:
        reading.miss(where, f"an archive in an archive, {depth + 1} deep")
        return
    try:
        if member.method:  # one that is stored is read in place
            reading.spend(max(member.size, member.packed))
        with nested(archive, member, _ALL) as file:
            _read(reading, where, file, depth + 1)
    except (ValueError, struct.error) as error:
        reading.miss(where, error)


def _add(
    reading: _Reading,
    path: str,
    archive: Archive,
    manifest: dict[str, str],
    stated: list[Identity],
    holds_archives: bool,
) -> None:
    """Add what an archive proves of itself: all that Maven states, and what its own name says
    unless one of these is it.
    """
    if is_runtime(manifest):
        return
    own = identity(path, manifest, lambda directory: directory in archive.directory)
    licences = _licences(manifest)
    for one in stated:
        _keep(reading, one, path, licences if own.artifact == one.artifact else ())
    if any(one.artifact == own.artifact for one in stated):
        return
    if len(stated) == 1 and own.group in ("", stated[0].group):
        return  # renamed: the one that Maven states is its own
    program = not stated and not holds_archives and b".class" in archive.directory
    if own.version and (own.group or program):
        _keep(reading, own, path, licences)


def _keep(reading: _Reading, one: Identity, path: str, licences: tuple[str, ...]) -> None:
    name = f"{one.group}:{one.artifact}" if one.group else one.artifact
    if not (word(name) and word(one.version)):
        return
    found = Package(
        type="maven",
        name=word(name),
        version=word(one.version),
        licences=licences,
        path=path if path != reading.path else "",
    )
    if len(reading.packages) < _MOST:
        reading.packages[found] = None
    elif found not in reading.packages:
        reading.miss(path, f"it holds more than {_MOST:,} libraries")


def _wanted(name: bytes) -> bool:
    return (
        name.upper() == b"META-INF/MANIFEST.MF"
        or _NESTED.search(name) is not None
        or _MAVEN.search(name) is not None
    )


def _properties(data: bytes) -> Iterator[Identity]:
    """What a pom.properties states; nothing where it is a template or incomplete."""
    found: dict[str, str] = {}
    for line in data.decode("latin-1").splitlines():
        key, separator, value = line.partition("=" if "=" in line else ":")
        if separator and not line.lstrip().startswith(("#", "!")):
            found[key.strip()] = value.strip()
    parts = [word(found.get(key, "")) for key in ("groupId", "artifactId", "version")]
    if all(parts) and not any("${" in part or "@" in part for part in parts):
        yield Identity(*parts)


def _manifest(data: bytes) -> dict[str, str]:
    """The main fields; a line that begins with a space goes on where the one before ended."""
    joined = re.sub(rb"(?:\r\n|\n|\r) ", b"", data.lstrip(b"\r\n"))
    return dict(fields(joined.replace(b"\r\n", b"\n").replace(b"\r", b"\n")))


def _licences(manifest: dict[str, str]) -> tuple[str, ...]:
    """What Bundle-License says, if these are names and not addresses."""
    stated = manifest.get("bundle-license", "").split(",")
    names = [one.partition(";")[0].strip().strip('"') for one in stated]
    return words([name for name in names if _SPDX.fullmatch(name)])


READERS: Final = (Reader("Java archive", read_archive, suffixes=_ENDINGS, version=2),)
