"""VEX: what an author says of vulnerabilities in a product, and which matches that settles.

Formats: OpenVEX 0.2, CycloneDX VEX 1.4 to 1.6, CSAF 2.0 (profile VEX). A statement counts only
where its product is this image (or a package of it), and `not_affected` only with a justification.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
from packageurl import PackageURL

from martello.core.image import parse_image
from martello.core.package import Inventory, Package
from martello.core.vulnerability import Aside, Match
from martello.practices.images.ecosystems import purl

SETTLED: Final = frozenset(("not_affected", "fixed"))


class Product(msgspec.Struct, frozen=True):
    """What a statement is about: a package URL or a digest, and the parts of it that are meant."""

    id: str
    parts: tuple[str, ...] = ()
    hashes: tuple[str, ...] = ()  # `sha256:…`


class Statement(msgspec.Struct, frozen=True):
    """One statement. `status` is not_affected, fixed, affected or under_investigation."""

    vulnerabilities: tuple[str, ...]  # its name and its aliases
    products: tuple[Product, ...]
    status: str
    justification: str = ""
    impact: str = ""
    author: str = ""
    time: str = ""  # RFC 3339: of several statements the latest counts
    source: str = ""  # the file


class Outcome(msgspec.Struct, frozen=True):
    """The matches that stay, those that are settled, and each statement that settled nothing."""

    found: tuple[Match, ...]
    aside: tuple[Aside, ...]
    idle: tuple[tuple[Statement, str], ...]  # with the reason


def apply(found: Iterable[Match], statements: Sequence[Statement], inventory: Inventory) -> Outcome:
    """Settles matches by statements; what a statement says is taken only for its own product."""
    by_name: dict[str, list[int]] = {}
    for number, statement in enumerate(statements):
        for name in statement.vulnerabilities:
            by_name.setdefault(name.upper(), []).append(number)
    reasons = dict.fromkeys(range(len(statements)), "its vulnerability was not found here")
    stay: list[Match] = []
    aside: list[Aside] = []
    image = _Image(inventory)
    for match in found:
        names = {match.id.upper(), *(alias.upper() for alias in match.aliases)}
        names.update(a.id.upper() for a in (match.advisory, *match.also))
        numbers = sorted({n for name in names for n in by_name.get(name, ())})
        meant = []
        for number in numbers:
            why = image.misses(statements[number], match.package)
            if why:
                reasons[number] = why
            else:
                meant.append(number)
        latest = max(meant, key=lambda n: (statements[n].time, n), default=None)
        for number in meant:
            reasons[number] = "a later statement on the same product replaces it"
        if latest is None:
            stay.append(match)
            continue
        decided = statements[latest]
        if decided.status not in SETTLED:
            reasons[latest] = ""
            stay.append(match)
        elif decided.status == "not_affected" and not (decided.justification or decided.impact):
            reasons[latest] = "it says not_affected without a justification"
            stay.append(match)
        else:
            reasons[latest] = ""
            aside.append(Aside(match.id, match.package, match.advisory, _told(decided), "vex"))
    idle = tuple((s, reasons[n]) for n, s in enumerate(statements) if reasons[n])
    return Outcome(tuple(stay), tuple(aside), idle)


def _told(statement: Statement) -> str:
    why = statement.justification or statement.impact
    said = f"{statement.status}{': ' + why if why else ''}"
    return f"{said} ({statement.author or 'no author'}, {statement.source})"


class _Image:
    """What products may call this image and its packages."""

    def __init__(self, inventory: Inventory) -> None:
        self._digests = {d for d in (inventory.digest, inventory.index, inventory.config) if d}
        self._reference = parse_image(inventory.name.partition("@")[0])
        self._arch = inventory.platform.architecture if inventory.platform else ""
        self._packages = (*inventory.packages, *inventory.projects)
        self._purls: dict[int, PackageURL | None] = {}
        self._inventory = inventory

    def misses(self, statement: Statement, package: Package) -> str:
        """Why a statement is not about this package of this image; empty where it is."""
        why = "it names no product"
        for product in statement.products:
            why = self._misses(product, package)
            if not why:
                return ""
        return why

    def _misses(self, product: Product, package: Package) -> str:
        if not self._is_image(product, package):
            url = _parse(product.id)
            if url is not None and not product.parts and self._covers(url, package):
                return ""
            return f"its product {product.id} is not this image"
        if not product.parts:
            return ""
        for part in product.parts:
            url = _parse(part)
            if url is not None and self._covers(url, package):
                return ""
        return "its subcomponents name another package or version"

    def _is_image(self, product: Product, package: Package) -> bool:
        if self._digests.intersection(product.hashes):
            return True
        if product.id.startswith(("sha256:", "sha512:")):
            return product.id in self._digests
        url = _parse(product.id)
        if url is None:
            other = parse_image(product.id)
            mine = self._reference
            if other is None or mine is None or other.name != mine.name:
                return False
            return not other.digest or other.digest in self._digests
        if url.type != "oci":
            # a program whose lock file this is, with the package as its part
            return bool(product.parts) and self._holds(url, package)
        return self._is_oci(url)

    def _is_oci(self, url: PackageURL) -> bool:
        if url.version and url.version not in self._digests:
            return False
        mine = self._reference
        given = url.qualifiers if isinstance(url.qualifiers, dict) else {}
        if mine is None:
            return bool(url.version)
        if url.name != mine.repository.rpartition("/")[2].lower():
            return False
        where = given.get("repository_url", "").removesuffix("/")
        if where:
            names = [where, f"{where}/{url.name}"]
            parsed = [p.name for p in map(parse_image, names) if p is not None]
            if mine.name not in parsed:
                return False
        if given.get("arch") and self._arch and given["arch"] != self._arch:
            return False
        return not (given.get("tag") and mine.tag and given["tag"] != mine.tag)

    def _holds(self, url: PackageURL, package: Package) -> bool:
        return any(
            other.path == package.path and self._covers(url, other) for other in self._packages
        )

    def _covers(self, pattern: PackageURL, package: Package) -> bool:
        key = id(package)
        if key not in self._purls:
            self._purls[key] = _parse(purl(package, self._inventory.system))
        url = self._purls[key]
        return url is not None and covers(pattern, url)


def covers(pattern: PackageURL, url: PackageURL) -> bool:
    """Whether a package URL is one that the pattern means: what the pattern leaves out is free."""
    if (pattern.type, pattern.name) != (url.type, url.name):
        return False
    if (pattern.namespace or "") != (url.namespace or ""):
        return False
    if pattern.version and pattern.version != url.version:
        return False
    wanted = pattern.qualifiers if isinstance(pattern.qualifiers, dict) else {}
    has: Mapping[str, str] = url.qualifiers if isinstance(url.qualifiers, dict) else {}
    return all(has.get(key, value) == value for key, value in wanted.items())


def _parse(text: str) -> PackageURL | None:
    if not text.startswith("pkg:") or len(text) > 4096:
        return None
    try:
        return PackageURL.from_string(text)
    except ValueError:
        return None
