"""Reads OSV records: zips, folders and single files. Source: the OSV schema, 1.7.

A broken record is skipped, counted and named (D4); GIT ranges are left out; a record that speaks
of several CVEs of a distribution becomes one for each of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from martello.core.vulnerability import ANY_MODULE, Affected, Events, Vulnerability
from martello.practices.images.advisories.archive import Limits, documents
from martello.practices.images.advisories.ranges import ordered
from martello.practices.images.advisories.record import (
    MOST_REFERENCES,
    MOST_VERSIONS,
    Item,
    Record,
    Skipped,
    shortened,
)
from martello.practices.images.advisories.severity import level
from martello.practices.images.ecosystems import LANGUAGES, canonical, family, normalise
from martello.practices.images.versions import scheme

_CVE: Final = re.compile(r"CVE-\d{4}-\d{4,}\Z")
_OWN: Final = re.compile(r"(?:UBUNTU|DEBIAN)-(?=CVE-)")  # how distributions name their view of one
_MODULAR: Final = re.compile(r"\.module[_+]el")
_MODULE: Final = re.compile(r"(?<![\w:.-])([A-Za-z][\w.+-]*:[A-Za-z0-9][\w.+-]*)(?![\w:])")
_KINDS: Final = ("introduced", "fixed", "last_affected", "limit")
_LANGUAGES: Final = frozenset(LANGUAGES.values())
# Advisories of distributions that name the CVEs they fix as related.
_BULLETINS: Final = ("ALSA-", "ALBA-", "ALEA-", "RLSA-", "RXSA-", "RHSA-", "SUSE-", "openSUSE-",
                     "MGASA-", "USN-", "LSN-", "DSA-", "DLA-", "OESA-", "ELSA-",
                     "ALAS")  # fmt: skip


class _Severity(msgspec.Struct, frozen=True):
    type: str = ""
    score: str = ""


class _Range(msgspec.Struct, frozen=True):
    type: str
    events: list[dict[str, str]]


class _Name(msgspec.Struct, frozen=True):
    ecosystem: str
    name: str


class _Affected(msgspec.Struct, frozen=True):
    package: _Name | None = None
    ranges: list[_Range] | None = None
    versions: list[str] | None = None
    severity: list[_Severity] | None = None
    ecosystem_specific: Any = None
    database_specific: Any = None


class _Link(msgspec.Struct, frozen=True):
    url: str = ""


class _Document(msgspec.Struct, frozen=True):
    id: str
    modified: str = ""
    published: str | None = None
    withdrawn: str | None = None
    aliases: list[str] | None = None
    related: list[str] | None = None
    upstream: list[str] | None = None
    summary: str | None = None
    details: str | None = None
    severity: list[_Severity] | None = None
    affected: list[_Affected] | None = None
    references: list[_Link] | None = None
    database_specific: Any = None


_DECODER: Final = msgspec.json.Decoder(_Document)


def read(path: Path, feed: str, limits: Limits | None = None) -> Iterator[Item]:
    """The records of a zip, a folder or a file, each under the feed's name. Raises BadInput where
    it cannot be read at all.
    """
    for found in documents(path, limits):
        if isinstance(found, Skipped):
            yield found
        else:
            yield from parse(found[1], feed, found[0])


def parse(content: bytes, feed: str, where: str = "record") -> Iterator[Item]:
    """One record out of its JSON; several where it speaks of several CVEs of a distribution."""
    try:
        document = _DECODER.decode(content)
    except msgspec.MsgspecError as error:
        yield Skipped(where, f"it is no OSV record: {error}"[:200])
        return
    except (UnicodeDecodeError, RecursionError):
        yield Skipped(where, "it is no OSV record: it is no usable JSON")
        return
    if not document.id or len(document.id) > 200:
        yield Skipped(where, "it has no usable id")
        return
    passed: list[Skipped] = []
    affected = [
        part
        for entry in document.affected or ()
        if (row := _affected(document, entry, feed, passed)) is not None
        for part in _parts(document, entry, row, passed)
    ]
    yield from passed
    if document.affected and not affected and not document.withdrawn:
        yield Skipped(document.id, "no package of it can be matched")
        return
    yield from _records(document, feed, tuple(affected))


def _records(document: _Document, feed: str, affected: tuple[Affected, ...]) -> Iterator[Record]:
    names = _cves(document, affected)
    if len(names) < 2:
        yield Record(_vulnerability(document, feed, document.id, _aliases(document)), affected)
        return
    note = f"fixed by {document.id}" if not document.withdrawn else ""
    for name in names:
        rows = (msgspec.structs.replace(row, id=name, note=row.note or note) for row in affected)
        yield Record(_vulnerability(document, feed, name, ()), tuple(rows))


def _parts(
    document: _Document, entry: _Affected, row: Affected, passed: list[Skipped]
) -> list[Affected]:
    """The statement as installed packages are looked up: SUSE's and openSUSE's name the source and
    list its binary packages; those of Red Hat and its rebuilds name a module only in their summary.
    """
    kind = family(row.ecosystem)
    if kind in ("SUSE", "openSUSE"):
        return list(_binaries(entry, row)) or [row]
    if kind in ("AlmaLinux", "Rocky Linux", "Red Hat") and _MODULAR.search(str(row.ranges)):
        named = set(_MODULE.findall(document.summary or ""))
        found = sorted(name for name in named if not name.startswith(_BULLETINS))
        if not found:
            why = "a package of a module it does not name"
            passed.append(Skipped(document.id, why, whole=False))
            return [msgspec.structs.replace(row, module=ANY_MODULE, note=why)]
        return [msgspec.structs.replace(row, module=module) for module in found]
    return [row]


def _binaries(entry: _Affected, row: Affected) -> Iterator[Affected]:
    if not _fixed(entry):
        return
    named: dict[str, str] = {}
    for listed in _list(_get(entry.ecosystem_specific, "binaries")):
        if isinstance(listed, dict):
            named |= {k: v for k, v in listed.items() if isinstance(v, str) and v}
    for name, version in sorted(named.items()):
        ranges = (Events("ECOSYSTEM", (("introduced", "0"), ("fixed", version))),)
        yield msgspec.structs.replace(row, name=name, ranges=ranges, versions=())


def _cves(document: _Document, affected: tuple[Affected, ...]) -> list[str]:
    """The CVEs that a distribution's advisory speaks of, where it is not itself one of one."""
    if not affected or any(family(row.ecosystem) in _LANGUAGES for row in affected):
        return []
    named = [_OWN.sub("", name) for name in (*(document.aliases or ()), *(document.upstream or ()))]
    if document.id.startswith(_BULLETINS) and not any(map(_CVE.match, named)):
        named = document.related or []
    return sorted({name for name in named if _CVE.match(name)})


