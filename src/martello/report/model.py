"""A report: the result of a scan, the checks it speaks of, and how the run ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from martello.core.check import Check
from martello.core.finding import SEVERITIES, ControlVerdict, Finding, Scan, Unassessed

if TYPE_CHECKING:
    from martello.report.network.model import Focus, Matrix

# Each is a module of this package with `write(report: Report, out: IO[str]) -> None`.
FORMATS: Final = ("table", "json", "jsonl", "sarif", "junit", "markdown", "html", "github")


class Screen(msgspec.Struct, frozen=True):
    """What the place that the report goes to can show: its width (0: no limit) and colours."""

    width: int = 0
    colour: bool = False


class Report(msgspec.Struct, frozen=True):
    """Everything a format needs. `reason` and `next` are the words of the last line."""

    scan: Scan
    checks: Mapping[str, Check]  # every check that ran, by id
    exit: int
    reason: str
    next: str
    version: str
    show: str = "low"  # lowest severity that the table prints
    everything: bool = False  # the table prints all groups, also waived findings
    screen: Screen = Screen()
    controls: tuple[ControlVerdict, ...] = ()  # of the frameworks that were asked for
    pictures: tuple[Matrix | Focus, ...] = ()  # of the network, for the html page


def open_findings(scan: Scan) -> tuple[Finding, ...]:
    """The findings that count: neither waived nor in the baseline."""
    return tuple(f for f in scan.findings if not f.waived and not f.known)


def severities(scan: Scan) -> dict[str, int]:
    """How many findings count, by severity, worst first, without zeros."""
    counts = dict.fromkeys(SEVERITIES, 0)
    for finding in open_findings(scan):
        counts[finding.severity] += 1
    return {severity: count for severity, count in counts.items() if count}


def by_reason(unassessed: tuple[Unassessed, ...]) -> dict[str, list[Unassessed]]:
    """What got no verdict, gathered by the reason, the most asked-for first."""
    gathered: dict[str, list[Unassessed]] = {}
    for entry in sorted(unassessed, key=lambda u: not u.asked):
        gathered.setdefault(entry.reason, []).append(entry)
    return gathered
