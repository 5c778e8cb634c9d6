"""Inventory and advisories make matches, with their evidence, and what was set aside and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import msgspec

from martello.core.package import Inventory, Package, Unread
from martello.core.vulnerability import (
    LEVELS,
    UNKNOWN,
    Affected,
    Aside,
    Feed,
    Match,
    Vulnerability,
)
from martello.practices.images.advisories.products import products_of
from martello.practices.images.advisories.ranges import Held, fix, holds
from martello.practices.images.applies import DISTRIBUTIONS, kernel, meant_for_another, unclear
from martello.practices.images.ecosystems import BY_SOURCE, family, normalise
from martello.practices.images.versions import Scheme, scheme

Key = tuple[str, str]  # ecosystem with its release, normalised name


class Advisories(Protocol):
    """What matching asks of an advisory database."""

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """The feeds that the records came from."""
        ...

    def covers(self, ecosystem: str) -> bool:
        """Whether a feed speaks of this ecosystem and release at all."""
        ...

    def about(self, pairs: Iterable[Key]) -> Mapping[Key, Sequence[Affected]]:
        """All that the records say of these packages."""
        ...

    def artefacts(self, names: Iterable[str]) -> frozenset[str]:
        """Those of these names that are an artefact of any Maven group that records speak of."""
        ...

    def vulnerabilities(self, ids: Iterable[str]) -> Mapping[str, Vulnerability]:
        """The records of these ids, as far as there are any."""
        ...

    def products(self, repository: str) -> tuple[str, ...]:
        """The CPEs of one of Red Hat's repositories."""
        ...

    def group(self, id: str) -> tuple[str, ...]:
        """All names of one vulnerability, itself among them."""
        ...


class Settings(msgspec.Struct, frozen=True):
    """What counts as a match."""

    informational: bool = False  # unmaintained, unsound: no vulnerability by default
    dev: bool = False  # development dependencies of lock files
    severity_from: tuple[str, ...] = ("distro", "advisory", "nvd")
    container: bool = True  # the kernel is the node's
    # CPEs of the installed repositories; None: what the system says of itself
    products: frozenset[str] | None = None


class Matches(msgspec.Struct, frozen=True):
    """The answer: matches worst first, what was set aside, and what could not be assessed."""

    found: tuple[Match, ...] = ()
    aside: tuple[Aside, ...] = ()
    unread: tuple[Unread, ...] = ()
    packages: int = 0  # that were assessed


class _Verdict(msgspec.Struct):
    """One record against one package: the range that held, or why it does not count."""

    affected: Affected
    held: Held | None = None
    kind: str = ""
    why: str = ""


def match(inventory: Inventory, database: Advisories, settings: Settings | None = None) -> Matches:
    """Every record that holds for a package of the inventory. Pure; what cannot be compared is
    unread, never clean.
    """
    settings = settings or Settings()
    if settings.products is None:
        products = products_of(inventory.system, database)
        settings = msgspec.structs.replace(settings, products=products)
    unread: list[Unread] = []
    packages = _assessable(inventory, database, unread)
    records = database.about({key for package in packages for key in _keys(package)})
    spoken = _spoken(packages, records)
    # a library whose group is not known may be any artefact of its name
    plain = {p.name for p in packages if p.type == "maven" and ":" not in p.name}
    unplaced = database.artefacts(plain) if plain else frozenset()
    verdicts: list[tuple[Package, list[_Verdict]]] = []
    for package in packages:
        said = records.get(_key(package))
        if said is None and package.name in unplaced:
            why = "its Maven group is not known, and advisories speak of such an artefact"
            unread.append(Unread("Java library", f"{package.name} {package.version}", why))
        elif said and not compared(package):
            why = "its version is not known, and advisories speak of it"
            unread.append(Unread(f"{package.ecosystem} package", package.name, why))
        elif said:
            owned = package.owner in spoken
            verdicts.append((package, _verdicts(package, said, settings, unread, owned)))
    return _gathered(verdicts, database, settings, unread, len(packages))


def compared(package: Package) -> str:
    """The version that advisories of the package's ecosystem speak of."""
    if _by_source(package):
        return package.source_version or package.version
    return package.version


def looked_up(package: Package) -> str:
    """The name that advisories of the package's ecosystem speak of."""
    return package.source or package.name if _by_source(package) else package.name


def _by_source(package: Package) -> bool:
    return family(package.ecosystem) in BY_SOURCE


