"""What all readers of sensors do alike: identity, gaps, text of any bytes, bounds.

An event is a dict by column of core/event.py that leaves out what is null. A gap in time is an
event of kind `gap`: `time` and `seen` are its begin and end, `action` says which (attach, died,
lost, silent, throttled, unread), `ev_count` how many events (absent: not known), `raw` why. A part
of a file or stream that cannot be read is a `Gap` with its bytes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from martello.adapters.audit.event import nanoseconds
from martello.core.event import Gap

Event = dict[str, Any]
Json = dict[str, Any]
LONGEST: Final = 1 << 20  # bytes of one record; longer ones are a gap
LONGEST_TEXT: Final = 1 << 16  # characters of one column; longer ones are cut and flagged
MOST_ITEMS: Final = 1000  # of one list
SECOND: Final = 1_000_000_000
_LATEST: Final = 1 << 62  # ns: the year 2116
_WRONG: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError)
_DECODE: Final = msgspec.json.Decoder().decode
_LONE: Final = re.compile("[\ud800-\udfff]")


class Place(NamedTuple):
    """Which machine a sensor watches. `boot` tells its runs apart (/proc/sys/kernel/random)."""

    cluster: str = ""
    node: str = ""
    boot: str = ""


NOWHERE: Final = Place()


class NotRead(Exception):
    """A record is not what its reader reads; the message says why."""


def identity(place: Place, source: str, *told: object) -> str:
    """The `id` of an event (E1): the same however often it is read."""
    text = "\0".join((*place, source, *map(str, told)))
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()


def gap(
    place: Place, source: str, what: str, begin: int, end: int, why: str, count: int | None = None
) -> Event:
    """A span of time (ns) of which a source tells nothing, or not all."""
    event: Event = {
        "id": identity(place, source, "gap", what, begin, end, count),
        "kind": "gap",
        "action": what,
        "source": source,
        "time": begin,
        "seen": end,
        "raw": why,
    }
    if count is not None:
        event["ev_count"] = count
    return named(event, place)


def named(event: Event, place: Place) -> Event:
    """The event with the cluster and node it comes from."""
    if place.cluster:
        event["cluster"] = place.cluster
    if place.node:
        event.setdefault("node", place.node)
    return event


def text_of(value: bytes, flags: set[str]) -> str:
    """Bytes of anybody's making as text; wrong ones stay readable as `\\xff`, and are flagged."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        flags.add("bad_utf8")
        return value.decode("utf-8", "backslashreplace")


def bounded(value: str, flags: set[str]) -> str:
    """A text as a column may hold it: no lone surrogates, not longer than a column."""
    if len(value) > LONGEST_TEXT:
        flags.add("truncated")
        value = value[:LONGEST_TEXT]
    if _LONE.search(value):
        flags.add("bad_utf8")
        value = _LONE.sub("\ufffd", value)
    return value


def parsed(line: bytes, flags: set[str]) -> Json:
    """The JSON object of a line. One that is no UTF-8 is read with its wrong bytes replaced, and
    flagged; a key that is written twice counts as it stands last, flagged where it is at the top.
    Raises NotRead.
    """
    try:
        raw = _DECODE(line)
    except RecursionError:
        raise NotRead("it is nested too deeply") from None
    except _WRONG:
        try:
            raw = _DECODE(line.decode("utf-8", "replace").encode())
        except RecursionError:
            raise NotRead("it is nested too deeply") from None
        except _WRONG:
            raise NotRead("it is no JSON") from None
        flags |= {"bad_utf8", "partial"}
    if not isinstance(raw, dict):
        raise NotRead("it is no JSON object")
    return raw


def text(raw: Mapping[str, Any], *keys: str) -> str | None:
    """The first of these fields that holds text; numbers count as their digits."""
    for key in keys:
        value = raw.get(key)
        if isinstance(value, str) and value:
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
    return None


def number(raw: Mapping[str, Any], *keys: str) -> int | None:
    """The first of these fields that holds a whole number or its digits, within 63 bits."""
    for key in keys:
        value = raw.get(key)
        if isinstance(value, str) and len(value) <= 20 and re.fullmatch(r"-?\d+", value, re.ASCII):
            value = int(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63:
            return value
    return None


def part(raw: Mapping[str, Any], *keys: str) -> Json:
    """The first of these fields that holds an object; an empty one where none does."""
    for key in keys:
        value = raw.get(key)
        if isinstance(value, dict):
            return value
    return {}


def texts(raw: Mapping[str, Any], key: str) -> list[str]:
    """The texts of a list, no more than MOST_ITEMS."""
    value = raw.get(key)
    if not isinstance(value, list):
        return []
    return [one for one in value[:MOST_ITEMS] if isinstance(one, str)]


def moment(value: object, seen: int, flags: set[str]) -> int:
    """The ns of an RFC 3339 time; `seen` and flag `clock` where it is none or absurd: before 1971
    or more than a day behind `seen`.
    """
    at = nanoseconds(value) if isinstance(value, str) and len(value) < 64 else 0
    if not 31_536_000 * SECOND <= at < min(seen + 86_400 * SECOND, _LATEST):
        flags.add("clock")
        return seen
    return at


def finished(event: Event, flags: set[str]) -> Event:
    """The event without nulls and empty lists, its texts bounded, its flags in it."""
    kept: Event = {}
    for column, value in event.items():
        if value is None or value == []:
            continue
        if isinstance(value, str) and column != "raw":
            value = bounded(value, flags)
        elif isinstance(value, list):
            if len(value) > MOST_ITEMS:
                flags.add("truncated")
            value = [bounded(one, flags) for one in value[:MOST_ITEMS]]
        kept[column] = value
    if isinstance(raw := kept.get("raw"), str):
        kept["raw"] = _LONE.sub("\ufffd", raw) if _LONE.search(raw) else raw
    if flags:
        kept["flags"] = sorted(flags)
    return kept


One = Callable[[bytes, int], list[Event]]


def lined(parts: Iterable[bytes], where: str, one: One, seen: int) -> Iterator[Event | Gap]:
    """The events of a stream of lines, each read by `one` (which raises NotRead): a Gap for each
    that cannot be read. `seen` is now (ns).
    """
    for at, size, line in lines(parts):
        if line is None:
            yield Gap(where, at, size, f"a line is longer than {LONGEST >> 10} KiB")
            continue
        try:
            yield from one(line, seen)
        except NotRead as error:
            yield Gap(where, at, size, str(error))


def lines(
    parts: Iterable[bytes], longest: int = LONGEST
) -> Iterator[tuple[int, int, bytes | None]]:
    """The lines of a stream that hold something, with where they begin and their size with its
    end; None for one that is too long.
    """
    held: list[bytes] = []
    size = at = 0
    for piece in parts:
        begun = piece.split(b"\n")
        rest = begun.pop()
        for line in begun:
            size += len(line)
            whole = b"".join((*held, line)) if held else line
            if size > longest:
                yield at, size + 1, None
            elif whole.strip():
                yield at, size + 1, whole
            at += size + 1
            held, size = [], 0
        size += len(rest)
        if size <= longest:
            if rest:
                held.append(rest)
        else:
            held = []
    if size > longest:
        yield at, size, None
    elif held and (whole := b"".join(held)).strip():
        yield at, size, whole
