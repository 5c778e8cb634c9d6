"""Alerts that are kept: listed, shown, explained, acknowledged, closed, sent again."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import IO, Any, Final

from martello.cli.access.windows import nanoseconds
from martello.cli.outputs import write_each
from martello.cli.reports import parse_outputs
from martello.cli.store.places import Places, places
from martello.core.alert import OPEN, SEVERITIES, Alert
from martello.core.errors import BadInput
from martello.report.model import Screen
from martello.report.monitor import alerts as report
from martello.report.monitor.model import Explained, Near
from martello.report.text import clean, plural
from martello.store import handled
from martello.store.outbox import Outbox
from martello.store.state import State, open_state

LISTS: Final = ("table", "json", "jsonl")
SHOWS: Final = ("table", "json")
_MOST: Final = 10_000


@contextmanager
def opened(flags: dict[str, Any]) -> Iterator[tuple[State, Places]]:
    """The store of a command. Raises BadInput and what the store raises."""
    where = places(flags["state"], flags["lake"])
    with open_state(where.state) as state:
        yield state, where


def list_command(flags: dict[str, Any]) -> int:
    """Lists alerts; 1 where an open one reaches `--fail-on`, 3 where the window has gaps."""
    outputs = parse_outputs(flags["outputs"], LISTS)
    with opened(flags) as (state, where):
        told = _listed(state, where, flags)

    def write(format: str, screen: Screen, out: IO[str]) -> None:
        if format == "table":
            report.write_listed(told, screen, out)
        elif format == "json":
            report.write_json(told, out)
        else:
            report.write_jsonl(told.alerts, out)

    write_each(outputs, write)
    return told.exit


def _listed(state: State, where: Places, flags: dict[str, Any]) -> report.Listed:
    until = time.time_ns() // 1000
    since = until - nanoseconds(flags["since"]) // 1000 if flags["since"] else 0
    outbox = Outbox(state)
    found = outbox.alerts(since, flags["everything"], _MOST)
    least = SEVERITIES.index(flags["severity"])
    chosen = tuple(
        one
        for one in found
        if SEVERITIES.index(one.severity) >= least
        and _fits(flags["rule_names"], one.rule, one.title)
        and _fits(flags["namespaces"], one.entity.get("k8s_ns", ""))
    )
    chosen = tuple(sorted(chosen, key=lambda a: (-a.last, -SEVERITIES.index(a.severity), a.id)))
    sinks = tuple(
        report.Standing(name, one.waiting, one.dead)
        for name, one in outbox.standing().items()
        if one.waiting or one.dead
    )
    coverage, complete = _coverage(state, where, since, until)
    code, because = _verdict(chosen, flags["fail_on"], complete, len(found) >= _MOST)
    return report.Listed(chosen, sinks, coverage, code, because)


def _coverage(state: State, where: Places, since: int, until: int) -> tuple[str, bool]:
    """What is known of the window, where anything was received at all."""
    from martello.store import segments

    if not segments.find(state, (), (), since, until):
        return "", True
    from martello.store.files import open_files
    from martello.store.hunt import known_gaps
    from martello.store.lake import Lake

    covered = known_gaps(state, Lake(open_files(where.lake)), since, until, ())
    return covered.says, covered.complete


def _fits(globs: Sequence[str], *words: str) -> bool:
    return not globs or any(fnmatchcase(word, one) for one in globs for word in words)


def _verdict(alerts: Sequence[Alert], fail_on: str, complete: bool, cut: bool) -> tuple[int, str]:
    if fail_on != "never":
        least = SEVERITIES.index(fail_on)
        failing = [
            one for one in alerts if one.state == OPEN and SEVERITIES.index(one.severity) >= least
        ]
        if failing:
            return 1, f"{len(failing):,} open at or above {fail_on}"
    if not complete or cut:
        return 3, "the window has gaps" if not complete else f"more than {_MOST:,} alerts"
    return 0, "fail-on never" if fail_on == "never" else f"nothing open at or above {fail_on}"


def show_command(word: str, flags: dict[str, Any], *, explain: bool = False) -> int:
    """Shows one alert, and with `explain` each part of its rule; 0, or 3 where the rule is not
    there or has changed.
    """
    outputs = parse_outputs(flags["outputs"], SHOWS)
    with opened(flags) as (state, _):
        one = handled.find(state, word)
        sent = tuple(
            report.Delivered(
                d.sink, d.revision, d.state, d.attempts, d.done_at or d.next_at, d.error
            )
            for d in handled.deliveries(state, one.id)
        )
    told = report.Shown(one, sent)
    if explain:
        explained, note = _explained(one, flags["rules"])
        told = report.Shown(one, sent, explained, note)

    def write(format: str, screen: Screen, out: IO[str]) -> None:
        if format == "table":
            report.write_shown(told, screen, out)
        else:
            report.write_json(told, out)

    write_each(outputs, write)
    return 3 if told.note else 0


def _explained(one: Alert, names: Sequence[str]) -> tuple[Explained | None, str]:
    """Each part of the rule for each event that is kept, and what is in doubt about that."""
    from martello.cli.monitor.explaining import words
    from martello.practices.monitor import packs
    from martello.practices.monitor.baseline import RULES
    from martello.practices.monitor.engine.say import plain, render
    from martello.practices.monitor.engine.scalar import explain, holds

    known = {rule.id: rule for rule in (*RULES, *packs.named(names).pack)}
    rule = known.get(one.rule)
    if rule is None:
        return None, f"rule {one.rule} is not among the rules (--rules PATH)"
    note = ""
    if rule.hash != one.rule_hash:
        note = f"{one.rule} has changed since it fired: what is explained is what it says now"
    if rule.correlate is not None:
        c = rule.correlate
        figure = f"{c.type} of {', '.join(c.of)} by {', '.join(c.by) or 'nothing'}"
        text = f"{figure} within {c.within} s"
        near = tuple(
            Near(e.event, e.time, True, ((text, True, "this is one of them"),))
            for e in one.evidence
        )
        return Explained(rule.id, rule.title, "", "", one.repeats, near), note
    says = [render(rule.say, event.columns) for event in one.evidence]
    near = tuple(
        Near(
            event.event,
            event.time,
            holds(rule.tree, event.columns) is True,
            tuple(
                (words(told.atom), told.truth, plain(told.value))
                for told in explain(rule.tree, event.columns)
            ),
            "" if says[at] == says[0] else says[at],  # the first is what the alert says
        )
        for at, event in enumerate(one.evidence)
    )
    return Explained(rule.id, rule.title, "", "", one.repeats, near), note


def mark_command(words: Sequence[str], to: str, flags: dict[str, Any]) -> int:
    """Acknowledges or closes alerts; 0."""
    with opened(flags) as (state, _):
        for one in handled.mark(state, words, to):
            name = one.title if one.title == one.rule else f"{one.rule} {one.title}"
            print(f"{to}  {one.id[: report.ID]}  {clean(name)}")
    return 0


def retry_command(words: Sequence[str], sink: str, flags: dict[str, Any]) -> int:
    """Sends dead letters again; 0."""
    with opened(flags) as (state, _):
        ids = [handled.find(state, word).id for word in words]
        outbox = Outbox(state)
        if sink and sink not in outbox.standing():
            known = ", ".join(outbox.standing()) or "none"
            raise BadInput(f"no sink {sink[:100]!a}", f"there are: {known}", "alerts list")
        count = outbox.retry(ids, sink)
    print(f"{plural(count, 'dead letter')} will be sent again by martello monitor run")
    return 0
