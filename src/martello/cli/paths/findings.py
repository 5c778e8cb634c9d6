"""Paths as findings: ACC-900 cluster-admin, 901 a node, 902 secrets, 903 what was named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

from martello.catalogue.group import groups, order
from martello.cli.access.opening import Opened
from martello.cli.judging import config_of
from martello.cli.paths.places import words
from martello.cli.run import report_of
from martello.core.check import Check
from martello.core.finding import Finding, Scan, Unassessed
from martello.core.path import Path as Place
from martello.core.resource import Resource
from martello.paths.model import Fact, PathClass
from martello.practices.access.ways import Way
from martello.report.model import Report

_FIX: Final = "Make the edits of `martello paths cut`, the cheapest that end it."
_IDS: Final[Mapping[tuple[str, ...], str]] = {
    ("admin", ""): "ACC-900",
    ("goal", "node"): "ACC-901",
    ("goal", "secrets"): "ACC-902",
}
_NAMED: Final = "ACC-903"


def _checks() -> Mapping[str, Check]:
    from martello.catalogue.load import load

    return {check.id: check for check in load() if check.id in {*_IDS.values(), _NAMED}}


def finding(found: PathClass, blame: Sequence[Fact] = (), fix: str = "") -> Finding | None:
    """A class of paths at the place to blame: a changed fact, one that every way needs, or the
    first that is written somewhere. None where nothing of it is.
    """
    way = way_of(found, blame)
    placed = _place(found, blame)
    if way is None or placed is None:
        return None
    resource, path = placed
    edges = [step.edge for step in found.path.steps]
    print_of = "\0".join((way.check, *found.goal, *found.path.foothold, *edges))
    return Finding(
        check=way.check,
        ref=way.ref,
        path=path,
        location=resource.locate(path),
        message=way.message,
        severity=way.severity,
        evidence=way.steps,
        fix=fix or "; or ".join(edit.says for edit in found.choke[:3]) or _FIX,
        fingerprint=sha256(print_of.encode()).hexdigest()[:32],
        cause=way.check,
    )


def way_of(found: PathClass, blame: Sequence[Fact] = ()) -> Way | None:
    """A class of paths as the checks are told of it."""
    placed = _place(found, blame)
    if placed is None:
        return None
    resource, path = placed
    begin = words(found.path.foothold)
    steps = len(found.path.steps)
    message = f"leads from {begin} to {words(found.goal)} in {steps} step{'s' * (steps != 1)}"
    if len(found.footholds) > 1:
        message += f", and from {len(found.footholds) - 1} more footholds"
    told = tuple(_line(number, step) for number, step in enumerate(found.path.steps, 1))
    check = _IDS.get(found.goal[:2], _NAMED)
    if check == _NAMED:  # one check for many goals: a known path to one is none to another
        begin = f"{begin} to {words(found.goal)}"
    return Way(check, resource.ref, path, begin, message, found.severity, told)


def _line(number: int, step: Any) -> str:
    where = next((fact.where for fact in step.facts if fact.where), "")
    return f"{number} {step.says}" + (f" ({where})" if where else "")


def _place(found: PathClass, blame: Sequence[Fact]) -> tuple[Resource, Place] | None:
    facts: list[Fact] = list(blame)
    choke = {edit.id for edit in found.choke}
    own = [fact for step in found.path.steps for fact in step.facts]
    facts += [fact for fact in own if any(edit.id in choke for edit in fact.edits)]
    facts += own
    for fact in facts:
        if fact.resource is not None:
            return fact.resource, fact.path
    return None


def reported(
    world: Opened,
    findings: Iterable[Finding | None],
    flags: Mapping[str, Any],
    next: str,
    asked: Sequence[Unassessed] = (),
) -> Report:
    """The findings as a report, with the exit code by --fail-on."""
    import msgspec

    config, checks = config_of(flags), _checks()
    found = sorted((f for f in findings if f is not None), key=order)
    unread = tuple(u for u in (*world.reading.unassessed, *asked) if u.asked)
    scan = Scan(
        target=world.reading.target,
        findings=tuple(found),
        groups=groups(found, checks),
        unassessed=tuple(dict.fromkeys(unread)),
        objects=len(world.reading.resources),
        files=world.reading.files,
        checks=len(checks),
    )
    report = report_of(scan, checks, config, everything=flags["everything"])
    return msgspec.structs.replace(report, next=next if found else "")