def _key(package: Package) -> Key:
    return package.ecosystem, normalise(package.ecosystem, looked_up(package))


def _keys(package: Package) -> Iterator[Key]:
    """Its own key; for one of a distribution also that of its source, which tells whether the feed
    knows it.
    """
    yield _key(package)
    if package.source and package.type in DISTRIBUTIONS:
        yield package.ecosystem, normalise(package.ecosystem, package.source)


def _spoken(packages: Sequence[Package], records: Mapping[Key, Sequence[Affected]]) -> set[str]:
    """The distribution's packages of which its feed says anything: what they own is its matter. Of
    those that come from elsewhere (a vendor's own repository) no distribution speaks.
    """
    known = {
        (package.ecosystem, package.source or package.name)
        for package in packages
        if package.type in DISTRIBUTIONS and any(key in records for key in _keys(package))
    }
    return {
        package.name
        for package in packages
        if package.type in DISTRIBUTIONS
        and (package.ecosystem, package.source or package.name) in known
    }


def _assessable(inventory: Inventory, database: Advisories, unread: list[Unread]) -> list[Package]:
    """The packages for which there are advisories; the others are told, by ecosystem."""
    packages: list[Package] = []
    missing: dict[tuple[str, str], int] = {}
    covered: dict[str, bool] = {}
    for package in inventory.packages:
        ecosystem = package.ecosystem
        if not ecosystem:
            known = inventory.system.name or inventory.system.id if inventory.system else ""
            unknown = f"no advisories are known for {known or package.type}"
            where = package.type
            missing[where, unknown] = missing.get((where, unknown), 0) + 1
            continue
        if ecosystem not in covered:
            covered[ecosystem] = database.covers(ecosystem)
        if covered[ecosystem]:
            packages.append(package)
        else:
            why = f"no {ecosystem} data in the database"
            missing[ecosystem, why] = missing.get((ecosystem, why), 0) + 1
    for (where, why), count in sorted(missing.items()):
        unread.append(Unread(f"{count} {where} package{'' if count == 1 else 's'}", "", why))
    return packages


def _verdicts(
    package: Package,
    said: Sequence[Affected],
    settings: Settings,
    unread: list[Unread],
    owned: bool,
) -> list[_Verdict]:
    order = scheme(package.ecosystem)
    if order is None:
        why = f"the order of {package.ecosystem} versions is not known"
        unread.append(Unread("package", package.name, why))
        return []
    why = unclear(package, said)
    if why:
        unread.append(Unread("package", package.name, why))
    return [_verdict(package, affected, order, settings, owned) for affected in said]


def _verdict(
    package: Package, affected: Affected, order: Scheme, settings: Settings, owned: bool
) -> _Verdict:
    def aside(kind: str, why: str) -> _Verdict:
        return _Verdict(affected, kind=kind, why=why)

    if owned:
        return aside("owner", f"it belongs to the package {package.owner} of the distribution")
    if package.dev and not settings.dev:
        return aside("dev", "it is a development dependency")
    if affected.status == "not-affected":
        return aside("status", affected.note or "the feed says that it is not affected")
    if affected.status == "informational" and not settings.informational:
        return aside("status", affected.note or "the record informs, and names no vulnerability")
    if settings.container and kernel(package):
        return aside("kernel", "a container runs the kernel of its node")
    elsewhere = meant_for_another(affected, package, settings.products)
    if elsewhere is not None:
        return aside(*elsewhere)
    held = holds(affected, compared(package), order)
    if held is None:
        return aside("version", f"{compared(package)} is in none of its ranges")
    return _Verdict(affected, held)


def _gathered(
    verdicts: list[tuple[Package, list[_Verdict]]],
    database: Advisories,
    settings: Settings,
    unread: list[Unread],
    count: int,
) -> Matches:
    """One match for each package and alias group; the distribution's own word decides."""
    ids = {v.affected.id for _, said in verdicts for v in said}
    groups = {id: database.group(id) or (id,) for id in ids}
    names = ids.union(*groups.values()) if groups else ids
    records = database.vulnerabilities(names)
    found: list[Match] = []
    aside: list[Aside] = []
    for package, said in verdicts:
        by_group: dict[tuple[str, ...], list[_Verdict]] = {}
        for verdict in said:
            by_group.setdefault(groups[verdict.affected.id], []).append(verdict)
        for group, members in by_group.items():
            live = []
            for member in members:
                record = records.get(member.affected.id)
                if record is not None and record.withdrawn:
                    why = f"the record was withdrawn on {record.withdrawn[:10]}"
                    member = _Verdict(member.affected, kind="withdrawn", why=why)
                live.append(member)
            best = min(_feed_rank(member.affected.feed) for member in live)
            deciding = [m for m in live if _feed_rank(m.affected.feed) == best]
            if any(m.held is not None for m in deciding):
                found.append(_matched(package, group, deciding, live, records, settings))
            else:
                aside += [_set_aside(package, group, member, best) for member in live]
    found.sort(key=_order)
    aside.sort(key=lambda a: (a.id, a.package.name, a.package.version, a.advisory.id))
    return Matches(tuple(found), tuple(aside), tuple(dict.fromkeys(unread)), count)


