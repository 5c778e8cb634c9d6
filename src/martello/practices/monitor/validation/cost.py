"""What each rule costs: its share of the time of matching a sample of events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from martello.practices.monitor.engine.rule import Pack, Rule
from martello.practices.monitor.engine.scalar import judge

_ROUNDS: Final = 3


class Cost(msgspec.Struct, frozen=True):
    """Of one rule: its share of all time (0 to 1), and how many times the mean that is."""

    rule: str
    share: float
    times: float
    hits: int


def costs(
    pack: Pack, events: Iterable[Mapping[str, Any]], clock: Callable[[], int]
) -> tuple[Cost, ...]:
    """The costs of the rules of a pack, dearest first. `clock` gives nanoseconds; of several rounds
    the fastest counts. Rules that cannot run, and correlations, have none.
    """
    by_kind: dict[str, list[Mapping[str, Any]]] = {}
    for event in events:
        by_kind.setdefault(str(event.get("kind")), []).append(event)
    found: list[tuple[Rule, int, int]] = []
    for rule in pack:
        if rule.unassessed or rule.correlate is not None or not rule.enabled:
            continue
        tried = [event for kind in rule.kinds for event in by_kind.get(kind, ())]
        found.append((rule, *_timed(rule, tried, clock)))
    whole = sum(spent for _, spent, _ in found) or 1
    mean = whole / (len(found) or 1)
    told = [Cost(rule.id, spent / whole, spent / mean, hits) for rule, spent, hits in found]
    return tuple(sorted(told, key=lambda one: -one.share))


def _timed(
    rule: Rule, events: Sequence[Mapping[str, Any]], clock: Callable[[], int]
) -> tuple[int, int]:
    decide = judge(rule.tree)
    best, hits = 0, 0
    for turn in range(_ROUNDS):
        begin = clock()
        hits = sum(1 for event in events if decide(event))
        spent = max(0, clock() - begin)
        best = spent if turn == 0 else min(best, spent)
    return best, hits
