"""JSON of images: the document `martello/v1`, with an entry for each image in `images`."""

from __future__ import annotations

import re
from typing import IO, Any, Final

import msgspec

from martello.core.package import Inventory, Package
from martello.core.vulnerability import Affected, Aside, Data, Ruled
from martello.report import json
from martello.report.images.model import Examined, Images

_WORD: Final = re.compile(r"_([a-z])")


def write(images: Images, out: IO[str]) -> None:
    """Writes the general report, and every package, match and reason of each image. Times are
    those of images and feeds only: the same input gives the same bytes.
    """
    json.write(images.report, out, more=(("images", map(image, images.examined)),))


def image(examined: Examined) -> dict[str, Any]:
    """One image as plain data. Records whose ranges do not hold are thousands, and left out:
    `why-not` tells them.
    """
    inventory = examined.inventory
    several = examined.judgements if len(examined.judgements) > 1 else ()
    return {
        **_described(inventory),
        "packages": [package(p) for p in inventory.packages],
        "vulnerabilities": [vulnerability(r) for r in examined.ruled],
        "setAside": [aside(a) for a in examined.aside if a.kind != "version"],
        "secrets": [plain(leak) for leak in inventory.leaks],
        "unassessed": [plain(u) for u in examined.unread],
        "advisories": data(examined.data),
        "judgement": plain(examined.judgement) if examined.judgement else None,
        **({"judgements": [plain(one) for one in several]} if several else {}),
        "notes": list(examined.notes),
        "usedBy": list(examined.used),
    }


def plain(value: Any) -> Any:
    """Data with the names of fields as JSON has them here: sourceVersion, diffId."""
    return _renamed(msgspec.to_builtins(value))


def _renamed(value: Any) -> Any:
    if isinstance(value, dict):
        return {_WORD.sub(_upper, key): _renamed(inner) for key, inner in value.items()}
    return [_renamed(inner) for inner in value] if isinstance(value, list | tuple) else value


def _upper(match: re.Match[str]) -> str:
    return match[1].upper()


def _described(inventory: Inventory) -> dict[str, Any]:
    return {
        "name": inventory.name,
        "digest": inventory.digest,
        "index": inventory.index,
        "config": inventory.config,
        "platform": str(inventory.platform) if inventory.platform else "",
        "system": plain(inventory.system) if inventory.system else None,
        "user": inventory.user,
        "created": inventory.created,
        "layers": [plain(layer) for layer in inventory.layers],
        "labels": dict(inventory.labels),
        "files": inventory.files,
    }


def package(found: Package) -> dict[str, Any]:
    """One package; what it does not have is left out."""
    data = plain(found)
    return {key: value for key, value in data.items() if value not in ("", [], False)}


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
        told["waived"] = plain(ruled.waived)
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
        "feeds": [plain(feed) for feed in used.feeds],
    }
