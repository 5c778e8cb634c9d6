"""GitHub workflow commands: annotations on the changed lines, worst first, ten of a kind a step."""

from __future__ import annotations

from typing import IO, Final

from martello.core.resource import Location
from martello.report.model import Report, by_reason, open_findings
from martello.report.table import tally
from martello.report.text import clean

_LEVEL: Final = {"critical": "error", "high": "error", "medium": "warning", "low": "notice"}
# GitHub shows so many annotations of each level from one step; the rest is dropped silently there.
_SHOWN: Final = 10


def write(report: Report, out: IO[str]) -> None:
    """Writes an annotation for each finding and for what was given and got no verdict, as many as
    are shown, and the counts and the exit reason as plain text.
    """
    written = dict.fromkeys(_LEVEL.values(), 0)
    left = 0
    for found in open_findings(report.scan):
        level = _LEVEL[found.severity]
        if written[level] == _SHOWN:
            left += 1
            continue
        written[level] += 1
        check = report.checks.get(found.check)
        title = f"{found.check} {check.title if check else ''}".strip()
        text = f"{found.ref}: {found.message}"
        out.write(f"::{level} {_place(found.location)},title={_property(title)}::{_data(text)}\n")
    asked = tuple(entry for entry in report.scan.unassessed if entry.asked)
    for reason, entries in by_reason(asked).items():
        if written["warning"] == _SHOWN:
            left += 1
            continue
        written["warning"] += 1
        location = entries[0].location
        place = f"{_place(location)}," if location else ""
        more = f" (and {len(entries) - 1} more)" if len(entries) > 1 else ""
        out.write(f"::warning {place}title=unassessed::{_data(reason + more)}\n")
    if left:
        out.write(f"{left} more in the full report\n")
    out.write(f"{tally(report)}\nexit {report.exit}: {clean(report.reason)}\n")


def _place(location: Location) -> str:
    place = f"file={_property(location.file)}"
    return f"{place},line={location.line},col={location.column}" if location.line else place


def _data(text: str) -> str:
    """Lines of text as a command carries them; the log that shows it is a terminal."""
    return "%0A".join(clean(line).replace("%", "%25") for line in text.split("\n"))


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
