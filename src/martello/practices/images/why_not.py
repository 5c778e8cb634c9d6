"""Why a vulnerability is not reported for an image: each reason with what proves it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from martello.core.package import Inventory, Package, Unread
from martello.core.vulnerability import Affected, Aside, Ruled, Vulnerability
from martello.practices.images.ecosystems import family, normalise
from martello.practices.images.exceptions import names_of
from martello.practices.images.match import looked_up


class Records(Protocol):
    """What this asks of an advisory database."""

    def group(self, id: str) -> tuple[str, ...]:
        """All names of one vulnerability, itself among them."""
        ...

    def vulnerabilities(self, ids: Iterable[str]) -> Mapping[str, Vulnerability]:
        """The records of these ids."""
        ...

    def naming(self, ids: Iterable[str]) -> Sequence[Affected]:
        """What these records say of all packages."""
        ...


class Reason(msgspec.Struct, frozen=True):
    """One reason. `kind` is reported, waived, an Aside's kind, absent, other-release, uncovered,
    no-packages or unknown.
    """

    kind: str
    why: str
    package: Package | None = None
    record: str = ""


def why_not(
    id: str,
    inventory: Inventory,
    ruled: Sequence[Ruled],
    aside: Sequence[Aside],
    unread: Sequence[Unread],
    database: Records | None,
) -> tuple[Reason, ...]:
    """Every reason for which a vulnerability is not (or is) reported, the nearest first."""
    group = {name.upper() for name in (database.group(id) if database else ()) or (id,)}
    group.add(id.upper())
    told: list[Reason] = []
    for one in ruled:
        match = one.match
        if not group.intersection(map(str.upper, names_of(match))):
            continue
        if one.waived is None:
            why = f"{match.compared} is in {match.range}"
            told.append(Reason("reported", why, match.package, match.advisory.id))
        else:
            until = f" until {one.waived.until}" if one.waived.until else ""
            why = f"waived by {one.waived.by}{until}: {one.waived.reason or 'no reason given'}"
            told.append(Reason("waived", why, match.package, match.advisory.id))
    for entry in aside:
        if {entry.id.upper(), entry.advisory.id.upper()} & group:
            told.append(Reason(entry.kind, entry.why, entry.package, entry.advisory.id))
    if told:
        return tuple(told)
    if database is None:
        return (Reason("no-data", "there is no advisory database"),)
    records = database.vulnerabilities(group | {id})
    said = database.naming([*records, *database.group(id)])
    if not records and not said:
        why = "no record of the database has this name or alias"
        return (Reason("unknown", why), *_uncovered(unread))
    return (*_absent(said, inventory), *_uncovered(unread)) or (
        Reason("absent", "its records name no package at all"),
    )


def _absent(said: Sequence[Affected], inventory: Inventory) -> list[Reason]:
    """The packages that records speak of and the image does not have, or has of elsewhere."""
    installed: dict[str, list[Package]] = {}
    for package in inventory.packages:
        name = normalise(package.ecosystem, looked_up(package))
        installed.setdefault(name, []).append(package)
    told: dict[str, Reason] = {}
    for affected in said:
        here = installed.get(affected.name, [])
        same = [p for p in here if family(p.ecosystem) == family(affected.ecosystem)]
        if same:
            why = f"the record is of {affected.ecosystem}, the package of {same[0].ecosystem}"
            told.setdefault(why, Reason("other-release", why, same[0], affected.id))
        elif here:
            where = here[0].ecosystem or here[0].type
            why = f"{affected.name} of {affected.ecosystem} is meant, the image has that of {where}"
            told.setdefault(why, Reason("absent", why, here[0], affected.id))
        else:
            why = f"{affected.name} ({family(affected.ecosystem)}) is not installed"
            told.setdefault(why, Reason("absent", why, None, affected.id))
    return sorted(told.values(), key=lambda r: (r.package is None, r.why))


def _uncovered(unread: Sequence[Unread]) -> list[Reason]:
    return [Reason("uncovered", str(entry)) for entry in unread]
