"""One scan: which checks run over which objects, and what comes of their hits. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final

from martello.catalogue.aliases import Names
from martello.catalogue.baseline import NOTHING, Baseline
from martello.catalogue.exceptions import Exemption
from martello.catalogue.group import follow, groups, order
from martello.catalogue.merge import Merger
from martello.catalogue.run import Runner
from martello.catalogue.select import select
from martello.catalogue.waivers import Waivers, expired
from martello.core.check import Check
from martello.core.finding import Scan, Unassessed
from martello.core.focus import Focus
from martello.core.reading import Reading
from martello.core.waiver import Waiver

WAIVER_EXPIRED: Final = "POD-090"


def scan(
    reading: Reading,
    checks: Sequence[Check],
    *,
    today: date,
    kubernetes: int | None = None,
    profile: str = "default",
    ids: Sequence[str] = (),
    frameworks: Sequence[str] = (),
    params: Mapping[str, Mapping[str, Any]] | None = None,
    facts: Mapping[str, Any] | None = None,
    waivers: Iterable[Waiver] = (),
    exemptions: Sequence[Exemption] = (),
    foreign_waivers: bool = True,
    max_days: int = 365,
    baseline: Baseline = NOTHING,
    known: Sequence[Check] = (),
) -> Scan:
    """Judges everything that was read. Raises BadInput for unknown profiles, checks, frameworks and
    parameters; whatever is wrong with the objects is a finding or unassessed.

    `kubernetes` is the minor version judged for (default: what a framework's `@VERSION` says, else
    the server's, else the newest); a check named in `ids` or given `params` runs whatever its
    profile; `facts` are what checks need from outside the objects; `exemptions` come from other
    tools' exception files; `known` is every check there is, where `checks` were chosen before:
    waivers may name what does not run.
    """
    params = params or {}
    given = tuple(waivers)
    if kubernetes is None:
        kubernetes = _pinned(frameworks)
    cluster = reading.world(kubernetes)
    chosen = select(checks, profile, frameworks, ids, params)
    by_id = {check.id: check for check in checks}
    runner = Runner(cluster, reading, chosen, params, {"today": today, **(facts or {})})
    accepted = Waivers(
        given,
        Names(known or checks),
        runner.cluster,
        today=today,
        foreign=foreign_waivers,
        max_days=max_days,
        exemptions=exemptions,
    )
    merger = Merger(runner.cluster, accepted, baseline)
    for check, resource, hits in runner.verdicts():
        merger.add(check, resource, hits)
    found = list(merger.findings())
    for check in runner.checks:
        if check.id == WAIVER_EXPIRED:
            found += expired(given, check, today)
    findings = sorted(follow(found), key=order)
    unassessed = [*reading.unassessed, *runner.unassessed, *merger.unassessed, *accepted.unassessed]
    ran = frozenset(check.id for check in runner.checks)
    whole = reading.focus == Focus() and not reading.namespaces
    stale = accepted.stale(ran) if whole else {}
    outside = {waiver.source for waiver in given}
    return Scan(
        target=reading.target,
        findings=tuple(findings),
        groups=groups(findings, by_id),
        unassessed=_distinct(unassessed),
        objects=runner.objects,
        workloads=runner.workloads,
        files=reading.files,
        foreign=reading.foreign,
        partial=reading.partial,
        passed=runner.passed,
        checks=len(ran),
        notes=tuple(dict.fromkeys([*accepted.notes, *stale.values()])),
        stale=tuple(note for source, note in stale.items() if source in outside),
    )


def _pinned(frameworks: Sequence[str]) -> int | None:
    if not frameworks:
        return None
    from martello.catalogue.frameworks import pinned

    return pinned(frameworks)


def _distinct(unassessed: Iterable[Unassessed]) -> tuple[Unassessed, ...]:
    """What the adapters could not read first, in their order; each thing is said once."""
    return tuple(dict.fromkeys(unassessed))
