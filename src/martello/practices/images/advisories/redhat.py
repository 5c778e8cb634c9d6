"""Reads Red Hat's CSAF VEX documents, one a CVE: what each product says of each package.

Source: Red Hat's guidelines for CSAF and VEX documents, and the CSAF 2.0 standard. Products are
named by CPE, packages by package URL; a relationship says that a package, or a module with its
packages, is part of a product. A fixed package has a version and an architecture, an unfixed one
neither; `arch=src` stands beside the binary packages, which are the ones that count here. Why an
unfixed one stays so is said by its remediation: `none_available` (affected, or deferred) and
`no_fix_planned` (will not be fixed, or is out of support).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec

from martello.core.errors import BadInput
from martello.core.vulnerability import Affected, Vulnerability
from martello.practices.images.advisories.archive import Limits
from martello.practices.images.advisories.bundles import files_in
from martello.practices.images.advisories.products import product
from martello.practices.images.advisories.record import (
    MOST_REFERENCES,
    Item,
    Record,
    Skipped,
    shortened,
    until,
)
from martello.practices.images.advisories.severity import level
from martello.practices.images.ecosystems import parse_purl

FEED: Final = "redhat-vex"
LIMITS: Final = Limits(record=64 << 20, total=256 << 30)
_MOST_ROWS: Final = 200_000  # of one document
_CVE: Final = re.compile(r"CVE-\d{4}-\d{4,}\Z")
_BULLETIN: Final = re.compile(r"RH[SBE]A-\d{4}:\d+")
_MAJOR: Final = (
    re.compile(r"cpe:/[ao]:redhat:enterprise_linux:(\d+)"),
    re.compile(r"::el(\d+)"),
    re.compile(r"cpe:/[ao]:redhat:(?:rhel|enterprise_linux)_[a-z]{2,}\d?[a-z]?:(\d+)\.\d+"),
)
_BUILT_FOR: Final = re.compile(r"[.+]el(\d+)")
_OLDER: Final = re.compile(r"([\w.+-]+:[\w.+-]+)/[\w.+-]+\Z")  # `nodejs:18/nodejs`
_ZERO: Final = re.compile(r"\+00:00\Z")
_SYMBOLS: Final = ("-debuginfo", "-debugsource", "-debuginfo-common")  # hold no code that runs
_NESTED: Final = 5  # relationships of relationships
# (category of the remediation, word in its details) → status
_UNFIXED: Final = {
    "none_available": (("defer", "deferred"), ("", "affected")),
    "no_fix_planned": (("support", "end-of-life"), ("", "will-not-fix")),
}


class _Helper(msgspec.Struct, frozen=True):
    cpe: str = ""
    purl: str = ""


class _Product(msgspec.Struct, frozen=True):
    product_id: str = ""
    product_identification_helper: _Helper = _Helper()


class _Branch(msgspec.Struct, frozen=True):
    product: _Product | None = None
    branches: list[_Branch] | None = None


class _Relationship(msgspec.Struct, frozen=True):
    product_reference: str
    relates_to_product_reference: str
    full_product_name: _Product


class _Tree(msgspec.Struct, frozen=True):
    branches: list[_Branch] | None = None
    full_product_names: list[_Product] | None = None
    relationships: list[_Relationship] | None = None


class _Said(msgspec.Struct, frozen=True):
    """A remediation or a threat."""

    category: str = ""
    details: str = ""
    date: str = ""
    url: str = ""
    text: str = ""  # of a note
    product_ids: list[str] | None = None


class _Vector(msgspec.Struct, frozen=True, rename="camel"):
    vector_string: str = ""


class _Score(msgspec.Struct, frozen=True):
    cvss_v3: _Vector = _Vector()


class _Vulnerability(msgspec.Struct, frozen=True):
    cve: str = ""
    release_date: str = ""
    product_status: dict[str, list[str]] | None = None
    remediations: list[_Said] | None = None
    threats: list[_Said] | None = None
    scores: list[_Score] | None = None
    notes: list[_Said] | None = None
    references: list[_Said] | None = None


class _Tracking(msgspec.Struct, frozen=True):
    id: str = ""
    status: str = ""
    current_release_date: str = ""


class _Head(msgspec.Struct, frozen=True):
    tracking: _Tracking = _Tracking()
    title: str = ""


class _Document(msgspec.Struct, frozen=True):
    document: _Head
    product_tree: _Tree = _Tree()
    vulnerabilities: list[_Vulnerability] | None = None


class _Component(msgspec.Struct, frozen=True):
    """A package as part of a product."""

    cpe: str
    purl: str
    module: str


_DECODER: Final = msgspec.json.Decoder(_Document)


def read(path: Path) -> Iterator[Item]:
    """The documents of a folder or of a tar archive, one at a time. Raises BadInput where it
    cannot be read.
    """
    for found in files_in(path, lambda name: name.endswith(".json"), LIMITS):
        if isinstance(found, Skipped):
            yield found
        else:
            yield from parse(found[1], found[0])


def parse(content: bytes, where: str = "document") -> Iterator[Item]:
    """One document: a record for each of its vulnerabilities; none where it was deleted."""
    try:
        document = _DECODER.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        yield Skipped(where, f"it is no CSAF document: {error}"[:200])
        return
    if document.document.tracking.status == "deleted":
        return
    tree = _Products(document.product_tree)
    for vulnerability in document.vulnerabilities or ():
        if not _CVE.match(vulnerability.cve):
            yield Skipped(where, "it names no CVE")
            continue
        rows = _rows(vulnerability, tree)
        if len(rows) > _MOST_ROWS:
            yield Skipped(vulnerability.cve, "it speaks of too many packages")
            continue
        if tree.nameless:
            yield Skipped(vulnerability.cve, "a package without a package URL", whole=False)
        yield Record(_about(vulnerability, document.document), tuple(_joined(rows)))


def _about(vulnerability: _Vulnerability, head: _Head) -> Vulnerability:
    notes = {note.category: note.text for note in vulnerability.notes or ()}
    vectors = {s.cvss_v3.vector_string for s in vulnerability.scores or ()} - {""}
    urls = (link.url for link in vulnerability.references or ())
    return Vulnerability(
        id=vulnerability.cve,
        summary=head.title[:500],
        details=shortened(notes.get("description", "")),
        vectors=tuple(("CVSS_V3", vector) for vector in sorted(vectors)),
        published=_time(vulnerability.release_date),
        modified=_time(head.tracking.current_release_date),
        references=tuple(url for url in urls if url)[:MOST_REFERENCES],
        feed=FEED,
    )


def _rows(vulnerability: _Vulnerability, tree: _Products) -> dict[Affected, set[str]]:
    """What is said of each package, with the architectures it is said of."""
    words = {
        id: level(threat.details)
        for threat in vulnerability.threats or ()
        if threat.category == "impact"
        for id in threat.product_ids or ()
    }
    remedies: dict[str, _Said] = {}
    for said in vulnerability.remediations or ():
        if said.category == "vendor_fix" or said.category in _UNFIXED:
            for id in said.product_ids or ():
                remedies.setdefault(id, said)
    found: dict[Affected, set[str]] = {}
    for kind, ids in (vulnerability.product_status or {}).items():
        for id in ids:
            component = tree.component(id)
            if component is not None:
                row = _row(vulnerability.cve, kind, component, words.get(id, ""), remedies.get(id))
                if row is not None:
                    found.setdefault(row[0], set()).add(row[1])
    return found


def _row(
    cve: str, kind: str, component: _Component, word: str, remedy: _Said | None
) -> tuple[Affected, str] | None:
    """One statement, and the architecture it is made of."""
    if "arch=src" in component.purl or (kind == "known_not_affected" and "@" in component.purl):
        return None  # most of what a document says: told before the work of reading it
    try:
        package = parse_purl(component.purl)
    except BadInput:
        return None
    name, version = package.name, package.version
    if name.endswith(_SYMBOLS):
        return None
    major = _major(component.cpe, version)
    said = _status(kind, version, remedy)
    if not major or said is None:
        return None
    status, note = said
    row = Affected(
        id=cve,
        ecosystem=f"Red Hat:{major}",
        name=name,
        ranges=() if status == "not-affected" else until(version if status == "fixed" else ""),
        status=status,
        severity=word,
        feed=FEED,
        module=component.module or ":".join(package.module.split(":")[:2]),
        cpes=(product(component.cpe),),
        note=note,
        released=_time(remedy.date) if remedy is not None and status == "fixed" else "",
    )
    return row, package.arch


def _status(kind: str, version: str, remedy: _Said | None) -> tuple[str, str] | None:
    """Status and note; None where nothing is said that a package could be matched with."""
    if kind == "fixed":
        bulletin = _BULLETIN.search(remedy.url) if remedy else None
        return ("fixed", f"fixed by {bulletin[0]}" if bulletin else "") if version else None
    if kind == "under_investigation":
        return "under-investigation", "Red Hat has not decided yet"
    if kind == "known_affected":
        if remedy is None or remedy.category not in _UNFIXED:
            return "affected", ""
        told = remedy.details.lower()
        status = next(s for word, s in _UNFIXED[remedy.category] if word in told)
        return status, remedy.details[:120]
    if kind == "known_not_affected":
        return "not-affected", "Red Hat says that it is not affected"
    return None


def _joined(rows: dict[Affected, set[str]]) -> Iterator[Affected]:
    """The same said of several products at once; architectures only where there is no package for
    all of them.
    """
    products: dict[tuple[Affected, tuple[str, ...]], set[str]] = {}
    for row, arches in rows.items():
        named = () if arches & {"noarch", ""} else tuple(sorted(arches))
        key = msgspec.structs.replace(row, cpes=()), named
        products.setdefault(key, set()).update(row.cpes)
    for (row, named), cpes in products.items():
        yield msgspec.structs.replace(row, arches=named, cpes=tuple(sorted(cpes)))


class _Products:
    """The products of a document, and what is part of what."""

    def __init__(self, tree: _Tree) -> None:
        self._helpers: dict[str, _Helper] = {}
        self._add(tree.branches or ())
        for named in tree.full_product_names or ():
            self._helpers[named.product_id] = named.product_identification_helper
        self.nameless = False  # whether a package of Red Hat's has no package URL
        self._parts = {r.full_product_name.product_id: r for r in tree.relationships or ()}

    def _add(self, branches: list[_Branch] | tuple[()]) -> None:
        for branch in branches:
            if branch.product is not None:
                helper = branch.product.product_identification_helper
                self._helpers[branch.product.product_id] = helper
            self._add(branch.branches or ())

    def component(self, id: str) -> _Component | None:
        """The rpm package of Red Hat's that a product id means; None where it means another."""
        part = self._parts.get(id)
        if part is None:
            return None
        name, within, module = part.product_reference, part.relates_to_product_reference, ""
        for _ in range(_NESTED):
            outer = self._parts.get(name)
            if outer is None:
                break
            name = outer.product_reference
        for _ in range(_NESTED):
            outer = self._parts.get(within)
            if outer is None:
                break
            module = _module(self._purl(outer.product_reference)) or module
            within = outer.relates_to_product_reference
        purl = self._purl(name)
        cpe = self._helpers.get(within, _Helper()).cpe
        if not purl.startswith("pkg:rpm/redhat/") or not cpe:
            self.nameless |= not purl and bool(_release_of(cpe))
            return None
        older = _OLDER.match(name)
        if not module and older:
            module = older[1]
        return _Component(cpe, purl, module)

    def _purl(self, id: str) -> str:
        return self._helpers.get(id, _Helper()).purl


def _module(purl: str) -> str:
    """`name:stream` of `pkg:rpmmod/redhat/nodejs@18:8090020231018…`."""
    if not purl.startswith("pkg:rpmmod/"):
        return ""
    name, _, version = purl.partition("?")[0].rpartition("/")[2].partition("@")
    stream = version.replace("%3A", ":").partition(":")[0]
    return f"{name}:{stream}" if stream else ""


@lru_cache(maxsize=4096)
def _release_of(cpe: str) -> str:
    return next((found[1] for pattern in _MAJOR if (found := pattern.search(cpe))), "")


def _major(cpe: str, version: str) -> str:
    """The major release of Red Hat Enterprise Linux that a product is for; empty: not known."""
    built = _BUILT_FOR.search(version)
    return _release_of(cpe) or (built[1] if built else "")


def _time(text: str) -> str:
    return _ZERO.sub("Z", text)
