"""What several hits are together: counts, distinct values, figures, all of some rules, sequences.

Hits wait until nothing earlier can come (the watermark), so that their order of arrival does not
matter; then each is the end of a window over the hits of its group before it (`windows.py`). A
correlation that is true there gives a hit of its own, which `grouping.py` makes one alert an
episode. Where a column is a list, the hit is of the group of each of its values; of addresses the
last one counts, for all others are what the client says.

Everything is bounded: groups by number and bytes (those that are over go first, then the least
recent, which are counted), and what is kept of a group by what its figure needs. Counts and
distinct values are exact up to the number that is asked for. Events wait as bytes, without `raw`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from heapq import heappop, heappush
from itertools import islice, product
from typing import Any, Final

import msgspec

from martello.practices.monitor.alerts.grouping import ASIDE
from martello.practices.monitor.alerts.watermark import LATENESS, Watermark
from martello.practices.monitor.alerts.windows import GROUPS, Group, Item
from martello.practices.monitor.engine.packing import pack
from martello.practices.monitor.engine.rule import Correlation, Hit, Pack, Rule
from martello.practices.monitor.engine.say import columns_of, plain

MOST_GROUPS: Final = 250_000  # of all rules
MOST_BYTES: Final = 64 << 20  # of the groups
MOST_WAITING: Final = 48 << 20  # bytes of the events before the watermark
MOST_KEYS: Final = 20  # groups that one hit is of
_GROUP: Final = 700  # bytes of a group without its events, about
_LONGEST: Final = 1_000  # characters of a value kept as evidence
_EVENT: Final = 300  # bytes of an event that waits besides what it says
_SECOND: Final = 1_000_000_000
_NEVER: Final = 1 << 63
_CLUSTER: Final = "cluster"
ACCOUNT: Final = "account"  # in `by`: the service account, of audit events and of pods alike
# Source: the type Event of audit.k8s.io/v1: all but the last address can be set by the client.
ADDRESSES: Final = "actor_ips"
_decode: Final = msgspec.msgpack.Decoder(dict[str, Any]).decode


class Correlator:
    """The correlations of a pack over a stream of hits."""

    def __init__(
        self,
        pack: Pack,
        *,
        lateness: float = LATENESS,
        most_groups: int = MOST_GROUPS,
        most_bytes: int = MOST_BYTES,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._watermark = Watermark(lateness)
        self._room = _Room(most_groups, most_bytes)
        self._most_waiting = most_waiting
        self._by_part: dict[str, list[_Windows]] = {}
        self.silent: frozenset[str] = frozenset()  # rules that alert only together
        silent: set[str] = set()
        loud: set[str] = set()
        for rule in _in_order(pack):
            assert rule.correlate is not None
            windows = _Windows(rule, rule.correlate, self._room)
            for part in dict.fromkeys(rule.correlate.of):
                self._by_part.setdefault(part, []).append(windows)
            (loud if rule.correlate.alone else silent).update(rule.correlate.of)
        self.silent = frozenset(silent - loud)
        self._waiting: list[tuple[int, str, int, str, bytes]] = []
        self._bytes = 0  # of what waits
        self._count = 0
        self._packed: tuple[Mapping[str, Any] | None, bytes] = (None, b"")
        self._done = 0  # the watermark that was reached
        self.late = 0  # hits that came behind the watermark
        self.hurried = 0  # hits that could not wait for it, for want of room

    @property
    def evicted(self) -> int:
        """Groups that were let go for want of room."""
        return self._room.evicted

    def add(self, hits: Iterable[Hit], now: int = 0) -> list[Hit]:
        """Takes hits in any order, and gives those of correlations that are settled now. `now` is
        the time of a stream that is live: what says that it is later happened now.
        """
        for hit in hits:
            if hit.rule in self._by_part:
                self._wait(hit, now)
        return self._settled(self._watermark.reached())

    def seen(self, source: str, times: Iterable[int], now: int = 0) -> None:
        """Notes events of a source by their times, in the order in which they came."""
        self._watermark.seen(source, times, now)

    def flush(self) -> list[Hit]:
        """The hits of all that still waits: nothing earlier will come."""
        return self._settled(_NEVER)

    def _wait(self, hit: Hit, now: int) -> None:
        time = min(_time(hit), now or _NEVER)
        self._count += 1
        self.late += time < self._done
        if self._packed[0] is not hit.event:  # the rules that are true of an event come in a row
            told = {name: v for name, v in hit.event.items() if name != "raw" and v is not None}
            self._packed = (hit.event, pack(told))
        packed = self._packed[1]
        id_ = str(hit.event.get("id") or f"#{self._count}")
        heappush(self._waiting, (time, id_, self._count, hit.rule, packed))
        self._bytes += len(packed) + _EVENT

    def _settled(self, mark: int) -> list[Hit]:
        found: list[Hit] = []
        self._done = max(self._done, min(mark, 1 << 62))
        event: tuple[bytes, dict[str, Any]] = (b"", {})
        while self._waiting and (self._waiting[0][0] < mark or self._bytes > self._most_waiting):
            time, id_, _, rule, packed = heappop(self._waiting)
            self._bytes -= len(packed) + _EVENT
            self.hurried += time >= mark
            if event[0] is not packed:
                event = (packed, _decode(packed))
            self._enter(time, id_, Hit(rule, event[1]), packed, found)
        return found

    def _enter(self, time: int, id_: str, hit: Hit, packed: bytes, found: list[Hit]) -> None:
        for windows in self._by_part.get(hit.rule, ()):
            for made in windows.enter(time, id_, hit, packed):
                found.append(made)
                self._enter(time, id_, made, packed, found)


def _in_order(pack: Pack) -> list[Rule]:
    """The correlations that run; one that is made of itself does not."""
    rules = {one.id: one for one in pack if one.correlate and one.enabled and not one.unassessed}
    state: dict[str, int] = {}

    def sound(name: str, depth: int) -> bool:
        rule = rules.get(name)
        if rule is None or rule.correlate is None:
            return True
        if state.get(name) == 1 or depth > 20:
            return False
        if name not in state:
            state[name] = 1
            state[name] = 2 if all(sound(n, depth + 1) for n in rule.correlate.of) else 3
        return state[name] == 2

    return [rule for name, rule in rules.items() if sound(name, 0)]


class _Room:
    """What all groups of all rules may take together."""

    def __init__(self, groups: int, size: int) -> None:
        self.groups = groups
        self.bytes = size
        self.evicted = 0
        self.windows: list[_Windows] = []

    def bounded(self) -> None:
        """Lets the least recent groups go of the rule that takes most, where there are too many."""
        while (
            sum(len(one.groups) for one in self.windows) > self.groups
            or sum(one.bytes for one in self.windows) > self.bytes
        ):
            largest = max(self.windows, key=lambda one: one.bytes)
            if not largest.groups:
                return
            largest.drop()
            self.evicted += 1


class _Windows:
    """One correlation: a window for each group."""

    def __init__(self, rule: Rule, asked: Correlation, room: _Room) -> None:
        self.rule = rule
        self.asked = asked
        self.groups: OrderedDict[tuple[str, ...], Group] = OrderedDict()
        self.bytes = 0
        self._room = room
        room.windows.append(self)
        self._window = max(1, asked.within) * _SECOND
        self._make = GROUPS[asked.type]
        self._parts: dict[str, list[int]] = {}
        for place, name in enumerate(asked.of):
            if asked.type == "sequence" or name not in self._parts:
                self._parts.setdefault(name, []).append(place)
        of = (name for names in asked.aliases.values() for name in names.values())
        self._kept = {"id", "time", *ASIDE, *columns_of(rule.say), *rule.group, *asked.by, *of}

    def enter(self, time: int, event: str, hit: Hit, packed: bytes) -> list[Hit]:
        """The hits of the correlation where the windows that end here make it true. Events of
        several rules without any of what they are joined by have nothing to do with each other.
        """
        names = self.asked.aliases.get(hit.rule, {})
        field = self.asked.field
        value = _value(hit.event, names.get(field, field)) if field else None
        by = [_value(hit.event, names.get(name, name)) for name in self.asked.by]
        if by and len(self._parts) > 1 and self._nobodys(by):
            return []
        of = map(_elements, by)
        evidence = pack({name: _short(v) for name, v in hit.event.items() if name in self._kept})
        found = []
        for key in islice(product(*of), MOST_KEYS):
            items = (Item(time, part, event, value, evidence) for part in self._parts[hit.rule])
            group = self._true(tuple(map(plain, key)), items)
            if group is None:
                continue
            told = dict(hit.event)
            for name, one in zip(self.asked.by, key, strict=True):
                told[name] = [one] if isinstance(told.get(name), list) else told.get(name, one)
            found.append(Hit(self.rule.id, told, related=group.shown()))
        return found

    def _nobodys(self, by: list[Any]) -> bool:
        """Whether an event has none of these. Each is of a cluster: of one without a name, too."""
        return _CLUSTER not in self.asked.by and not any(one or one == 0 for one in by)

    def _true(self, key: tuple[str, ...], items: Iterable[Item]) -> Group | None:
        """A group in which the items make the correlation true; None: they do not."""
        group = self.groups.pop(key, None)
        if group is None:
            group = self._make(self.asked)
            self.bytes += _GROUP
        self.groups[key] = group
        self.bytes -= group.weight()
        true = [group.enter(one, self._window) for one in items]
        self.bytes += group.weight()
        self._over(group.newest - self._window)
        self._room.bounded()
        return group if any(true) else None

    def _over(self, time: int) -> None:
        """Lets go of groups whose last window ended before a time."""
        while self.groups and next(iter(self.groups.values())).newest <= time:
            self.drop()

    def drop(self) -> None:
        """Lets go of the least recent group."""
        _, gone = self.groups.popitem(last=False)
        self.bytes -= _GROUP + gone.weight()


def _short(value: Any) -> Any:
    if isinstance(value, str):
        return value[:_LONGEST]
    return [_short(one) for one in value[:50]] if isinstance(value, list) else value


def _value(event: Mapping[str, Any], name: str) -> Any:
    if name == ADDRESSES:
        return (event.get(name) or [None])[-1]
    if name != ACCOUNT:
        return event.get(name)
    if event.get("kind") == "audit" or not event.get("pod_sa"):
        return event.get("actor_user")
    return f"system:serviceaccount:{event.get('k8s_ns', '')}:{event['pod_sa']}"


def _elements(value: Any) -> Iterable[Any]:
    """Of a list each value; of another value itself."""
    return dict.fromkeys(value[:MOST_KEYS]) if isinstance(value, list) and value else (value,)


def _time(hit: Hit) -> int:
    return int(hit.event.get("time") or hit.event.get("seen") or 0)
