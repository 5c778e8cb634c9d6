"""Findings of one cause become one group: one line that a person acts on once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from martello.core.check import Check
from martello.core.finding import Finding, Group, rank
from martello.core.resource import Ref


def follow(findings: Iterable[Finding]) -> list[Finding]:
    """The findings, and which of them follow from another one: the finding that `because` speaks
    of is there and counts.
    """
    listed = list(findings)
    counted = {(f.check, f.ref) for f in listed if f.waived is None and not f.known}
    return [
        f if f.because is None or f.because in counted else msgspec.structs.replace(f, because=None)
        for f in listed
    ]


def groups(findings: Iterable[Finding], checks: Mapping[str, Check]) -> tuple[Group, ...]:
    """Groups what counts (neither waived nor in the baseline), worst first.

    Findings of the same check are one group. Where several checks miss fields of one mapping
    (no securityContext at all), these are one group: one edit mends them. What follows from
    another finding (a token has the rights that a binding gives) is in its group.
    """
    counted = [f for f in findings if f.waived is None and not f.known]
    leading = {(f.check, f.ref): f for f in counted}
    found: dict[str, list[Finding]] = {}
    for finding in counted:
        root = _root(finding, leading)
        found.setdefault(root.cause or root.check, []).append(finding)
    for cause in [c for c, members in found.items() if _lonely(c, members)]:
        members = found.pop(cause)
        found.setdefault(members[0].check, []).extend(members)
    made = [_group(cause, members, checks) for cause, members in found.items()]
    return tuple(sorted(made, key=lambda g: (rank(g.severity), -len(g.findings), g.checks)))


def _root(finding: Finding, leading: Mapping[tuple[str, Ref], Finding]) -> Finding:
    """The finding from which this one follows, through as many as there are between."""
    passed = {(finding.check, finding.ref)}
    named = finding.because
    while named is not None and named in leading and named not in passed:
        passed.add(named)
        finding = leading[named]
        named = finding.because
    return finding


def _lonely(cause: str, members: list[Finding]) -> bool:
    """A cause that only one check names is that check."""
    return cause != members[0].check and len({f.check for f in members}) == 1


def _group(cause: str, members: list[Finding], checks: Mapping[str, Check]) -> Group:
    # The check that the others follow from tells the edit that mends them all.
    ordered = tuple(sorted(members, key=lambda f: (f.check != cause, order(f))))
    ids = tuple(dict.fromkeys(f.check for f in ordered))
    mapping = len(ids) > 1 and cause not in ids
    check = checks.get(ids[0])
    title = check.title if check is not None else ids[0]
    if mapping:
        title = f"{cause} is missing or incomplete"
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