def _set_aside(package: Package, group: tuple[str, ...], member: _Verdict, best: int) -> Aside:
    kind, why = member.kind, member.why
    if member.held is not None:  # another feed holds it, the distribution's own does not
        kind, why = "status", "the distribution's own feed says otherwise, and decides"
    return Aside(named(group), package, member.affected, why, kind)


def _feed_rank(feed: str) -> int:
    """A distribution's own feed decides over what others gather of it."""
    return 1 if feed.startswith("osv") else 0


def named(group: Iterable[str]) -> str:
    """What a vulnerability is called: its CVE, else its GHSA, else the first of its names."""
    ids = sorted(group)
    for start in ("CVE-", "GHSA-"):
        for id in ids:
            if id.startswith(start):
                return id
    return ids[0]


def _matched(
    package: Package,
    group: tuple[str, ...],
    deciding: list[_Verdict],
    members: list[_Verdict],
    records: Mapping[str, Vulnerability],
    settings: Settings,
) -> Match:
    holding = [m for m in deciding if m.held is not None]
    order = scheme(package.ecosystem)
    assert order is not None
    # one without a fix is told as such
    holding.sort(key=lambda m: m.affected.id)
    holding.sort(key=lambda m: order.key(m.held.fixed) if m.held and m.held.fixed else b"")
    said = [m.affected for m in deciding if m.kind in ("", "version")]
    fixed = fix([m.held.fixed for m in holding if m.held and m.held.fixed], said, order)
    latest = holding[-1] if fixed else holding[0]
    first = next((m for m in holding if m.held and m.held.fixed == fixed), latest)
    assert first.held is not None
    id = named(group)
    about = [records[name] for name in (id, first.affected.id, *group) if name in records]
    severity, whose = _severity(first.affected, holding, about, settings.severity_from)
    own = records.get(first.affected.id)
    return Match(
        id=id,
        package=package,
        compared=compared(package),
        advisory=first.affected,
        status="fixed" if fixed else first.affected.status.replace("fixed", "affected"),
        severity=severity,
        severity_from=whose,
        fixed=fixed,
        fixed_at=first.affected.released or _published(own) if fixed else "",
        aliases=tuple(sorted(set(group) - {id})),
        also=tuple(m.affected for m in members if m is not first),
        title=next((r.summary for r in about if r.summary), ""),
        exploited=next((r.exploited for r in about if r.exploited), ""),
        epss=max((r.epss for r in about), default=-1.0),
        range=first.held.words,
        references=next((r.references for r in about if r.references), ()),
    )


def _published(record: Vulnerability | None) -> str:
    return record.published or record.modified if record else ""


def _severity(
    first: Affected,
    holding: list[_Verdict],
    about: list[Vulnerability],
    sources: Sequence[str],
) -> tuple[str, str]:
    """The first source that says something; between records of one source the worst counts."""
    for source in sources:
        if source == "distro":
            words = [m.affected.severity for m in holding]
        elif source == "advisory":
            words = [r.severity for r in about]
        else:
            words = [level for r in about for whose, level in r.severities if whose == source]
        levels = [word for word in words if word in LEVELS and word != UNKNOWN]
        if levels:
            return min(levels, key=LEVELS.index), _whose(source, first)
    return UNKNOWN, ""


def _whose(source: str, first: Affected) -> str:
    return first.feed or source if source in ("distro", "advisory") else source


def _order(found: Match) -> tuple[int, int, str, str, str, str]:
    package = found.package
    exploited = 0 if found.exploited else 1
    level = LEVELS.index(found.severity)
    return level, exploited, package.name, package.version, found.id, package.path
