"""Whether an event of a sensor is one: columns of its kind, of their types, nothing null."""

from __future__ import annotations

from typing import Any

from martello.adapters.sensors.shape import LONGEST_TEXT, MOST_ITEMS, Event
from martello.core.event import COLUMNS, FLAGS, KINDS, Gap

_ALWAYS = ("id", "kind", "action", "source", "time", "seen")


def events_of(found: list[Event | Gap]) -> list[Event]:
    """Those that are events, each judged."""
    events = [one for one in found if not isinstance(one, Gap)]
    for event in events:
        judged(event)
    return events


def judged(event: Event) -> Event:
    """The event, if it is one (E3, E4)."""
    kind = event["kind"]
    assert kind in KINDS
    for name in _ALWAYS:
        assert event.get(name) not in (None, ""), f"{name} is missing"
    for name, value in event.items():
        column = COLUMNS[name]
        assert kind in column.kinds, f"{kind} has no {name}"
        assert _fits(column.type, value), f"{name} is {value!r}"
        if name not in ("raw", "log_text"):
            assert len(str(value)) <= LONGEST_TEXT * MOST_ITEMS
        str(value).encode()  # no lone surrogates: they cannot be stored
    assert set(event.get("flags", ())) <= set(FLAGS)
    assert 0 <= event["time"] < 1 << 63
    return event


def _fits(type_: str, value: Any) -> bool:
    if type_ in ("texts", "ints", "bools"):
        return (
            isinstance(value, list) and value != [] and all(_fits(type_[:-1], one) for one in value)
        )
    if type_ == "text":
        return isinstance(value, str)
    if type_ == "bool":
        return isinstance(value, bool)
    if type_ == "map":
        return isinstance(value, dict)
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63
