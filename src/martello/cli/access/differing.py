"""Two states of a cluster compared: who gains and loses what, and which findings are new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import IO, Any

import msgspec

from martello.cli.access.opening import Opened, state
from martello.cli.access.telling import called, place, single_words
from martello.cli.judging import config_of, judged
from martello.cli.outputs import write_each
from martello.cli.reports import Output
from martello.cli.run import report_of
from martello.core.finding import Scan, Unassessed
from martello.practices.access.bindings import Subject
from martello.practices.access.changes import Changed, changes
from martello.practices.access.defaults import is_default, of_control_plane
from martello.report.access.changes import Diff, Row
from martello.report.model import Report, Screen
from martello.report.text import plural


def compare(old: str, new: str, outputs: Sequence[Output], flags: dict[str, Any]) -> int:
    """Writes the difference; the exit code. Raises what reading raises."""
    before, after = state(old, flags), state(new, flags)
    found = changes(before.access, after.access)
    kept = frozenset(flags["namespaces"])
    wanted = [c for c in found.changed if not kept or not c.scope or c.scope in kept]
    mixed = _filled(before) != _filled(after)
    own = {id(change) for change in wanted if mixed and _of_release(change)}
    release = f"{plural(len(own), 'right')} of the control plane differ by release: not shown"
    report = _report(before, after, flags)
    diff = Diff(
        old=old,
        new=new,
        rows=_rows([change for change in wanted if id(change) not in own]),
        more=found.more,
        notes=(*found.doubts, *[release] * bool(own)),
        report=report,
        missing=tuple(dict.fromkeys((*before.missing, *after.missing))),
    )

    def write(format: str, screen: Screen, out: IO[str]) -> None:
        if format in ("sarif", "junit"):
            import_module(f"martello.report.{format}").write(report, out)
        else:
            getattr(import_module("martello.report.access.changes"), format)(diff, screen, out)

    write_each(outputs, write)
    return report.exit


def _filled(world: Opened) -> bool:
    """Whether the roles that the API server makes were filled in: those of a recent release."""
    return not world.reading.cluster and world.reading.kubernetes is None


def _of_release(change: Changed) -> bool:
    """Whether the API server's own binding gives it to a part of the control plane."""
    return is_default(change.binding) and _system(change.subject)


def _rows(changed: Sequence[Changed]) -> tuple[Row, ...]:
    """What a subject gains by one binding, those together that gain the same by it."""
    single: dict[tuple[Any, ...], list[Changed]] = {}
    for change in changed:
        key = (change.gained, change.scope, id(change.binding), change.subject)
        single.setdefault(key, []).append(change)
    alike: dict[tuple[Any, ...], list[list[Changed]]] = {}
    for (gained, scope, binding, _), held in single.items():
        same = tuple((id(c.rule), c.singles) for c in held)
        alike.setdefault((gained, scope, binding, same), []).append(held)
    rows = [_row(members) for members in alike.values()]
    return tuple(sorted(rows, key=lambda r: (not r.gained, r.scope, r.binding, r.subjects)))


def _row(members: Sequence[Sequence[Changed]]) -> Row:
    held = members[0]
    first = held[0]
    subjects = sorted((one[0].subject for one in members), key=lambda s: (_system(s), str(s)))
    return Row(
        gained=first.gained,
        subjects=tuple(map(str, subjects)),
        scope=first.scope,
        rights=tuple(words for change in held for words in single_words(change.singles)),
        binding=called(first.binding),
        role=called(first.rule.role),
        where=place(first.rule.role, ("rules", first.rule.index)),
        open=any(change.open for change in held),
    )


def _system(subject: Subject) -> bool:
    return of_control_plane(subject.kind, subject.name, subject.namespace)


def _report(before: Opened, after: Opened, flags: Mapping[str, Any]) -> Report:
    """What the checks of the practice find in the new state and did not find in the old one."""
    config = config_of(flags)
    ids = _checks()
    was, _ = judged([before.reading], config, ids, {}, {})
    now, checks = judged([after.reading], config, ids, {}, {})
    known = {finding.fingerprint for finding in was.findings}
    findings = tuple(f for f in now.findings if f.fingerprint not in known)
    asked = tuple(u for u in (*now.unassessed, *was.unassessed) if u.asked)
    scan = msgspec.structs.replace(
        now,
        findings=findings,
        groups=_groups(now, findings),
        unassessed=_distinct(asked),
        notes=(),
    )
    return report_of(scan, checks, config, everything=flags["everything"])


def _groups(scan: Scan, findings: tuple[Any, ...]) -> tuple[Any, ...]:
    kept = set(map(id, findings))
    return tuple(g for g in scan.groups if any(id(f) in kept for f in g.findings))


def _distinct(entries: Sequence[Unassessed]) -> tuple[Unassessed, ...]:
    return tuple(dict.fromkeys(entries))


def _checks() -> list[str]:
    """The checks of roles, bindings and accounts: those that have all they need."""
    from martello.catalogue.load import load

    return [c.id for c in load() if c.id.startswith("ACC-") and not c.facts]