def _aliases(document: _Document) -> tuple[str, ...]:
    upstream = [n for name in document.upstream or () if _CVE.match(n := _OWN.sub("", name))]
    one = upstream if len(upstream) == 1 else []
    if not one and document.id.startswith(_BULLETINS):
        one = [name for name in document.related or () if _CVE.match(name)]
        one = one if len(one) == 1 else []
    names = {*(document.aliases or ()), *one}
    if document.id.startswith(_BULLETINS) and sum(1 for name in names if _CVE.match(name)) > 1:
        # it mends several: as aliases they would become one vulnerability
        names = {name for name in names if not _CVE.match(name)}
    return tuple(sorted(name for name in names if name and name != document.id))


def _vulnerability(
    document: _Document, feed: str, id: str, aliases: tuple[str, ...]
) -> Vulnerability:
    own = document.database_specific
    entries = document.severity or []
    words = [_get(own, "severity"), *(s.score for s in entries if not s.type.startswith("CVSS"))]
    vectors = {(s.type, s.score) for s in entries if s.type.startswith("CVSS") and s.score}
    for entry in document.affected or ():
        given = entry.severity or ()
        vectors |= {(s.type, s.score) for s in given if s.type.startswith("CVSS") and s.score}
    return Vulnerability(
        id=id,
        aliases=aliases,
        summary=(document.summary or "")[:500],
        details=shortened(document.details or ""),
        severity=next((found for word in words if (found := level(word))), ""),
        vectors=tuple(sorted(vectors)),
        published=document.published or "",
        modified=document.modified,
        withdrawn=document.withdrawn or "",
        references=tuple(link.url for link in document.references or () if link.url)[
            :MOST_REFERENCES
        ],
        feed=feed,
    )


