"""What is kept of one group of hits, and whether the window that ends with the newest is true.

A window is open at its beginning and closed at its end: with 60 s, a hit of 60 s before is out.
Hits come in the order of their time. One that comes late is put where it belongs as long as it is
in the window of the newest hit, whose window is judged then; an older one is left out.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Mapping
from hashlib import blake2b
from math import isfinite
from typing import Any, Final, TypeAlias

import msgspec

from martello.core.alert import SHOWN
from martello.practices.monitor.engine.rule import Correlation
from martello.practices.monitor.engine.say import plain

MOST_KEPT: Final = 10_000  # items of a group: more are neither counted nor weighed
_EACH: Final = 48  # bytes of a time that is kept, about
_LONG: Final = 64  # characters of a value that is kept as it is
_decode: Final = msgspec.msgpack.Decoder(dict[str, Any]).decode


class Item(msgspec.Struct, frozen=True, gc=False):
    """A hit as a group sees it: when (ns), which rule of the correlation (its place), which event,
    the value of the field, and the event as bytes.
    """

    time: int
    part: int
    event: str
    value: Any
    packed: bytes


class Group(ABC):
    """What is kept of a group."""

    __slots__ = ("asked", "begin", "last", "newest", "packed")

    def __init__(self, asked: Correlation) -> None:
        self.asked = asked
        self.newest = -(1 << 62)
        self.last: list[tuple[int, bytes]] = []
        self.begin = self.newest
        self.packed = 0  # bytes of events

    def enter(self, one: Item, window: int) -> bool:
        """Takes an item; whether the correlation is true now. `window` is in ns."""
        if one.time <= self.newest - window:
            return False
        self.newest = max(self.newest, one.time)
        self.begin = self.newest - window
        return self._entered(one, self.begin)

    @abstractmethod
    def _entered(self, one: Item, begin: int) -> bool:
        """Takes an item that is in the window, which begins after a time."""

    def shown(self) -> tuple[Mapping[str, Any], ...]:
        """The events of the window, as far as they are kept, in the order in which they came."""
        return tuple(_decode(packed) for time, packed in self.last if time > self.begin)

    def weight(self) -> int:
        """Bytes that it takes, about."""
        return self.packed

    def _remember(self, one: Item) -> None:
        self.last.append((one.time, one.packed))
        self.packed += len(one.packed)
        if len(self.last) > SHOWN:
            self.packed -= len(self.last.pop(0)[1])

    def _compare(self, figure: float) -> bool:
        return holds(figure, self.asked.op, self.asked.value)


class Count(Group):
    """How many: only as many times are kept as are asked for."""

    __slots__ = ("_most", "_times")

    def __init__(self, asked: Correlation) -> None:
        super().__init__(asked)
        self._most = most(asked)
        self._times: list[int] = []

    def weight(self) -> int:
        return self.packed + _EACH * len(self._times)

    def _entered(self, one: Item, begin: int) -> bool:
        insort(self._times, one.time)
        self._remember(one)
        out = max(len(self._times) - self._most, bisect_left(self._times, begin + 1))
        del self._times[: max(0, out)]
        return self._compare(len(self._times))


class Values(Group):
    """How many distinct values: of each the last time, the most recent ones alone."""

    __slots__ = ("_most", "_times")

    def __init__(self, asked: Correlation) -> None:
        super().__init__(asked)
        self._most = most(asked)
        self._times: OrderedDict[str, int] = OrderedDict()

    def weight(self) -> int:
        return self.packed + 4 * _EACH * len(self._times)

    def _entered(self, one: Item, begin: int) -> bool:
        if one.value in (None, []):
            return False
        key = plain(one.value)
        if len(key) > _LONG:
            key = blake2b(key.encode("utf-8", "replace"), digest_size=16).hexdigest()
        if key not in self._times:
            self._remember(one)
        late = self._times and one.time < next(reversed(self._times.values()))
        self._times[key] = max(one.time, self._times.get(key, one.time))
        self._times.move_to_end(key)
        if late:
            self._times = OrderedDict(sorted(self._times.items(), key=lambda each: each[1]))
        while len(self._times) > self._most or next(iter(self._times.values())) <= begin:
            self._times.popitem(last=False)
        return self._compare(len(self._times))


class Figure(Group):
    """A figure of the values in the window: the sum as it grows, the ordered values by halving."""

    __slots__ = ("_items", "_ordered", "_total")

    def __init__(self, asked: Correlation) -> None:
        super().__init__(asked)
        self._items: list[tuple[int, float]] = []
        self._ordered: list[float] = []
        self._total = 0.0

    def weight(self) -> int:
        return self.packed + 4 * _EACH * len(self._items)

    def _entered(self, one: Item, begin: int) -> bool:
        number = _number(one.value)
        if number is None:
            return False
        insort(self._items, (one.time, number), key=lambda item: item[0])
        insort(self._ordered, number)
        self._total += number
        self._remember(one)
        out = max(
            len(self._items) - MOST_KEPT,
            bisect_left(self._items, begin + 1, key=lambda item: item[0]),
        )
        for _, gone in self._items[: max(0, out)]:
            del self._ordered[bisect_left(self._ordered, gone)]
            self._total -= gone
        del self._items[: max(0, out)]
        if not isfinite(self._total) or not self._items:
            self._total = sum(self._ordered)
        return bool(self._items) and self._compare(self._figure())

    def _figure(self) -> float:
        match self.asked.type:
            case "sum":
                return self._total
            case "avg":
                return self._total / len(self._items)
            case "median":
                return _between(self._ordered, 50)
        return _between(self._ordered, self.asked.percentile)


class All(Group):
    """Each of the rules at least once, in any order."""

    __slots__ = ("_parts",)

    def __init__(self, asked: Correlation) -> None:
        super().__init__(asked)
        self._parts: dict[int, tuple[int, bytes]] = {}

    def _entered(self, one: Item, begin: int) -> bool:
        before = self._parts.get(one.part)
        if before is None or before[0] <= one.time:
            self._parts[one.part] = (one.time, one.packed)
            self.packed += len(one.packed) - (len(before[1]) if before else 0)
        return self._compare(sum(at > begin for at, _ in self._parts.values()))

    def shown(self) -> tuple[Mapping[str, Any], ...]:
        there = (one for one in self._parts.values() if one[0] > self.begin)
        found = sorted(there, key=lambda one: one[0])
        return tuple(_decode(packed) for _, packed in found[-SHOWN:])


# When a sequence began, when its last event was, and its events.
_Way: TypeAlias = tuple[int, int, tuple[bytes, ...]]


class Sequence(Group):
    """Each of the rules by an event of its own, one after another; at one time counts as after. Of
    each beginning of the sequence the one that began last is kept: it is the one that ends in time
    if any does.
    """

    __slots__ = ("_before", "_event", "_latest", "_shown", "_ways")

    def __init__(self, asked: Correlation) -> None:
        super().__init__(asked)
        self._ways: list[_Way | None] = [None] * len(asked.of)
        self._before = list(self._ways)  # what they were before the event that is entered
        self._event: str | None = None
        self._latest: list[Item | None] = [None] * len(asked.of)
        self._shown: tuple[bytes, ...] = ()

    def _entered(self, one: Item, begin: int) -> bool:
        if one.event != self._event:
            self._event, self._before = one.event, list(self._ways)
        self._latest[one.part] = one
        done = self._reached(one, self._before, begin)
        # Events of the same time that came before: they count as after this one, too.
        for part in range(one.part + 1, len(self._ways)):
            same = self._latest[part]
            if same is None or same.time != one.time or same.event == one.event:
                break
            done = self._reached(same, self._ways, begin) or done
        ways = (way for way in self._ways if way is not None)
        self.packed = sum(len(each) for way in ways for each in way[2])
        return done

    def _reached(self, one: Item, ways: list[_Way | None], begin: int) -> bool:
        """Goes on with the sequence that came to the rule before; whether it is whole now."""
        if one.part:
            way = ways[one.part - 1]
            if way is None or way[0] <= begin or way[1] > one.time:
                return False
            made = (way[0], one.time, (*way[2][-SHOWN:], one.packed))
        else:
            made = (one.time, one.time, (one.packed,))
        known = self._ways[one.part]
        if known is None or known[0] <= made[0]:
            self._ways[one.part] = made
        if one.part < len(self._ways) - 1:
            return False
        self._shown = made[2]
        return True

    def shown(self) -> tuple[Mapping[str, Any], ...]:
        return tuple(map(_decode, self._shown[-SHOWN:]))


GROUPS: Final[Mapping[str, type[Group]]] = {
    "count": Count,
    "values": Values,
    "sum": Figure,
    "avg": Figure,
    "median": Figure,
    "percentile": Figure,
    "all": All,
    "sequence": Sequence,
}


def most(asked: Correlation) -> int:
    """How many items tell whether a count is reached or passed."""
    return int(min(MOST_KEPT, max(0.0, asked.value))) + 2


def percentile(values: list[float], share: float) -> float:
    """The value under which so many of a hundred lie, between two of them in proportion."""
    return _between(sorted(values), share)


def _between(ordered: list[float], share: float) -> float:
    place = (len(ordered) - 1) * min(100.0, max(0.0, share)) / 100
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def holds(figure: float, op: str, value: float) -> bool:
    """Whether a figure stands in that relation to a value."""
    match op:
        case ">=":
            return figure >= value
        case ">":
            return figure > value
        case "<=":
            return figure <= value
        case "<":
            return figure < value
        case "=":
            return figure == value
    return figure != value


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if isfinite(found) else None
