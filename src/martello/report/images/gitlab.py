"""GitLab's container scanning report, schema 15."""

from __future__ import annotations

import re
from typing import IO, Any, Final

from martello.core.package import Inventory, titled
from martello.core.vulnerability import Match, Ruled
from martello.report.images.model import Images, weight
from martello.report.markdown import cell
from martello.report.text import clean, encoded

_VERSION: Final = "15.0.7"
_NAME: Final = 255  # longest name, and longest text
_TEXT: Final = 7000
_LINK: Final = re.compile(r"(?:https?|ftp)://.+")
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
    missing = [u.reason for u in images.report.scan.unassessed if u.asked]
    document = {
        "version": _VERSION,
        "scan": {
            "analyzer": tool,
            "scanner": tool,
            "type": "container_scanning",
            "start_time": at,
            "end_time": at,
            "status": "failure" if missing else "success",
            "messages": [
                {"level": "warn", "value": clean(f"not assessed: {reason}")} for reason in missing
            ],
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
    image = titled(inventory) or "unknown"
    key = (image, match.id, package.name, package.version, package.path)
    found = {
        "id": _identity("\0".join(key)),
        "name": f"{match.id} in {package.name}"[:_NAME],
        "description": _description(match)[:_TEXT],
        "severity": _SEVERITY[weight(match)],
        "identifiers": [_identifier(name) for name in names],
        "links": [{"url": url} for url in match.references if _LINK.match(url)][:10],
        "location": {
            "dependency": {"package": {"name": package.name}, "version": package.version},
            "operating_system": named,
            "image": image,
        },
    }
    if match.fixed:
        found["solution"] = f"Update {package.name} to {match.fixed}."[:_TEXT]
    return found


def _description(match: Match) -> str:
    """What GitLab shows as Markdown: a title is text of a stranger's, and stays text."""
    told = [match.title or match.id, f"{match.compared} is in {match.range}"]
    told += [f"known to be exploited since {match.exploited}"] if match.exploited else []
    told += [f"found in {match.package.path}"] if match.package.path else []
    return ". ".join(cell(text) for text in told)


def _identifier(name: str) -> dict[str, str]:
    kind = name.partition("-")[0].lower()
    return {"type": kind or "other", "name": name, "value": name}


def _identity(text: str) -> str:
    from uuid import NAMESPACE_URL, uuid5

    return str(uuid5(NAMESPACE_URL, f"martello:{text}"))
