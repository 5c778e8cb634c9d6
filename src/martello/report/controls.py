"""A framework's controls as lines: what failed first, and five counts instead of a percentage."""

from __future__ import annotations

from typing import Final

from martello.core.finding import ControlVerdict
from martello.report.model import Report
from martello.report.text import clean, pad, plural, width

STATUSES: Final = ("fail", "unassessed", "pass", "manual", "not covered")


def by_framework(report: Report) -> dict[str, list[ControlVerdict]]:
    """The controls of each framework, those that failed first."""
    found: dict[str, list[ControlVerdict]] = {}
    for verdict in sorted(report.controls, key=lambda v: STATUSES.index(v.status)):
        found.setdefault(verdict.framework, []).append(verdict)
    return found


def summary(verdicts: list[ControlVerdict]) -> str:
    """How many controls came to what: nothing is a share of what was not looked at."""
    said = [v.status for v in verdicts]
    return " · ".join(f"{said.count(s)} {s}" for s in STATUSES if s in said)


def lines(report: Report) -> list[str]:
    """A block for each framework: its controls without a pass (all of them with `--all`)."""
    told: list[str] = []
    for framework, verdicts in by_framework(report).items():
        kept = [v for v in verdicts if report.everything or v.status in ("fail", "unassessed")]
        column = max((width(clean(v.control)) for v in kept), default=0)
        for verdict in kept:
            count = f": {plural(verdict.findings, 'finding')}" if verdict.findings else ""
            checks = f" ({_named(verdict.checks)})" if verdict.checks else ""
            name = pad(clean(verdict.control), column)
            told.append(f"{verdict.status:<11} {name}  {clean(verdict.title)}{checks}{count}")
        told.append(f"{framework}: {summary(verdicts)}")
    return told


def _named(checks: tuple[str, ...]) -> str:
    """The checks by id, or how many where the list would fill the screen."""
    return ", ".join(checks) if len(checks) <= 4 else f"{len(checks)} checks"
