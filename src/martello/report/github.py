"""GitHub workflow commands: annotations on the changed lines, worst first, ten of a kind a step."""

from __future__ import annotations

from typing import IO, Final

from martello.report.model import Report, open_findings
from martello.report.table import counts
from martello.report.text import clean

_LEVEL: Final = {"critical": "error", "high": "error", "medium": "warning", "low": "notice"}
# GitHub shows so many annotations of each level from one step; the rest is dropped silently there.
_SHOWN: Final = 10


def write(report: Report, out: IO[str]) -> None:
    """Writes an annotation for each finding, as many as are shown, and the counts as plain text."""
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
        place = f"file={_property(found.location.file)}"
        if found.location.line:
            place += f",line={found.location.line},col={found.location.column}"
        text = f"{found.ref}: {found.message}"
        out.write(f"::{level} {place},title={_property(title)}::{_data(text)}\n")
    if left:
        out.write(f"{left} more findings: see the full report\n")
    out.write(f"{counts(report)}\n")


def _data(text: str) -> str:
    """Lines of text as a command carries them; the log that shows it is a terminal."""
    return "%0A".join(clean(line).replace("%", "%25") for line in text.split("\n"))


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
