"""Reads `updateinfo.xml`, the advisories in the metadata of rpm repositories: Amazon, Oracle,
Rocky and Alma Linux, Fedora, openSUSE.

Source: what createrepo's modifyrepo and libsolv write and read. An `update` has an `id`, a `type`
(security, bugfix, …), a `severity`, references with the CVEs, and lists of packages with epoch,
version, release and architecture, a list may be of one module. The advisory itself becomes a
record; what it says of packages is said under each of its CVEs, so that the CVE names the match.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from xml.parsers import expat

import msgspec

from martello.core.errors import BadInput
from martello.core.vulnerability import Affected, Vulnerability
from martello.practices.images.advisories.bundles import unpacked_file
from martello.practices.images.advisories.record import (
    MOST_REFERENCES,
    Item,
    Record,
    Skipped,
    shortened,
    until,
)
from martello.practices.images.advisories.severity import level
from martello.practices.images.ecosystems import BY_SOURCE, family

LARGEST: Final = 2 << 30  # bytes, uncompressed
_LONGEST_TOKEN: Final = 8 << 20  # bytes of one tag or attribute
_LONGEST_TEXT: Final = 1 << 20  # characters of one element that are kept
_MOST_PACKAGES: Final = 200_000  # of one advisory
_DEEPEST: Final = 64
_CVE: Final = re.compile(r"CVE-\d{4}-\d{4,}")
_DAY: Final = re.compile(r"(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d(?::\d\d)?))?")
_TEXTS: Final = frozenset(("id", "title", "severity", "description", "summary"))
# The folders that the files lie in, and the ecosystem of a release.
DISTRIBUTIONS: Final = {
    "amazon": "Amazon Linux:{}",
    "oracle": "Oracle Linux:{}",
    "rocky": "Rocky Linux:{}",
    "alma": "AlmaLinux:{}",
    "fedora": "Fedora:{}",
    "opensuse": "openSUSE:Leap {}",
    "suse": "SUSE:Linux Enterprise Server {}",
}


class _Package(msgspec.Struct, frozen=True):
    name: str
    version: str  # with epoch and release
    arch: str
    module: str


class _Update(msgspec.Struct):
    """One advisory as far as it was read."""

    kind: str = ""
    texts: dict[str, str] = {}
    issued: str = ""
    updated: str = ""
    named: set[str] = set()  # CVEs
    links: list[str] = []
    packages: set[_Package] = set()
    module: str = ""
    passed: set[str] = set()  # why packages of it were not taken


def read(path: Path, feed: str) -> Iterator[Item]:
    """The advisories of a file. `feed` names the distribution and the release:
    `amazon-updateinfo:2023/core`. Raises BadInput where it cannot be read.
    """
    ecosystem = ecosystem_of_feed(feed)
    if not ecosystem:
        raise BadInput(f"cannot read {path}", "it lies in no folder of a known distribution")
    for update in _updates(path, family(ecosystem) in BY_SOURCE):
        yield from _items(update, ecosystem, feed)


def ecosystem_of_feed(feed: str) -> str:
    """The ecosystem of a feed by its name; empty where the distribution is not known."""
    head, _, place = feed.partition(":")
    release = place.partition("/")[0]
    pattern = DISTRIBUTIONS.get(head.removesuffix("-updateinfo"), "")
    return pattern.format(release) if release else ""


def _updates(path: Path, by_source: bool) -> Iterator[_Update]:
    """The advisories, each as soon as its element ends. No document type is taken: no entity can
    grow.
    """
    events = _Events(by_source)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = events.start
    parser.EndElementHandler = events.end
    parser.CharacterDataHandler = events.text
    parser.StartDoctypeDeclHandler = _refused
    parser.EntityDeclHandler = _refused
    fed = 0
    try:
        for part in unpacked_file(path, LARGEST):
            fed += len(part)
            parser.Parse(part, False)
            if fed - max(parser.CurrentByteIndex, 0) > _LONGEST_TOKEN:
                raise BadInput(f"cannot read {path}", "one of its elements is too long")
            yield from events.taken()
        parser.Parse(b"", True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise BadInput(f"cannot read {path}", f"it is no usable XML ({error})") from None
    if events.root not in ("updates", "updateinfo"):
        raise BadInput(f"cannot read {path}", "it is no updateinfo")
    yield from events.taken()


def _refused(*_: object) -> None:
    raise ValueError("it declares a document type or entities")


class _Events:
    """Gathers what the parser tells."""

    def __init__(self, by_source: bool) -> None:
        self.root = ""
        self._by_source = by_source
        self._depth = 0
        self._text: list[str] | None = None
        self._length = 0
        self._update: _Update | None = None
        self._done: list[_Update] = []

    def taken(self) -> list[_Update]:
        """The advisories that have ended since last asked."""
        done, self._done = self._done, []
        return done

    def start(self, tag: str, given: dict[str, str]) -> None:
        """An element begins."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ValueError("its elements are nested too deeply")
        if self._depth == 1:
            self.root = tag
        if tag == "update":
            self._update = _Update(kind=given.get("type", ""))
            return
        update = self._update
        if update is None:
            return
        if tag in _TEXTS:
            self._text, self._length = [], 0
        elif tag in ("issued", "updated"):
            setattr(update, tag, _time(given.get("date", "")))
        elif tag == "reference":
            self._reference(update, given)
        elif tag == "module":
            name, stream = given.get("name", ""), given.get("stream", "")
            update.module = f"{name}:{stream}" if name and stream else ""
        elif tag == "collection":
            update.module = ""
        elif tag == "package":
            self._package(update, given)

    def text(self, text: str) -> None:
        """Characters of an element."""
        if self._text is not None and self._length < _LONGEST_TEXT:
            self._text.append(text)
            self._length += len(text)

    def end(self, tag: str) -> None:
        """An element ends."""
        self._depth -= 1
        if tag == "update" and self._update is not None:
            self._done.append(self._update)
            self._update = None
        elif self._text is not None and self._update is not None and tag in _TEXTS:
            self._update.texts.setdefault(tag, "".join(self._text).strip())
            self._text = None

    def _reference(self, update: _Update, given: dict[str, str]) -> None:
        href = given.get("href", "")
        if href and len(update.links) < MOST_REFERENCES:
            update.links.append(href[:500])
        for told in (given.get("id", ""), given.get("title", ""), href):
            update.named |= set(_CVE.findall(told))

    def _package(self, update: _Update, given: dict[str, str]) -> None:
        name, version, release = (given.get(key, "") for key in ("name", "version", "release"))
        epoch, arch = given.get("epoch", ""), given.get("arch", "")
        if not name or not version:
            update.passed.add("a package without name or version")
            return
        if arch in ("src", "nosrc") and not self._by_source:
            return
        if "ksplice" in release:
            update.passed.add("a fix for Ksplice only")
            return
        if self._by_source and arch not in ("src", "nosrc"):
            name, version, release = _source(given.get("src", ""))
            if not name:
                update.passed.add("a package that names no source")
                return
        if len(update.packages) >= _MOST_PACKAGES:
            update.passed.add("it names too many packages")
            return
        full = f"{version}-{release}" if release else version
        full = f"{epoch}:{full}" if epoch not in ("", "0", "None") else full
        arch = "" if self._by_source else arch
        update.packages.add(_Package(name, full, arch, update.module))


