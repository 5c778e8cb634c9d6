"""GitLab's container scanning report, schema 15."""

from __future__ import annotations

from typing import IO, Any, Final

from martello.core.package import Inventory
from martello.core.vulnerability import Ruled
from martello.report.images.model import Images
from martello.report.text import encoded

_VERSION: Final = "15.0.7"
_SEVERITY: Final = {
    "critical": "Critical",
    "high": "High",
    "medium": "Medium",
    "low": "Low",
    "negligible": "Info",
    "unknown": "Unknown",
}


def write(images: Images, out: IO[str]) -> None:
    """Writes one document; waived ones are left out, as GitLab has a triage of its own."""
    tool = {
        "id": "martello",
        "name": "Martello",
        "version": images.report.version,
        "vendor": {"name": "Martello"},
    }
    at = images.at.partition(".")[0].removesuffix("Z").partition("+")[0]
    found = [
        _vulnerability(ruled, examined.inventory)
        for examined in images.examined
        for ruled in examined.ruled
        if ruled.waived is None
    ]
    complete = not any(u.asked for u in images.report.scan.unassessed)
    document = {
        "version": _VERSION,
        "scan": {
            "analyzer": tool,
            "scanner": tool,
            "type": "container_scanning",
            "start_time": at,
            "end_time": at,
            "status": "success" if complete else "failure",
        },
        "vulnerabilities": found,
        "remediations": [],
    }
    out.write(encoded(document, indent=True) + "\n")


def _vulnerability(ruled: Ruled, inventory: Inventory) -> dict[str, Any]:
    match = ruled.match
    package = match.package
    system = inventory.system
    names = dict.fromkeys((match.id, *match.aliases))
    named = f"{system.id}:{system.version}" if system else "unknown"
    return {
        "id": _identity(f"{match.id}\0{package.name}\0{package.version}\0{package.path}"),
        "name": match.title or match.id,
        "description": match.title or match.id,
        "severity": _SEVERITY[match.severity],
        "solution": f"Update {package.name} to {match.fixed}." if match.fixed else "",
        "identifiers": [_identifier(name) for name in names],
        "links": [{"url": url} for url in match.references if url.startswith("http")][:10],
        "location": {
            "dependency": {"package": {"name": package.name}, "version": package.version},
            "operating_system": named,
            "image": inventory.name,
        },
    }


def _identifier(name: str) -> dict[str, str]:
    kind = name.partition("-")[0].lower()
    return {"type": kind, "name": name, "value": name}


def _identity(text: str) -> str:
    from uuid import NAMESPACE_URL, uuid5

    return str(uuid5(NAMESPACE_URL, f"martello:{text}"))
