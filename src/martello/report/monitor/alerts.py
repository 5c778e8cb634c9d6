"""Alerts on the screen and as JSON: a list, and one with all that is known of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import IO, Any, Final

import msgspec

from martello.core.alert import Alert
from martello.report.model import Screen
from martello.report.monitor.model import Explained, Near
from martello.report.text import clean, encoded, hanging, pad, paint, plural

SCHEMA: Final = "martello-alerts/v1"
ID: Final = 12  # characters of an id that are shown
_IN: Final = ID + 2
_EACH: Final = 3  # events shown of an alert
_FIELDS: Final = ("k8s_ns", "pod_workload", "pod_name", "container_name", "actor_user", "node")


class Standing(msgspec.Struct, frozen=True):
    """How a sink stands: deliveries that wait and that are dead letters."""

    sink: str
    waiting: int
    dead: int


class Delivered(msgspec.Struct, frozen=True):
    """One delivery in words: `done after 2 attempts`."""

    sink: str
    revision: int
    state: str
    attempts: int
    at: int  # microseconds since 1970: of the yes, or of the next attempt
    error: str


class Listed(msgspec.Struct, frozen=True):
    """Alerts, the newest first, and what else is to be known of the window."""

    alerts: tuple[Alert, ...]
    sinks: tuple[Standing, ...] = ()
    coverage: str = ""
    exit: int = 0
    because: str = ""


class Shown(msgspec.Struct, frozen=True):
    """One alert. `explained` is asked for by `explain` alone; `rule_changed`: it is no longer what
    it was when it fired.
    """

    alert: Alert
    deliveries: tuple[Delivered, ...] = ()
    explained: Explained | None = None
    note: str = ""


def write_listed(told: Listed, screen: Screen, out: IO[str]) -> None:
    """One line an alert, and one for each sink where something waits."""
    for one in told.alerts:
        for line in _line(one, screen):
            out.write(f"{line}\n")
    for sink in told.sinks:
        text = f"sink {clean(sink.sink)}: {sink.waiting:,} wait, {sink.dead:,} dead letters"
        out.write(text + ("  (martello monitor alerts retry)\n" if sink.dead else "\n"))
    if told.coverage:
        out.write(f"{clean(told.coverage)}\n")
    out.write(f"{plural(len(told.alerts), 'alert')}; exit {told.exit}: {clean(told.because)}\n")


def write_one(one: Alert, screen: Screen, out: IO[str], *, again: bool = False) -> None:
    """The line of one alert and why it is graver; with `again` only that it happened once more."""
    for line in _line(one, screen, again=again):
        out.write(f"{line}\n")
    for reason in () if again else one.raised:
        for line in hanging(f"{' ' * _IN}graver: {clean(reason)}", screen.width, _IN + 2):
            out.write(f"{line}\n")


def _line(one: Alert, screen: Screen, *, again: bool = False) -> Iterator[str]:
    style = one.severity if one.severity != "info" else "dim"
    severity = paint(pad(one.severity, 10), style, screen.colour)
    state = "" if one.state == "open" else f" [{one.state}]"
    times = f"  ({one.repeats:,} times)" if one.repeats > 1 else ""
    says = f"again, {one.repeats:,} times" if again else f"{clean(one.says or one.title)}{times}"
    yield from hanging(
        f"{one.id[:ID]}  {_clock(one.last)}  {severity}{clean(one.rule)}{state}  {says}",
        screen.width,
        _IN,
    )


def write_shown(told: Shown, screen: Screen, out: IO[str]) -> None:
    """Everything that is known of it."""
    for line in _whole(told, screen):
        out.write(f"{line}\n")


def _whole(told: Shown, screen: Screen) -> Iterator[str]:
    one = told.alert
    style = one.severity if one.severity != "info" else "dim"
    label = paint(one.severity, style, screen.colour)
    name = one.title if one.title == one.rule else f"{one.rule}  {one.title}"
    yield f"{label}  {clean(name)}  [{one.state}]"
    yield from hanging(f"  {clean(one.says)}", screen.width, 4)
    yield f"  id      {one.id}, revision {one.revision}"
    span = _clock(one.first)
    if one.last != one.first:
        span += f" to {_clock(one.last)}"
    yield f"  when    {span} UTC, {plural(one.repeats, 'event')}"
    if one.cluster:
        yield f"  cluster {clean(one.cluster)}"
    for column in (*_FIELDS, *sorted(set(one.entity) - set(_FIELDS))):
        if one.entity.get(column):
            yield from hanging(f"  {column}={clean(one.entity[column])}", screen.width, 4)
    for word, text in (("why", one.why), ("fix", one.fix), ("attack", ", ".join(one.attack))):
        if text:
            yield from hanging(f"  {pad(word, 8)}{clean(text)}", screen.width, 10)
    for reason in one.raised:
        yield from hanging(f"  graver  {clean(reason)}", screen.width, 10)
    if told.note:
        yield from hanging(f"  note    {clean(told.note)}", screen.width, 10)
    if told.explained is not None:
        yield from _explained(told.explained, screen)
    else:
        yield from _evidence(one, screen)
    for sent in told.deliveries:
        yield from hanging(f"  {_delivered(sent)}", screen.width, 4)


def _evidence(one: Alert, screen: Screen) -> Iterator[str]:
    for event in one.evidence[:_EACH]:
        yield f"  event   {_clock(event.time)} {clean(event.event)}"
        told = " ".join(f"{name}={_value(value)}" for name, value in event.columns.items())
        yield from hanging(f"          {told}", screen.width, 12)
    left = one.repeats - len(one.evidence[:_EACH])
    if left > 0:
        kept = len(one.evidence) - len(one.evidence[:_EACH])
        yield f"  and {left:,} more events" + (f", {kept:,} of them kept (-o json)" if kept else "")


def _explained(told: Explained, screen: Screen) -> Iterator[str]:
    alike: dict[tuple[tuple[str, bool | None, str], ...], list[Near]] = {}
    for near in told.near:
        alike.setdefault(near.parts, []).append(near)
    for parts, events in alike.items():
        more = f" and {plural(len(events) - 1, 'event')} alike" if len(events) > 1 else ""
        yield f"  event   {_clock(events[0].time)} {clean(events[0].event)}{more}"
        says = list(dict.fromkeys(one.says for one in events if one.says))
        for text in says[:_EACH]:
            yield from hanging(f"    also  {clean(text)}", screen.width, 10)
        if len(says) > _EACH:
            yield f"    and {len(says) - _EACH:,} more (-o json)"
        for text, truth, value in parts:
            mark = {True: "yes", False: "no ", None: "?  "}[truth]
            line = f"    {mark}  {clean(text)}   is {clean(value) or 'missing'}"
            yield from hanging(line, screen.width, 9)


def _delivered(one: Delivered) -> str:
    words = {"done": "taken", "dead": "dead letter", "leased": "being sent", "open": "waits"}
    text = f"sink {clean(one.sink)}: revision {one.revision} {words.get(one.state, one.state)}"
    if one.state == "done":
        text += f" {_clock(one.at * 1000)}"
    if one.attempts > 1 or one.state != "done":
        text += f", {plural(one.attempts, 'attempt')}"
    return text + (f": {clean(one.error)}" if one.error else "")


def write_json(told: Listed | Shown, out: IO[str]) -> None:
    """Everything, as one object."""
    body: dict[str, Any] = {"schema": SCHEMA, **msgspec.to_builtins(told)}
    out.write(encoded(body, indent=True) + "\n")


def write_jsonl(alerts: Sequence[Alert], out: IO[str]) -> None:
    """One alert a line."""
    for one in alerts:
        out.write(encoded(msgspec.to_builtins(one)) + "\n")


def matched(match: Mapping[str, Any]) -> str:
    """What an exception asks for, in one line: `k8s_ns=shop, proc_exe below /opt/agent`."""
    forms = {"prefix": " below ", "cidr": " in ", "glob": " like "}
    parts = []
    for name, wanted in match.items():
        if isinstance(wanted, Mapping):
            form, value = next(iter(wanted.items()))
            parts.append(f"{name}{forms.get(form, '=')}{value}")
        else:
            parts.append(f"{name}={_value(wanted)}")
    return clean(", ".join(parts))


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(one) for one in value) + "]"
    return clean(str(value))


def _clock(time: int) -> str:
    seconds = min(max(0, time) // 1_000_000_000, 253_402_300_799)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
