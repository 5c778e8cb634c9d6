"""Two states of a cluster compared: what opens, what closes, and which promises break."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import IO, Any, Final

import msgspec

from martello.cli.config import Config
from martello.cli.judging import config_of, judged
from martello.cli.network.linting import promised
from martello.cli.network.opening import Opened, opened_reading
from martello.cli.network.promising import read_intents
from martello.cli.one_world import read_one
from martello.cli.outputs import write_each
from martello.cli.progress import Progress
from martello.cli.reports import Output
from martello.cli.run import report_of
from martello.core.errors import MartelloError
from martello.core.finding import Unassessed
from martello.core.resource import Ref
from martello.practices.network.compare.diff import ADDED, CHANGED, DOUBT, REMOVED, Change, diff
from martello.practices.network.lint.together import Promises
from martello.practices.network.model import Doubtful
from martello.practices.network.world import find
from martello.report.model import Report, Screen
from martello.report.network.changes import Changed, Changes
from martello.report.text import plural

KINDS: Final = {ADDED: "opens", REMOVED: "closes", CHANGED: "changes", DOUBT: "unsure"}
_PERHAPS: Final = "perhaps "
_MOST: Final = 20_000
_EXPLAINED: Final = 200  # rows that say by which rule


def compare(old: str, new: str, outputs: Sequence[Output], flags: dict[str, Any]) -> int:
    """Writes the difference; the exit code. Raises what reading raises."""
    config = config_of(flags)
    intents = read_intents(flags["intents"]) if flags["intents"] else ()
    with Progress() as progress:
        before = _state(old, flags, progress)
        after = _state(new, flags, progress)
        progress("comparing")
        changes = _changes(before, after, flags["namespaces"])
    report = _report(after, before, tuple(_doubts(before, after, changes)), intents, config, flags)
    if report.exit == 1:
        opens = next((row for row in changes.rows if row.kind in ("opens", "changes")), None)
        pair = f"{opens.sources[0]} {opens.destination}" if opens is not None else "A B"
        following = f"martello network explain {pair} -f {after.reading.target}"
        report = msgspec.structs.replace(report, next=following)
    missing = tuple(dict.fromkeys((*before.missing, *after.missing)))
    notes = tuple(dict.fromkeys((*after.notes, *before.notes)))
    changes = msgspec.structs.replace(
        changes,
        old=old,
        new=new,
        report=report,
        notes=notes,
        missing=missing,
        standing=_standing(before, intents, config) if report.scan.findings else frozenset(),
    )

    def write(format: str, screen: Screen, out: IO[str]) -> None:
        if format in ("sarif", "junit"):
            import_module(f"martello.report.{format}").write(report, out)
        else:
            getattr(import_module("martello.report.network.changes"), format)(changes, screen, out)

    write_each(outputs, write)
    return report.exit


def _state(word: str, flags: Mapping[str, Any], progress: Progress) -> Opened:
    given = {**flags, "context": None}
    return opened_reading(read_one((word,), given, progress), given)


def _report(
    after: Opened,
    before: Opened,
    doubts: Sequence[Unassessed],
    intents: Any,
    config: Config,
    flags: Mapping[str, Any],
) -> Report:
    """The promises judged over the new state; without promises an empty result."""
    if intents:
        promises = Promises(intents, after.profile, after.reading.cluster)
        scan, checks = promised([after.reading], config, promises)
    else:
        scan, checks = judged([after.reading], config, ["NET-014"], {}, {})
        scan = msgspec.structs.replace(scan, findings=(), groups=(), passed=0)
        checks = {}
    more = (*(u for u in before.reading.unassessed if u.asked), *doubts)
    scan = msgspec.structs.replace(scan, unassessed=_distinct((*scan.unassessed, *more)))
    report = report_of(scan, checks, config, everything=flags["everything"])
    return msgspec.structs.replace(report, next="")


def _standing(before: Opened, intents: Any, config: Config) -> frozenset[str]:
    """What of the promises was broken in the old state, in the same words."""
    scan, _ = promised(
        [before.reading], config, Promises(intents, before.profile, before.reading.cluster)
    )
    return frozenset(found.message for found in scan.findings)


def _doubts(before: Opened, after: Opened, changes: Changes) -> Iterator[Unassessed]:
    """What of the comparison is not known: it is not complete."""
    unsure = sum(
        len(row.sources)
        for row in changes.rows
        if row.kind == "unsure" or row.was.startswith(_PERHAPS) or row.now.startswith(_PERHAPS)
    )
    if unsure:
        yield Unassessed(f"what passes on one side is not known: {plural(unsure, 'pair')}")
    old, new = _misread(before), _misread(after)
    for ref, spec in {**old, **new}.items():
        if old.get(ref) != spec or new.get(ref) != spec:
            yield Unassessed(
                f"{ref.local} changes and is not understood: what it does is not known"
            )


def _misread(side: Opened) -> dict[Ref, object]:
    """The specifications of the policies that are not understood, or not in all."""
    return {
        policy.resource.ref: policy.resource.raw.get("spec")
        for policy in side.reach.policies.policies
        if policy.doubt
        or any(
            isinstance(peer, Doubtful)
            for rule in (*(policy.ingress or ()), *(policy.egress or ()))
            for peer in rule.peers or ()
        )
    }


def _distinct(entries: Iterable[Unassessed]) -> tuple[Unassessed, ...]:
    return tuple(dict.fromkeys(entries))


def _changes(before: Opened, after: Opened, namespaces: Sequence[str]) -> Changes:
    found = diff(before.reach, after.reach, most=_MOST)
    kept = frozenset(namespaces)
    groups: dict[tuple[str, str, str, str, str], list[Change]] = {}
    for change in found.changes:
        if kept and not ({_space(change.source), _space(change.destination)} & kept):
            continue
        kind = KINDS[change.kind]
        if change.new or change.gone:
            kind = "new" if change.new else "gone"
        key = (kind, change.destination, _told(change, 0), _told(change, 1), change.kind)
        groups.setdefault(key, []).append(change)
    order = {
        kind: i for i, kind in enumerate(("opens", "changes", "closes", "unsure", "new", "gone"))
    }
    rows = []
    for at, ((kind, target, was, now, _), members) in enumerate(
        sorted(groups.items(), key=lambda item: (order[item[0][0]], item[0]))
    ):
        by = _by(before, after, members[0]) if at < _EXPLAINED else ""
        sources = tuple(dict.fromkeys(change.source for change in members))
        rows.append(Changed(kind, sources, target, was, now, by))
    return Changes("", "", tuple(rows), found.new, found.gone, found.more)


def _told(change: Change, side: int) -> str:
    """What passes on one side, in words."""
    reach = change.after if side else change.before
    if reach.yes or not reach.maybe:
        return str(reach.yes)
    return f"{_PERHAPS}{reach.maybe}"


def _by(before: Opened, after: Opened, change: Change) -> str:
    """The rule that opens or closes a pair, with its place."""
    from martello.practices.network.answers.explain import explain

    closing = not change.after.yes
    side, reach = (before, change.before) if change.gone else (after, change.after)
    conn = (
        (change.before.yes - change.after.yes) if closing else change.after.yes - change.before.yes
    )
    if not conn.ranges:
        conn = reach.yes or reach.maybe
    protocol, port = (conn.ranges[0].protocol, conn.ranges[0].first) if conn.ranges else ("ICMP", 0)
    try:
        ends = [
            change.outside
            if change.outside is not None and i == _outer(change)
            else _first(side, name)
            for i, name in enumerate((change.source, change.destination))
        ]
        steps = explain(side.reach, ends[0], ends[1], protocol, port)
    except MartelloError:
        return ""
    wanted = "denied" if closing else "allowed"
    named = [s for s in steps if s.verdict == wanted and s.policy is not None]
    inward = [s for s in named if s.direction == "in"]
    for step in (inward or named)[:1]:
        assert step.policy is not None
        return f"{step.policy.ref.local} ({step.policy.locate(step.path)})"
    return ""


def _outer(change: Change) -> int:
    from martello.practices.network.addresses import name_of

    assert change.outside is not None
    return 0 if change.source == name_of(change.outside) else 1


def _first(side: Opened, name: str) -> Any:
    return find(side.reach.world, name)[0]


def _space(name: str) -> str:
    return name.partition("/")[0]