def _affected(
    document: _Document, entry: _Affected, feed: str, passed: list[Skipped]
) -> Affected | None:
    if entry.package is None or not entry.package.name or not entry.package.ecosystem:
        passed.append(Skipped(document.id, "it names no package", whole=False))
        return None
    ecosystem = canonical(entry.package.ecosystem)
    ranges, strange = _ranges(document, entry, ecosystem, passed)
    versions = tuple(entry.versions or ())
    if len(versions) > MOST_VERSIONS:
        passed.append(Skipped(document.id, "it lists too many versions", whole=False))
        return None
    status, note = _status(document, entry)
    if not ranges and not versions:
        if not strange:
            return None
        # nothing of it can be compared: told as open, never as clean
        status, note = "under-investigation", f"its ranges of type {strange} cannot be assessed"
        ranges = (Events("ECOSYSTEM", (("introduced", "0"),)),)
    return Affected(
        id=document.id,
        ecosystem=ecosystem,
        name=normalise(ecosystem, entry.package.name),
        ranges=ranges,
        versions=versions,
        status=status,
        severity=_severity(entry),
        feed=feed,
        arches=_texts(_get(entry.ecosystem_specific, "arch")),
        cpes=_products(entry.package.ecosystem),
        note=note,
    )


def _products(ecosystem: str) -> tuple[str, ...]:
    """The CPEs that Red Hat's spelling of an ecosystem names: `Red Hat:enterprise_linux:9::crb`."""
    name, _, product = ecosystem.partition(":")
    if name != "Red Hat" or ":" not in product:
        return ()
    return f"cpe:/a:redhat:{product}", f"cpe:/o:redhat:{product}"


def _ranges(
    document: _Document, entry: _Affected, ecosystem: str, passed: list[Skipped]
) -> tuple[tuple[Events, ...], str]:
    order = scheme(ecosystem)
    ranges: list[Events] = []
    strange = ""
    for given in entry.ranges or ():
        if given.type == "GIT":
            passed.append(Skipped(document.id, "a range of type GIT", whole=False))
        elif given.type not in ("ECOSYSTEM", "SEMVER"):
            strange = given.type[:40]
            passed.append(Skipped(document.id, f"a range of type {strange}", whole=False))
        else:
            pairs = (pair for event in given.events for pair in event.items())
            events = Events(given.type, tuple(pair for pair in pairs if pair[0] in _KINDS))
            ranges.append(ordered(events, order) if order else events)
    return tuple(ranges), strange


def _status(document: _Document, entry: _Affected) -> tuple[str, str]:
    if document.withdrawn:
        return "not-affected", f"the record was withdrawn on {document.withdrawn[:10]}"
    kind = _get(entry.database_specific, "informational")
    if isinstance(kind, str) and kind:
        return "informational", kind[:40]
    status = "fixed" if _fixed(entry) else "affected"
    return status, _note(entry.ecosystem_specific)


def _fixed(entry: _Affected) -> bool:
    return any("fixed" in event for given in entry.ranges or () for event in given.events)


def _severity(entry: _Affected) -> str:
    words = [
        _get(entry.ecosystem_specific, "severity"),
        _get(entry.ecosystem_specific, "urgency"),
        _get(entry.database_specific, "severity"),
        *(s.score for s in entry.severity or () if not s.type.startswith("CVSS")),
    ]
    return next((found for word in words if (found := level(word))), "")


def _note(specific: Any) -> str:
    """The symbols that are meant, in short: they tell whether the vulnerable code is called."""
    symbols: list[str] = []
    for part in _list(_get(specific, "imports")):
        path, names = _get(part, "path"), _texts(_get(part, "symbols"))
        symbols += [f"{path}: {name}" for name in names] or ([path] if path else [])
    symbols += _texts(_get(_get(specific, "affects"), "functions"))
    if _list(_get(specific, "custom_ranges")):
        return "its fixes stand in ranges that are not the module's versions"
    if not symbols:
        return ""
    more = f" and {len(symbols) - 3} more" if len(symbols) > 3 else ""
    return f"symbols {', '.join(map(str, symbols[:3]))}{more}"[:240]


def _get(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(text for text in _list(value) if isinstance(text, str))
