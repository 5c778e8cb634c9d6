"""JSON of images: the document `martello/v1`, with an entry for each image in `images`."""

from __future__ import annotations

from typing import IO, Any

import msgspec

from martello.core.package import Inventory, Package
from martello.core.vulnerability import Affected, Aside, Data, Ruled
from martello.report import json
from martello.report.images.model import Examined, Images


def write(images: Images, out: IO[str]) -> None:
    """Writes the general report, and every package, match and reason of each image. Times are
    those of images and feeds only: the same input gives the same bytes.
    """
    json.write(images.report, out, more=(("images", map(image, images.examined)),))


def image(examined: Examined) -> dict[str, Any]:
    """One image as plain data."""
    inventory = examined.inventory
    return {
        **_described(inventory),
        "packages": [package(p) for p in inventory.packages],
        "vulnerabilities": [vulnerability(r) for r in examined.ruled],
        "setAside": [aside(a) for a in examined.aside],
        "secrets": [msgspec.to_builtins(leak) for leak in inventory.leaks],
        "unassessed": [msgspec.to_builtins(u) for u in examined.unread],
        "advisories": data(examined.data),
        "judgement": msgspec.to_builtins(examined.judgement) if examined.judgement else None,
        "notes": list(examined.notes),
    }


def _described(inventory: Inventory) -> dict[str, Any]:
    return {
        "name": inventory.name,
        "digest": inventory.digest,
        "index": inventory.index,
        "config": inventory.config,
        "platform": str(inventory.platform) if inventory.platform else "",
        "system": msgspec.to_builtins(inventory.system) if inventory.system else None,
        "user": inventory.user,
        "created": inventory.created,
        "layers": [msgspec.to_builtins(layer) for layer in inventory.layers],
        "labels": dict(inventory.labels),
        "files": inventory.files,
    }


def package(found: Package) -> dict[str, Any]:
    """One package; what it does not have is left out."""
    data = msgspec.to_builtins(found)
    return {key: value for key, value in data.items() if value not in ("", (), [], False)}


def vulnerability(ruled: Ruled) -> dict[str, Any]:
    """One match with all its evidence, and its waiver where it has one."""
    match = ruled.match
    told: dict[str, Any] = {
        "id": match.id,
        "aliases": list(match.aliases),
        "title": match.title,
        "package": package(match.package),
        "compared": match.compared,
        "range": match.range,
        "status": match.status,
        "severity": match.severity,
        "severityFrom": match.severity_from,
        "fixed": match.fixed,
        "fixedAt": match.fixed_at,
        "exploited": match.exploited,
        "epss": match.epss if match.epss >= 0 else None,
        "record": record(match.advisory),
        "also": [record(other) for other in match.also],
        "references": list(match.references),
    }
    if ruled.waived is not None:
        told["waived"] = msgspec.to_builtins(ruled.waived)
    return told


def record(affected: Affected) -> dict[str, Any]:
    """Which record of which feed speaks."""
    return {
        "id": affected.id,
        "feed": affected.feed,
        "ecosystem": affected.ecosystem,
        "name": affected.name,
        "status": affected.status,
        "severity": affected.severity,
        "note": affected.note,
    }


def aside(found: Aside) -> dict[str, Any]:
    """A record that speaks of an installed package and is no match, with the reason."""
    return {
        "id": found.id,
        "package": found.package.name,
        "version": found.package.version,
        "record": record(found.advisory),
        "kind": found.kind,
        "why": found.why,
    }


def data(used: Data) -> dict[str, Any]:
    """The database that the verdict rests on; no age, which changes by the hour."""
    return {
        "digest": used.digest,
        "feeds": [msgspec.to_builtins(feed) for feed in used.feeds],
    }
