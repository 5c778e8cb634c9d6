"""Reads what Ubuntu says of its packages: OSV records, and the files of its CVE tracker.

Sources: Ubuntu's description of its OSV data, and the README of ubuntu-cve-tracker. OSV records
tell fixed from not fixed and no more; the tracker's files say why something is not fixed. What is
fixed for subscribers only (`Ubuntu:Pro:22.04:LTS`, `esm-infra/jammy`) is affected without a fix
here, and says so: an image without a subscription cannot get it, one with it is not affected.
Special kernels and certified builds (FIPS, Realtime) are products of their own and are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from martello.core.vulnerability import Affected, Events, Vulnerability
from martello.practices.images.advisories import osv
from martello.practices.images.advisories.bundles import files_in
from martello.practices.images.advisories.record import (
    MOST_REFERENCES,
    Item,
    Record,
    Skipped,
    shortened,
    until,
)
from martello.practices.images.advisories.severity import level
from martello.practices.images.versions import scheme

TRACKER: Final = "ubuntu-tracker"
RELEASES: Final = {
    "trusty": "14.04",
    "xenial": "16.04",
    "bionic": "18.04",
    "focal": "20.04",
    "jammy": "22.04",
    "kinetic": "22.10",
    "lunar": "23.04",
    "mantic": "23.10",
    "noble": "24.04",
    "oracular": "24.10",
    "plucky": "25.04",
    "questing": "25.10",
    "resolute": "26.04",
}
_PRO: Final = re.compile(r"Ubuntu:Pro:(\d\d\.\d\d)\Z")
_SPECIAL: Final = re.compile(r"Ubuntu:Pro:")
_FILE: Final = re.compile(r"(?:.*/)?(?:active|retired)/CVE-\d{4}-\d{4,}\Z")
_LINE: Final = re.compile(
    r"(?:(esm-infra-legacy|esm-infra|esm-apps)/)?([a-z]+)(/esm)?_([A-Za-z0-9][A-Za-z0-9.+-]+):"
    r"\s*([A-Za-z-]+)\s*(?:\((.*)\))?\s*\Z"
)
_FIELD: Final = re.compile(r"([A-Z][A-Za-z-]*(?:_[^:\s]+)?):\s*(.*)\Z")
_LINK: Final = re.compile(r"https?://\S+\Z")
_ENDED: Final = re.compile(r"end[ -]of[ -](?:life|standard support)|out of standard support", re.I)
_STATUSES: Final = {
    "needed": "affected",
    "pending": "affected",
    "in-progress": "affected",
    "active": "affected",
    "needs-triage": "under-investigation",
    "deferred": "deferred",
    "ignored": "will-not-fix",
    "not-affected": "not-affected",
    "released": "fixed",
}


def read(path: Path, feed: str = "osv:Ubuntu") -> Iterator[Item]:
    """Ubuntu's OSV records, those of CVEs and of notices; records of others are left as they are.
    Raises BadInput.
    """
    for item in osv.read(path, feed):
        if isinstance(item, Skipped) or not any(
            row.ecosystem.startswith("Ubuntu") for row in item.affected
        ):
            yield item
        else:
            rows = tuple(_without_subscription(item.affected))
            yield Record(item.vulnerability, rows)


def _without_subscription(rows: tuple[Affected, ...]) -> Iterator[Affected]:
    """The statements for images without a subscription."""
    plain: dict[tuple[str, str], list[Affected]] = {}
    paid: dict[tuple[str, str], Affected] = {}
    for row in rows:
        pro = _PRO.match(row.ecosystem)
        if pro:
            paid[f"Ubuntu:{pro[1]}", row.name] = row
        elif not _SPECIAL.match(row.ecosystem):
            plain.setdefault((row.ecosystem, row.name), []).append(_lighter(row))
    for key, found in plain.items():
        other = paid.pop(key, None)
        if other is None or any(row.status == "fixed" for row in found):
            yield from found
        else:
            yield _only_paid(other, key[0], found[0].status)
    for key, row in paid.items():
        yield _only_paid(row, key[0], "affected")


def _only_paid(row: Affected, ecosystem: str, status: str) -> Affected:
    """What a subscriber's fix means for the others: none to go to, and affected below it."""
    fixed = [v for events in row.ranges for kind, v in events.events if kind == "fixed"]
    if not fixed:
        note = "only Ubuntu Pro still supports it" if row.status == "affected" else row.note
        return msgspec.structs.replace(_lighter(row), ecosystem=ecosystem, note=note)
    note = f"fixed in {fixed[0]}, with Ubuntu Pro only"
    return msgspec.structs.replace(
        row, ecosystem=ecosystem, ranges=below(fixed[0]), versions=(), status=status, note=note,
        released="",
    )  # fmt: skip


def below(version: str) -> tuple[Events, ...]:
    """All versions below one that is no fix to go to."""
    return (Events("ECOSYSTEM", (("introduced", "0"), ("limit", version))),)


def _lighter(row: Affected) -> Affected:
    """Without its list of versions, where the ranges hold all of them anyway."""
    order = scheme(row.ecosystem)
    if order is None or not row.versions or len(row.ranges) != 1:
        return row
    events = row.ranges[0].events
    ends = [version for kind, version in events if kind != "introduced"]
    if ("introduced", "0") not in events or len(events) - len(ends) != 1 or len(ends) > 1:
        return row
    kinds = {kind for kind, _ in events}
    if kinds - {"introduced", "fixed"}:
        return row
    if ends and any(order.compare(version, ends[0]) >= 0 for version in row.versions):
        return row
    return msgspec.structs.replace(row, versions=())


