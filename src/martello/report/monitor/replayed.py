"""What rules say of a log: on the screen, as JSON, and one alert a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import IO, Any, Final

import msgspec

from martello.core.alert import Alert
from martello.report.model import Screen
from martello.report.monitor.model import Explained, Replayed
from martello.report.text import clean, encoded, hanging, pad, paint, plural

SCHEMA: Final = "martello-monitor/v1"
_ORDER: Final = ("critical", "high", "medium", "low", "info")
_EACH: Final = 3  # alerts shown of a rule
_IN: Final = 10


def write_replayed(told: Replayed, screen: Screen, out: IO[str]) -> None:
    """The alerts by rule, the gravest first; then what could not be assessed."""
    for line in _lines(told, screen):
        out.write(f"{line}\n")


def _lines(told: Replayed, screen: Screen) -> Iterator[str]:
    yield from hanging(_heading(told), screen.width, 2)
    for alerts in _by_rule(told.alerts):
        yield from _rule(alerts, screen)
    for one in told.explained:
        yield from _explained(one, screen)
    for gap in told.gaps[:3]:
        text = f"gap: {clean(gap.where)} near byte {gap.offset:,}: {clean(gap.why)}"
        yield from hanging(text, screen.width, 2)
    if told.gap_count > 3:
        yield f"gap: {told.gap_count - 3:,} more parts were no events"
    for problem in told.problems[:5]:
        yield from hanging(f"rules: {clean(problem)}", screen.width, 2)
    if len(told.problems) > 5:
        yield f"rules: {len(told.problems) - 5:,} more problems  (martello monitor rules check)"
    for unable in told.unable:
        word = "unassessed" if unable.asked else "not asked"
        text = f"{word}: {plural(len(unable.rules), 'rule')}: {clean(unable.why)}"
        yield from hanging(text, screen.width, 2)
    yield f"exit {told.exit}: {told.because}"


def _heading(told: Replayed) -> str:
    parts = [f"{count:,} {kind}" for kind, count in told.events.items()]
    events = (
        f"{plural(sum(told.events.values()), 'event')} ({', '.join(parts)})"
        if parts
        else "no events"
    )
    hours = (told.last - told.first) / 3.6e12
    if told.first:
        events += f", {_span(hours)} from {_clock(told.first)}"
    if told.cluster:
        events += f", cluster {clean(told.cluster)}"
    events += f", {told.sources[0]} only" if len(told.sources) == 1 else ""
    events += f", of {', '.join(told.sources)}" if len(told.sources) > 1 else ""
    alerts = plural(len(told.alerts), "alert")
    if told.silenced:
        alerts += f" ({told.silenced:,} hits silenced)"
    return f"{events}; {_coverage(told)}; {plural(told.rules, 'rule')}; {alerts}"


def _coverage(told: Replayed) -> str:
    """What is known to be missing, and how much of the time that is."""
    count = told.gap_count + told.lost.gaps
    if not count:
        return "no gap"
    span, whole = told.lost.span, told.last - told.first
    known = [f"{span / 1e9:.0f} s"] if span else []
    known += [f"about {told.lost.events:,} events"] if told.lost.events else []
    parts = f" ({', '.join(known)})" if known else ""
    text = f"{plural(count, 'gap')}{parts}"
    if span and whole > 0:
        text += f": coverage {min(99.99, max(0.0, 100 * (1 - span / whole))):.2f} %"
    return text


def _span(hours: float) -> str:
    if hours >= 48:
        return f"{hours / 24:.1f} days"
    return f"{hours:.1f} h" if hours >= 2 else f"{hours * 60:.1f} min"


def _clock(time: int) -> str:
    return datetime.fromtimestamp(time / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _by_rule(alerts: Iterable[Alert]) -> list[list[Alert]]:
    rules: dict[str, list[Alert]] = {}
    for one in alerts:
        rules.setdefault(one.rule, []).append(one)
    found = [
        sorted(each, key=lambda a: (_ORDER.index(a.severity), a.first)) for each in rules.values()
    ]
    return sorted(found, key=lambda each: (_ORDER.index(each[0].severity), each[0].rule))


def _rule(alerts: Sequence[Alert], screen: Screen) -> Iterator[str]:
    head = alerts[0]
    style = head.severity if head.severity != "info" else "dim"
    label = paint(pad(head.severity, _IN), style, screen.colour)
    name = f"{head.rule}  {head.title}" if head.rule != head.title else head.title
    count = plural(len(alerts), "alert")
    hits = sum(one.repeats for one in alerts)
    yield f"{label}{clean(name)}  {count}" + (f" of {hits:,} events" if hits > len(alerts) else "")
    if head.severity in ("low", "info"):  # told, and no more: martello monitor replay -o json
        return
    for one in alerts[:_EACH]:
        text = f"{' ' * _IN}{_clock(one.first)}  {clean(one.says)}"
        if one.repeats > 1:
            text += f"  ({one.repeats:,} times)"
        yield from hanging(text, screen.width, _IN + 2)
        for reason in one.raised:
            yield from hanging(f"{' ' * (_IN + 2)}graver: {clean(reason)}", screen.width, _IN + 4)
    if len(alerts) > _EACH:
        yield f"{' ' * _IN}and {len(alerts) - _EACH:,} more"
    for word, text in (("why", head.why), ("fix", head.fix)):
        if text:
            yield from hanging(f"{' ' * _IN}{word}  {clean(text)}", screen.width, _IN + 5)


def _explained(one: Explained, screen: Screen) -> Iterator[str]:
    yield f"{clean(one.rule)}  {clean(one.title)}: {one.state}, {plural(one.hits, 'hit')}"
    if one.why:
        yield from hanging(f"  {clean(one.why)}", screen.width, 4)
    for near in one.near:
        what = "fired on" if near.fired else "nearest miss"
        yield f"  {what} {_clock(near.time)} {clean(near.event)}"
        for text, truth, value in near.parts:
            mark = {True: "yes", False: "no ", None: "?  "}[truth]
            yield from hanging(f"    {mark}  {clean(text)}   is {clean(value)}", screen.width, 9)


def write_json(told: Replayed, out: IO[str]) -> None:
    """Everything, as one object."""
    body: dict[str, Any] = {"schema": SCHEMA, **msgspec.to_builtins(told)}
    out.write(encoded(body, indent=True) + "\n")


def write_jsonl(told: Replayed, out: IO[str]) -> None:
    """One alert a line."""
    for one in told.alerts:
        out.write(encoded(msgspec.to_builtins(one)) + "\n")
