"""Packages of Red Hat's and SUSE's families: the rpm database, in any of its three formats."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Final

from martello.core.package import Package, Unread
from martello.practices.images.evidence import rpm_bdb, rpm_ndb, rpm_sqlite
from martello.practices.images.evidence.model import (
    NOTHING,
    Body,
    Parsed,
    Reader,
)
from martello.practices.images.evidence.rpm_header import Installed, read_header, split_source
from martello.practices.images.evidence.text import word

PLACES: Final = ("var/lib/rpm", "usr/lib/sysimage/rpm", "usr/share/rpm")
MANIFEST: Final = "var/lib/rpmmanifest/container-manifest-2"
_NAMES: Final = frozenset(("rpmdb.sqlite", "Packages.db", "Packages"))
_LOG: Final = "rpmdb.sqlite-wal"
_LARGEST: Final = 512 << 20
_LARGEST_MANIFEST: Final = 16 << 20
_MOST: Final = 1_000_000
_MOST_TOLD: Final = 20


def read_database(path: str, body: Body) -> Parsed:
    """The packages of a database. A damaged header is told, the others count; so are those before
    a place where the file itself is damaged. Raises TooLarge.
    """
    if not body.size:
        return NOTHING
    with body.spooled(_LARGEST) as file:
        found, unread = _installed(path, file)
    claims = tuple(one.claim for one in found if one.claim.paths)
    return Parsed(tuple(one.package for one in found), claims=claims, unread=tuple(unread))


def read_log(path: str, body: Body) -> Parsed:
    """Says that SQLite's log holds changes which are not in the database yet; an empty log, as
    rpm leaves it, does not.
    """
    if body.size <= 32:
        return NOTHING
    why = "it holds changes that are not in rpmdb.sqlite yet: run rpm once in the image to add them"
    return Parsed(unread=(Unread("rpm database log", path, why),))


def read_manifest(path: str, body: Body) -> Parsed:
    """The packages of the list that distroless images of Azure Linux have for a database. Raises
    TooLarge.
    """
    packages: list[Package] = []
    unread: list[Unread] = []
    lines = body.whole(_LARGEST_MANIFEST).decode("utf-8", "replace").splitlines()
    for number, line in enumerate(lines, 1):
        values = [word(value) for value in line.split("\t")]
        if len(values) < 10 or not values[0] or not values[1]:
            unread.append(Unread("rpm manifest", f"{path}:{number}", "it has not ten columns"))
            continue
        name, version, *_, arch, epoch, file = values[:10]
        source, source_version = split_source(file)
        shown = f"{epoch}:{version}" if epoch.isdecimal() and int(epoch) else version
        if source_version == version:
            source_version = shown  # the file's name has no epoch, the source has it
        packages.append(Package("rpm", name, shown, "", source, source_version, arch))
    return Parsed(tuple(packages), unread=tuple(unread[:_MOST_TOLD]))


def _installed(path: str, file: IO[bytes]) -> tuple[list[Installed], list[Unread]]:
    found: list[Installed] = []
    unread: list[Unread] = []
    try:
        for number, data in enumerate(_headers(file), 1):
            if number > _MOST:
                raise ValueError(f"it has more than {_MOST:,} packages")
            try:
                installed = read_header(data)
            except ValueError as error:
                if len(unread) < _MOST_TOLD:
                    unread.append(Unread("rpm header", f"{path} no. {number}", str(error)))
                continue
            if installed is not None:
                found.append(installed)
    except ValueError as error:
        unread.append(Unread("rpm database", path, str(error)))
    return found, unread


def _headers(file: IO[bytes]) -> Iterator[bytes]:
    head = file.read(16)
    file.seek(0)
    if head == rpm_sqlite.MAGIC:
        return rpm_sqlite.headers(file)
    if head[:4] == rpm_ndb.MAGIC:
        return rpm_ndb.headers(file)
    if rpm_bdb.is_hash(head):
        return rpm_bdb.headers(file)
    raise ValueError("it is neither SQLite, nor rpm's own format, nor a hash of Berkeley DB")


def _in_place(path: str) -> bool:
    return path.rpartition("/")[0] in PLACES


READERS: Final = (
    Reader("rpm", read_database, names=_NAMES, accepts=_in_place),
    Reader("rpm log", read_log, names=frozenset((_LOG,)), accepts=_in_place),
    Reader(
        "rpm manifest",
        read_manifest,
        names=frozenset((MANIFEST.rpartition("/")[2],)),
        accepts=MANIFEST.__eq__,
    ),
)
