"""Findings of one cause become one group: one line that a person acts on once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from martello.core.check import Check
from martello.core.finding import Finding, Group, rank


def groups(findings: Iterable[Finding], checks: Mapping[str, Check]) -> tuple[Group, ...]:
    """Groups what counts (neither waived nor in the baseline), worst first.

    Findings of the same check are one group. Where several checks miss fields of one mapping
    (no securityContext at all), these are one group: one edit mends them.
    """
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.waived is None and not finding.known:
            found.setdefault(finding.cause or finding.check, []).append(finding)
    for cause in [c for c, members in found.items() if _lonely(c, members)]:
        members = found.pop(cause)
        found.setdefault(members[0].check, []).extend(members)
    made = [_group(cause, members, checks) for cause, members in found.items()]
    return tuple(sorted(made, key=lambda g: (rank(g.severity), -len(g.findings), g.checks)))


def _lonely(cause: str, members: list[Finding]) -> bool:
    """A cause that only one check names is that check."""
    return cause != members[0].check and len({f.check for f in members}) == 1


def _group(cause: str, members: list[Finding], checks: Mapping[str, Check]) -> Group:
    ordered = tuple(sorted(members, key=order))
    ids = tuple(sorted({f.check for f in ordered}))
    if len(ids) > 1:
        title = f"{cause} is missing or incomplete"
    else:
        check = checks.get(ids[0])
        title = check.title if check is not None else ids[0]
    return Group(title, min((f.severity for f in ordered), key=rank), ids, ordered)


def order(finding: Finding) -> tuple[int, str, str, int, int, str]:
    """The total order of findings: severity, check, place, object."""
    place = finding.location
    return (
        rank(finding.severity),
        finding.check,
        place.file,
        place.line,
        place.column,
        f"{finding.ref}{finding.where}",
    )
