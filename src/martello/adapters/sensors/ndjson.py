"""Events by column, one JSON object a line: what Martello writes, and what any program may send.

`kind` and `time` (ns, or RFC 3339) are needed. Names may have dots (`proc.exe` is `proc_exe`).
Columns that a kind does not have, and values of another type than their column, are left out and
flagged `partial`; the line is kept as `raw`.
"""

from __future__ import annotations

from typing import Any, Final

from martello.adapters.sensors.reading import Read, reading
from martello.adapters.sensors.shape import (
    Event,
    NotRead,
    Place,
    finished,
    identity,
    moment,
    named,
    parsed,
)
from martello.core.event import COLUMNS, FLAGS, KINDS

SOURCE: Final = "ndjson"
_OWN: Final = ("time", "seen", "kind", "flags", "raw")
_LARGEST: Final = 1 << 63


def event(line: bytes, seen: int, place: Place) -> list[Event]:
    """The event of one line. Raises NotRead."""
    flags: set[str] = set()
    raw = {key.replace(".", "_"): value for key, value in parsed(line, flags).items()}
    kind = raw.get("kind")
    if kind not in KINDS:
        raise NotRead("it has no kind of event that is known")
    found: Event = {}
    for name, value in raw.items():
        column = COLUMNS.get(name)
        if name in _OWN or value is None:
            continue
        if column is None or kind not in column.kinds or not _fits(column.type, value):
            flags.add("partial")
        else:
            found[name] = value
    given = raw.get("flags")
    flags |= {one for one in given if one in FLAGS} if isinstance(given, list) else set()
    at = raw.get("time")
    whole = isinstance(at, int) and not isinstance(at, bool) and 0 < at < _LARGEST
    found["time"] = at if whole else moment(at, seen, flags)
    found["kind"], found["seen"] = kind, seen
    found.setdefault("source", SOURCE)
    found.setdefault("action", kind)
    found.setdefault("id", identity(place, found["source"], line))
    text = raw.get("raw")
    found["raw"] = text if isinstance(text, str) else line.decode("utf-8", "backslashreplace")
    return [finished(named(found, place), flags)]


def _fits(type_: str, value: Any) -> bool:
    if type_ in ("texts", "ints", "bools"):
        return isinstance(value, list) and all(_fits(type_.removesuffix("s"), one) for one in value)
    if type_ == "text":
        return isinstance(value, str)
    if type_ == "bool":
        return isinstance(value, bool)
    if type_ == "map":
        return isinstance(value, dict) and all(isinstance(one, str) for one in value.values())
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST


read: Final[Read] = reading(lambda line, seen, place, _: event(line, seen, place))
