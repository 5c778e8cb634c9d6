"""Reads Alpine's secdb, and the files of Wolfi and Chainguard, which have its shape.

Source: secdb.alpinelinux.org. For each package of a repository, `secfixes` names versions and what
each of them fixes; what stands under version 0 never affected the package. One entry may hold
several names of one vulnerability, with blanks between them. Versions with letters behind the
name (`CVE-2019-1234 (+)`) are remarks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from martello.core.errors import BadInput
from martello.core.vulnerability import Affected, Vulnerability
from martello.practices.images.advisories.archive import whole
from martello.practices.images.advisories.record import Item, Record, Skipped, until

LARGEST: Final = 256 << 20
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*-[A-Za-z0-9._-]*\d[A-Za-z0-9._-]*\Z")


class _Secfixes(msgspec.Struct, frozen=True):
    name: str
    secfixes: dict[str, list[str] | None] | None = None


class _Entry(msgspec.Struct, frozen=True):
    pkg: _Secfixes


class _Database(msgspec.Struct, frozen=True):
    packages: list[msgspec.Raw] | None
    distroversion: str = ""
    reponame: str = ""
    apkurl: str = ""


def ecosystem_in(path: Path) -> str:
    """The ecosystem that a file speaks of, by what it says itself. Raises BadInput."""
    return _ecosystem(_database(path), path)


def read(path: Path, feed: str = "alpine-secdb") -> Iterator[Item]:
    """One record for each package and vulnerability. Raises BadInput where it is no such file."""
    database = _database(path)
    ecosystem = _ecosystem(database, path)
    for number, raw in enumerate(database.packages or ()):
        try:
            entry = msgspec.json.decode(raw, type=_Entry).pkg
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            yield Skipped(f"package {number} of {path.name}", f"it is no package: {error}"[:200])
            continue
        yield from _records(entry, ecosystem, feed)


def _database(path: Path) -> _Database:
    try:
        return msgspec.json.decode(whole(path, LARGEST), type=_Database)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(f"cannot read {path}", f"it is no secdb file ({error})") from None


def _ecosystem(database: _Database, path: Path) -> str:
    release = database.distroversion
    if release == "edge" or re.fullmatch(r"v\d+\.\d+", release):
        return f"Alpine:{release}"
    told = f"{database.apkurl} {database.reponame}".lower()
    for word, name in (("chainguard", "Chainguard"), ("wolfi", "Wolfi")):
        if word in told:
            return name
    raise BadInput(f"cannot read {path}", "it names no release of a known distribution")


def _records(entry: _Secfixes, ecosystem: str, feed: str) -> Iterator[Item]:
    for fixed, names in sorted((entry.secfixes or {}).items()):
        for text in names or ():
            ids = sorted({word for word in text.split() if _NAME.match(word)}, key=_first)
            if not ids:
                if text.strip():
                    yield Skipped(f"{entry.name} {text[:60]}", "it names no vulnerability")
                continue
            yield _record(entry.name, ecosystem, feed, fixed, ids)


def _record(package: str, ecosystem: str, feed: str, fixed: str, ids: list[str]) -> Record:
    never = fixed == "0"
    row = Affected(
        id=ids[0],
        ecosystem=ecosystem,
        name=package,
        ranges=() if never else until(fixed),
        status="not-affected" if never else "fixed",
        feed=feed,
        note="the package was never affected" if never else "",
    )
    return Record(Vulnerability(id=ids[0], aliases=tuple(ids[1:]), feed=feed), (row,))


def _first(id: str) -> tuple[bool, str]:
    return not id.startswith("CVE-"), id