def _source(file: str) -> tuple[str, str, str]:
    """Name, version and release out of the name of a source package's file."""
    name, _, release = re.sub(r"\.(no)?src\.rpm\Z", "", file).rpartition("-")
    name, _, version = name.rpartition("-")
    return name, version, release


def _items(update: _Update, ecosystem: str, feed: str) -> Iterator[Item]:
    id = update.texts.get("id", "")
    if not id or len(id) > 200:
        yield Skipped(update.texts.get("title", "an advisory")[:80], "it has no usable id")
        return
    names = sorted(update.named | set(_CVE.findall(update.texts.get("title", ""))))
    if not names and update.kind != "security":
        return  # it mends no vulnerability
    for why in sorted(update.passed):
        yield Skipped(id, why, whole=False)
    word = level(update.texts.get("severity", ""))
    rows = list(_rows(update, ecosystem, feed, word))
    if not rows:
        yield Skipped(id, "no package of it can be matched")
        return
    about = Vulnerability(
        id=id,
        summary=update.texts.get("title", "")[:500],
        details=shortened(update.texts.get("description", "")),
        severity=word,
        published=update.issued,
        modified=update.updated or update.issued,
        references=tuple(update.links),
        feed=feed,
    )
    if not names:
        yield Record(about, tuple(msgspec.structs.replace(row, id=id, note="") for row in rows))
        return
    yield Record(about, ())
    for name in names:
        own = msgspec.structs.replace(about, id=name, details="", severity="", published="")
        yield Record(own, tuple(msgspec.structs.replace(row, id=name) for row in rows))


def _rows(update: _Update, ecosystem: str, feed: str, word: str) -> Iterator[Affected]:
    """One for each package and version. An architecture is named only where versions differ by it:
    the file of one architecture's repository speaks for all of them.
    """
    found: dict[tuple[str, str], dict[str, set[str]]] = {}
    for package in update.packages:
        versions = found.setdefault((package.name, package.module), {})
        versions.setdefault(package.version, set()).add(package.arch)
    for (name, module), versions in sorted(found.items()):
        for version, arches in sorted(versions.items()):
            differ = len(versions) > 1 and not arches & {"noarch", ""}
            yield Affected(
                id="",
                ecosystem=ecosystem,
                name=name,
                ranges=until(version),
                status="fixed",
                severity=word,
                feed=feed,
                arches=tuple(sorted(arches)) if differ else (),
                module=module,
                note=f"fixed by {update.texts['id']}",
                released=update.issued,
            )


def _time(text: str) -> str:
    """RFC 3339 out of `2023-02-17 20:41`, `2023-02-17` or seconds; empty where it is none."""
    found = _DAY.match(text)
    if found:
        clock = found[2] or "00:00:00"
        return f"{found[1]}T{clock if len(clock) == 8 else clock + ':00'}Z"
    if text.isascii() and text.isdigit() and len(text) <= 11:
        return datetime.fromtimestamp(int(text), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return ""
