"""What a report of images is made of; findings in the general form beside it."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from martello.core.approval import Judgement
from martello.core.package import Inventory, Package, Unread
from martello.core.vulnerability import LEVELS, Aside, Data, Match, Ruled
from martello.report.model import Report

# a system's own packages are shown by their source: that is what one updates together
_SOURCES: Final = frozenset(("deb", "apk", "rpm"))
_EARLY: Final = re.compile(r"~|[-._]?(?:alpha|beta|rc|pre|dev|snapshot|a|b|c|m)[-._]?$", re.I)


class Examined(msgspec.Struct, frozen=True):
    """One image, and everything that was found in it."""

    inventory: Inventory
    ruled: tuple[Ruled, ...] = ()
    aside: tuple[Aside, ...] = ()
    unread: tuple[Unread, ...] = ()  # of the image and of the matching
    data: Data = Data("")
    judgement: Judgement | None = None  # the strictest
    judgements: tuple[Judgement, ...] = ()  # of every policy that is meant, the strictest first
    notes: tuple[str, ...] = ()
    used: tuple[str, ...] = ()  # what runs it, where a cluster was asked


class Images(msgspec.Struct, frozen=True):
    """What the formats for images write. `report` holds the findings of all of them."""

    examined: tuple[Examined, ...]
    report: Report
    at: str  # RFC 3339, UTC: when it was judged


class Fix(msgspec.Struct, frozen=True):
    """The vulnerabilities that one update mends: a package (or a source package), from, to."""

    name: str
    version: str
    fixed: str
    kind: str  # the package type
    severity: str
    matches: tuple[Match, ...]
    packages: tuple[Package, ...]
    waived: int = 0


def fixes(examined: Examined, waived: bool = False) -> tuple[Fix, ...]:
    """The matches by what one updates to be rid of them, worst first. Waived ones on request."""
    groups: dict[tuple[str, str, str, str, bool], list[Ruled]] = {}
    for ruled in examined.ruled:
        if ruled.waived is not None and not waived:
            continue
        package = ruled.match.package
        own = package.type not in _SOURCES
        name = package.name if own else package.source or package.name
        version = package.version if own else ruled.match.compared
        path = package.path if own else ""
        # what no version mends yet is a line of its own: no update rids one of it
        key = (package.type, name, version, path, bool(ruled.match.fixed))
        groups.setdefault(key, []).append(ruled)
    found = [_fix(key, members) for key, members in groups.items()]
    return tuple(sorted(found, key=_order))


def _fix(key: tuple[str, str, str, str, bool], members: list[Ruled]) -> Fix:
    matches = sorted((m.match for m in members), key=_worst)
    # one version mends all: the highest that any of them names, in the order a person reads
    fixed = max((m.fixed for m in matches if m.fixed), key=_natural, default="")
    packages = tuple(dict.fromkeys(m.package for m in matches))
    waived = sum(1 for m in members if m.waived is not None)
    severity = min((weight(match) for match in matches), key=LEVELS.index)
    return Fix(key[1], key[2], fixed, key[0], severity, tuple(matches), packages, waived)


def weight(match: Match) -> str:
    """How much a match counts: its severity, or critical where it is known to be exploited."""
    return "critical" if match.exploited else match.severity


def ids(fix: Fix) -> tuple[str, ...]:
    """The vulnerabilities of a fix, worst first, each once."""
    return tuple(dict.fromkeys(match.id for match in fix.matches))


def _worst(match: Match) -> tuple[int, int, str]:
    return (0 if match.exploited else 1, LEVELS.index(match.severity), match.id)


def _order(fix: Fix) -> tuple[int, int, int, str, str]:
    exploited = 0 if any(match.exploited for match in fix.matches) else 1
    return LEVELS.index(fix.severity), exploited, 0 if fix.fixed else 1, fix.name, fix.version


def _natural(version: str) -> list[tuple[int, int, str]]:
    """Numbers by their size; `~` and words for what comes before a release sort below its end."""
    found: list[tuple[int, int, str]] = []
    for part in re.findall(r"[0-9]+|[^0-9]+", version):
        if part[0] in "0123456789":
            found.append((3, int(part[:18]), ""))
        else:
            found.append((0 if _EARLY.match(part) else 2, 0, part))
    return [*found, (1, 0, "")]


def short(digest: str) -> str:
    """A digest that a person can compare at a glance: `sha256:9f2c…e1`."""
    algorithm, _, digits = digest.partition(":")
    return f"{algorithm}:{digits[:8]}…{digits[-4:]}" if digits else ""
