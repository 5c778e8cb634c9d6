"""The tests that rules carry: raw source events, read as any others, and what each rule must say.

A test names the source of its event by `from` (`audit` where it names none; `columns` means that
the event is given column by column); one of a correlation has several `events`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any, Final, TypeAlias

import msgspec

from martello.practices.monitor.alerts.correlate import Correlator
from martello.practices.monitor.engine.ir import Node
from martello.practices.monitor.engine.rule import Hit, Pack, Rule
from martello.practices.monitor.engine.scalar import holds

Event: TypeAlias = Mapping[str, Any]
Reader: TypeAlias = Callable[[bytes], Iterable[Event]]
Decide: TypeAlias = Callable[[Rule, tuple[Event, ...]], bool]


_SECOND: Final = 1_000_000_000  # between events of a test that have no time


class Outcome(msgspec.Struct, frozen=True):
    """One test of one rule: whether it said what it must, and else why not."""

    rule: str
    test: str
    passed: bool
    why: str = ""


class Prepared(msgspec.Struct, frozen=True, eq=False):
    """A test with its events read: they do not change when the rule does."""

    rule: Rule
    name: str
    events: tuple[Event, ...]
    fires: bool
    fault: str = ""


def audit(line: bytes) -> Iterator[Event]:
    """Audit events, redacted and with all columns."""
    from martello.adapters.audit import columns

    for one in columns.read(line, columns.Origin(b"\0" * 32)):
        if isinstance(one, dict):
            yield one


def _sensor(name: str) -> Reader:
    """The reader of a sensor's lines; of what is no event it gives nothing."""

    def read(line: bytes) -> Iterator[Event]:
        module = import_module(f"martello.adapters.sensors.{name}")
        reader = module.Reader().read if hasattr(module, "Reader") else module.read
        for one in reader([line.rstrip(b"\n") + b"\n"], "test", 0):
            if isinstance(one, dict) and one.get("kind") != "gap":
                yield one

    return read


SENSORS: Final = ("tetragon", "falco", "hubble", "auditd", "ndjson")
READERS: Final[Mapping[str, Reader]] = {
    "audit": audit,
    **{name: _sensor(name) for name in SENSORS},
}


def prepare(rule: Rule, readers: Mapping[str, Reader] | None = None) -> tuple[Prepared, ...]:
    """The tests of a rule; one whose events cannot be read has a fault and no events."""
    known = {**READERS, **(readers or {})}
    found = []
    for index, test in enumerate(rule.tests):
        name = str(test.get("name") or index + 1)
        raw = test["events"] if "events" in test else [test.get("event")]
        events: list[Event] = []
        fault = ""
        for one in raw:
            read, fault = _read(rule, one, str(test.get("from", "audit")), known)
            for event in read:
                events.append({"time": (len(events) + 1) * _SECOND, **event})
            if fault:
                break
        fires = test.get("expect") == "fire"
        found.append(Prepared(rule, name, () if fault else tuple(events), fires, fault))
    return tuple(found)


def _read(
    rule: Rule, raw: Any, source: str, readers: Mapping[str, Reader]
) -> tuple[list[Event], str]:
    if source == "columns":
        if not isinstance(raw, dict):
            return [], "its event is no mapping"
        return [{"kind": next(iter(rule.kinds), ""), **raw}], ""
    reader = readers.get(source)
    if reader is None:
        return [], f"there is no reader for events from {source}"
    try:
        line = raw.encode() if isinstance(raw, str) else msgspec.json.encode(raw)
        events = list(reader(line))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        return [], f"its event cannot be read: {type(error).__name__}"
    return events, "" if events else "its event gives no event of ours"


def run(pack: Pack, readers: Mapping[str, Reader] | None = None) -> tuple[Outcome, ...]:
    """Every test of every rule of a pack."""
    decide = together(pack)
    found: list[Outcome] = []
    for rule in pack:
        found.extend(judged(one, rule.tree, decide) for one in prepare(rule, readers))
    return tuple(found)


def together(pack: Pack) -> Decide:
    """Whether a correlation of a pack fires for events, taken in the order of their times."""

    def decide(rule: Rule, events: tuple[Event, ...]) -> bool:
        rules = tuple(_made_of(rule, pack))
        correlator = Correlator(Pack(rules))
        hits = [
            Hit(one.id, event)
            for event in events
            for one in rules
            if one.correlate is None
            and event.get("kind") in one.kinds
            and holds(one.tree, event) is True
        ]
        found = [*correlator.add(hits), *correlator.flush()]
        return any(hit.rule == rule.id for hit in found)

    return decide


def _made_of(rule: Rule, pack: Pack) -> Iterator[Rule]:
    """A correlation and all that it is made of, each once."""
    seen: set[str] = set()
    stack = [rule]
    while stack:
        one = stack.pop()
        if one.id not in seen:
            seen.add(one.id)
            yield one
            parts = one.correlate.of if one.correlate is not None else ()
            stack.extend(pack.rules[part] for part in parts if part in pack.rules)


def judged(test: Prepared, tree: Node, decide: Decide | None = None) -> Outcome:
    """What a test says of a tree."""
    rule = test.rule
    if test.fault or rule.unassessed:
        return Outcome(rule.id, test.name, False, test.fault or rule.unassessed)
    if rule.correlate is not None:
        if decide is None:
            return Outcome(rule.id, test.name, False, "correlations are not run here")
        fired = decide(rule, test.events)
    else:
        tried = (event for event in test.events if event.get("kind") in rule.kinds)
        fired = any(holds(tree, event) is True for event in tried)
    said = "fired" if fired else "was quiet"
    passed = fired is test.fires
    return Outcome(rule.id, test.name, passed, "" if passed else f"it {said}")
