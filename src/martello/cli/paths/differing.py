"""Two states of a cluster compared: which paths a change opens, by which lines, and closes."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import IO, Any

import msgspec

from martello.cli.outputs import write_each
from martello.cli.paths import places
from martello.cli.paths.finding import PLAIN
from martello.cli.paths.findings import finding, reported
from martello.cli.paths.opening import Known, known_state
from martello.cli.paths.telling import evidence, way
from martello.cli.progress import Progress
from martello.cli.reports import Output
from martello.paths import Options, diff
from martello.paths.built import CLUSTER_ADMIN
from martello.paths.diff import Difference
from martello.paths.find import footholds_of
from martello.paths.model import Proposition
from martello.report.model import Screen
from martello.report.paths.changes import Diff, Opens


def _everybody(before: Known, after: Known, options: Options) -> tuple[Proposition, ...]:
    """The footholds of both states; an account whose token a pod of either has stands for it."""
    states = (before.facts, after.facts)
    found = dict.fromkeys(one for state in states for one in footholds_of(state, options))
    used = {
        ("account", one.namespace, one.account) for state in states for one in state.world.classes
    }
    return tuple(one for one in found if one not in used)


def _once(found: Difference) -> Difference:
    """Without what an administrator has anyway: who gets or loses cluster-admin is told once."""
    admin = {
        one
        for each in found.opened
        if each.paths.goal == CLUSTER_ADMIN
        for one in each.paths.footholds
    }
    lost = {begin for begin, goal in found.closed if goal == CLUSTER_ADMIN}
    opened = [
        each
        for each in found.opened
        if each.paths.goal == CLUSTER_ADMIN or not admin.issuperset(each.paths.footholds)
    ]
    closed = [
        (begin, goal) for begin, goal in found.closed if goal == CLUSTER_ADMIN or begin not in lost
    ]
    return msgspec.structs.replace(found, opened=tuple(opened), closed=tuple(closed))


def compare(old: str, new: str, outputs: Sequence[Output], flags: dict[str, Any]) -> int:
    """Writes the difference; the exit code. Raises what reading raises."""
    before, after = known_state(old, flags), known_state(new, flags)
    begun = places.footholds(flags["footholds"], after.facts)
    own = tuple(dict.fromkeys((*after.own, *before.own)))
    asked = places.goals(flags["goals"], after.facts, own)
    own = places.own(flags["goals"], own)
    options = Options(system=flags["system"], limit=0 if flags["everything"] else 20, own=own)
    with Progress() as progress:
        progress("comparing paths")
        everybody = begun or _everybody(before, after, options)
        found = diff(before.facts, after.facts, footholds=everybody, goals=asked, options=options)
        if asked is None:
            found = _once(found)
    findings = [finding(one.paths, one.blame) for one in found.opened]
    unread = before.opened.reading.unassessed
    report = reported(after.opened, findings, flags, f"martello paths cut -f {new}", unread)
    told = Diff(
        old=old,
        new=new,
        opened=tuple(
            Opens(way(one.paths), tuple(evidence(fact) for fact in one.blame))
            for one in found.opened
        ),
        closed=tuple((places.words(begin), places.words(goal)) for begin, goal in found.closed),
        report=report,
        notes=tuple(dict.fromkeys((*after.notes, *before.notes))),
        missing=tuple(dict.fromkeys((*before.opened.missing, *after.opened.missing))),
    )

    def write(format: str, screen: Screen, out: IO[str]) -> None:
        if format in PLAIN and format != "markdown":
            import_module(f"martello.report.{format}").write(report, out)
        else:
            getattr(import_module("martello.report.paths.changes"), format)(told, screen, out)

    write_each(outputs, write)
    return report.exit
