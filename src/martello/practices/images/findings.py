"""What is wrong with one image, in the general form of findings that every report knows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Final

from martello.core.finding import Finding, Waived
from martello.core.image import parse_image
from martello.core.package import Inventory, Leak, Package, titled
from martello.core.path import Path
from martello.core.resource import Location, Ref
from martello.core.vulnerability import Match, Ruled

# An advisory without a score may be anything: it is told between high and low, never as low.
_SEVERITY: Final = {"negligible": "low", "unknown": "medium"}
_ROOT: Final = frozenset(("", "0", "root"))


def ref_of(inventory: Inventory) -> Ref:
    """An image as the subject of findings."""
    return Ref("", "martello.dev/v1alpha1", "Image", "", titled(inventory))


def findings(
    inventory: Inventory, ruled: Iterable[Ruled], *, today: str, end_of_life: str = ""
) -> tuple[Finding, ...]:
    """Findings of an image: vulnerable packages (IMG-001), known exploited ones (IMG-003), a system
    past its `end_of_life` (IMG-002), secrets (IMG-009), root as its user (IMG-011).
    """
    found = [_vulnerable(inventory, one.match, one.waived) for one in ruled]
    if end_of_life and end_of_life < today:
        found.append(_ended(inventory, end_of_life))
    found += [_leak(inventory, leak) for leak in inventory.leaks]
    found += _root(inventory)
    return tuple(found)


def version_of(match: Match) -> str:
    """The package as people know it: its own name and version, its source beside where it tells."""
    package = match.package
    if package.source and package.source != package.name:
        return f"{package.name} {package.version} (of {package.source} {match.compared})"
    return f"{package.name} {package.version}"


def _vulnerable(inventory: Inventory, match: Match, waived: Waived | None) -> Finding:
    check = "IMG-003" if match.exploited else "IMG-001"
    fix = f"Update {match.package.name} to {match.fixed}." if match.fixed else ""
    told = f"{match.id}: {match.title}" if match.title else match.id
    message = f"{version_of(match)} has {told}"
    message += f"; exploited since {match.exploited}" if match.exploited else ""
    evidence = [f"{match.advisory.id}: {match.range}"]
    if match.package.path:
        evidence.append(f"{match.package.path} ({_where(match.package)})")
    severity = "critical" if match.exploited else match.severity
    return Finding(
        check=check,
        ref=ref_of(inventory),
        path=("packages", match.package.name, match.id),
        location=Location(inventory.name),
        message=message,
        severity=_SEVERITY.get(severity, severity),
        elements=(match.package.name,),
        evidence=tuple(evidence),
        fix=fix or "There is no fixed version yet: leave the package out, or accept the risk.",
        waived=waived,
        fingerprint=_fingerprint(
            inventory, check, match.package.name, match.package.path, match.id
        ),
        cause=f"{check}/{match.package.source or match.package.name}",
    )


def _where(package: Package) -> str:
    return f"layer {package.layer + 1}" if package.layer >= 0 else "no layer"


def _ended(inventory: Inventory, end_of_life: str) -> Finding:
    system = inventory.system
    name = (system.name or f"{system.id} {system.version}") if system else "its distribution"
    return Finding(
        check="IMG-002",
        ref=ref_of(inventory),
        path=("system",),
        location=Location(inventory.name),
        message=f"{name} gets no security fixes since {end_of_life}",
        severity="high",
        fix="Build the image on a release that is still maintained.",
        fingerprint=_fingerprint(inventory, "IMG-002", name),
    )


def _leak(inventory: Inventory, leak: Leak) -> Finding:
    gone = ", which a later layer deletes: it is still there" if leak.removed else ""
    where = f"{leak.path}:{leak.line}" if leak.line else leak.path
    path: Path = ("layers", leak.layer, leak.path) if leak.layer >= 0 else ("files", leak.path)
    return Finding(
        check="IMG-009",
        ref=ref_of(inventory),
        path=path,
        location=Location(inventory.name),
        message=f"{where} holds {leak.title}{gone}",
        severity=_SEVERITY.get(leak.severity, leak.severity),
        elements=(leak.path,),
        evidence=(leak.shown,) if leak.shown else (),
        fix="Revoke it, and build the image without it: a build secret leaves nothing behind.",
        fingerprint=_fingerprint(inventory, "IMG-009", leak.rule, leak.path, str(leak.line)),
        cause=f"IMG-009/{leak.path}",
    )


def _root(inventory: Inventory) -> Iterator[Finding]:
    user = inventory.user.partition(":")[0]
    if not inventory.config or user not in _ROOT:
        return
    yield Finding(
        check="IMG-011",
        ref=ref_of(inventory),
        path=("config", "User"),
        location=Location(inventory.name),
        message=f"runs as {user or 'root, for it names no user'}",
        severity="low",
        fix="Name a user in the image, by number: USER 65532.",
        fingerprint=_fingerprint(inventory, "IMG-011"),
    )


def _fingerprint(inventory: Inventory, *parts: str) -> str:
    """The same for every build of an image: its repository counts, neither tag nor digest."""
    reference = parse_image(inventory.name)
    name = reference.name if reference is not None else inventory.name
    platform = str(inventory.platform) if inventory.index else ""
    text = "\0".join((name, platform, *parts))
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]