def read_tracker(path: Path) -> Iterator[Item]:
    """The files of the CVE tracker: a checkout, or an archive of one. Raises BadInput."""
    for found in files_in(path, lambda name: _FILE.match(name) is not None):
        if isinstance(found, Skipped):
            yield found
        else:
            yield parse_tracker(found[1], found[0])


class _Said(msgspec.Struct, frozen=True):
    status: str
    text: str


class _Entry(msgspec.Struct):
    """A tracker's file as far as it was read."""

    fields: dict[str, list[str]] = {}
    plain: dict[tuple[str, str], _Said] = {}  # (release, package)
    paid: dict[tuple[str, str], _Said] = {}


def parse_tracker(content: bytes, where: str) -> Item:
    """One file: `Field: value` with indented lines after it, `release_package: status (text)`."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    entry = _Entry()
    held: list[str] = []
    for line in text.splitlines():
        if line[:1] in (" ", "\t"):
            held.append(line.strip())
        elif (said := _LINE.match(line)) is not None:
            _say(entry, said)
            held = []
        elif (field := _FIELD.match(line)) is not None:
            held = [field[2]] if field[2] else []
            entry.fields[field[1]] = held
    id = (entry.fields.get("Candidate") or [""])[0]
    if not re.fullmatch(r"CVE-\d{4}-\d{4,}", id):
        return Skipped(where, "it names no candidate")
    return Record(_about(entry, id), tuple(_rows(entry, id)))


def _say(entry: _Entry, said: re.Match[str]) -> None:
    service, release, old, package, status, text = said.groups()
    number = RELEASES.get(release)
    if number is None or status not in _STATUSES:
        return  # upstream, a release in development, or it does not exist there
    table = entry.paid if service or old else entry.plain
    known = table.get((number, package))
    if known is None or known.status != "released":
        table[number, package] = _Said(status, text or "")


def _about(entry: _Entry, id: str) -> Vulnerability:
    def words(name: str) -> str:
        return " ".join(entry.fields.get(name, ())).strip()

    links = [line for line in entry.fields.get("References", ()) if _LINK.match(line)]
    vectors = re.findall(r"CVSS:3\.\d/\S+", words("CVSS"))
    text = words("Ubuntu-Description") or words("Description")
    return Vulnerability(
        id=id,
        summary=text if len(text) <= 200 else text[:198] + " …",
        details=shortened(text),
        vectors=tuple(("CVSS_V3", vector) for vector in sorted(set(vectors))),
        published=_time(words("PublicDate")),
        references=tuple(links[:MOST_REFERENCES]),
        feed=TRACKER,
    )


def _rows(entry: _Entry, id: str) -> Iterator[Affected]:
    for key in sorted({*entry.plain, *entry.paid}):
        number, package = key
        row = _row(entry.plain.get(key), entry.paid.get(key))
        severity = _severity(entry, package)
        yield msgspec.structs.replace(
            row, id=id, ecosystem=f"Ubuntu:{number}", name=package, severity=severity, feed=TRACKER
        )


def _row(plain: _Said | None, paid: _Said | None) -> Affected:
    """The statement of a release for images without a subscription."""
    said = plain or paid
    assert said is not None
    if paid is not None and (plain is None or plain.status not in ("released", "not-affected")):
        fixed = _version(paid)
        if paid.status == "released" and fixed:
            note = f"fixed in {fixed}, with Ubuntu Pro only"
            return Affected("", "", "", below(fixed), status="affected", note=note)
        if paid.status == "not-affected":
            said = paid
    status, note = _STATUSES[said.status], said.text[:240]
    if status == "fixed":
        fixed = _version(said)
        if not fixed:
            return Affected("", "", "", until(""), status="under-investigation",
                            note="released, without a version")  # fmt: skip
        return Affected("", "", "", until(fixed), status=status)
    if status == "not-affected":
        why = f"not affected ({note})" if note else "the release was never affected"
        return Affected("", "", "", status=status, note=why)
    if status == "will-not-fix" and _ENDED.search(note):
        status = "end-of-life"
    if said.status == "pending" and note:
        note = f"a fix is about to come out: {note}"
    return Affected("", "", "", until(""), status=status, note=note)


def _version(said: _Said) -> str:
    """The version in `released (1.2-3ubuntu1)`; empty where the text is none."""
    first = said.text.strip().partition(" ")[0].rstrip(",;")
    return first if first[:1].isdigit() else ""


def _severity(entry: _Entry, package: str) -> str:
    for name in (f"Priority_{package}", "Priority"):
        said = entry.fields.get(name)
        if said and (found := level(said[0].partition(" ")[0])):
            return found
    return ""


def _time(text: str) -> str:
    """RFC 3339 out of `2024-06-17 16:15:00 UTC` or `2024-06-17`; empty where it is none."""
    found = re.match(r"(\d{4}-\d\d-\d\d)(?: (\d\d:\d\d:\d\d))?", text)
    return f"{found[1]}T{found[2] or '00:00:00'}Z" if found else ""
