"""What a scan says: findings, what could not be assessed, and the whole result."""

from __future__ import annotations

from typing import Final

import msgspec

from martello.core.path import Path, show
from martello.core.resource import Location, Ref

SEVERITIES: Final = ("critical", "high", "medium", "low")
PRACTICES: Final = ("images", "network", "monitor", "resources", "access")


def rank(severity: str) -> int:
    """0 for critical … 3 for low: the sort order of reports."""
    return SEVERITIES.index(severity)


class Waived(msgspec.Struct, frozen=True):
    """Why a finding does not count: who waived it, until when (ISO date, or empty), and where that
    is written.
    """

    by: str
    reason: str
    until: str
    source: str
    foreign: bool = False  # another tool's inline skip


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong with one object. Several elements (containers) of an object are one
    finding.
    """

    check: str
    ref: Ref
    path: Path
    location: Location
    message: str
    severity: str
    elements: tuple[str, ...] = ()  # names of the containers, volumes or rules that are meant
    evidence: tuple[str, ...] = ()
    fix: str = ""
    waived: Waived | None = None
    fingerprint: str = ""  # stable over reformatting, reordering and moves between files
    known: bool = False  # it is in the baseline
    parts: tuple[str, ...] = ()  # the fingerprints of its elements, which a baseline keeps
    cause: str = ""  # findings of one cause are one group: the check, or the mapping a fix fills
    because: tuple[str, Ref] | None = None  # the finding (check, object) that it follows from

    @property
    def where(self) -> str:
        """The path as text."""
        return show(self.path)


class Unassessed(msgspec.Struct, frozen=True):
    """Something that got no verdict, with the reason. Never a pass.

    `asked` tells whether it was part of what was given or asked for (an unreadable file, a refused
    list): then the scan is incomplete
    (exit 3). A check whose source nobody named is not.
    """

    reason: str
    location: Location | None = None
    check: str = ""
    ref: Ref | None = None
    asked: bool = True


class Group(msgspec.Struct, frozen=True):
    """Findings of one cause: one line of the table."""

    title: str
    severity: str
    checks: tuple[str, ...]
    findings: tuple[Finding, ...]


class ControlVerdict(msgspec.Struct, frozen=True):
    """What became of one control of a framework. `status` is fail, unassessed, pass, manual or not
    covered; it is pass only where each of its checks was assessed and found nothing.
    """

    framework: str  # with its version: pss-restricted@1.34
    control: str
    title: str
    status: str
    checks: tuple[str, ...]
    findings: int = 0
    waived: int = 0


class Scan(msgspec.Struct, frozen=True):
    """The result of one scan. Orders are total and stable: same input, same bytes."""

    target: str
    findings: tuple[Finding, ...]
    groups: tuple[Group, ...]
    unassessed: tuple[Unassessed, ...]
    objects: int = 0
    workloads: int = 0
    files: int = 0
    foreign: int = 0  # YAML documents that are no Kubernetes objects
    partial: int = 0  # kustomizations, patches and charts' sources, not judged
    passed: int = 0  # verdicts (check and object) without a finding
    checks: int = 0  # checks that ran
    seconds: float = 0.0
    notes: tuple[str, ...] = ()  # stale waivers, unknown names in waivers: worth a line
    stale: tuple[str, ...] = ()  # those notes that another target's objects may make untrue
