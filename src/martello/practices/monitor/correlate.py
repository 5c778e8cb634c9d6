"""What several hits are together: counts, distinct values, figures, all of some rules, sequences.

Hits wait until nothing earlier can come (the watermark), so that their order of arrival does not
matter; then each is the end of a window over the hits of its group before it. A correlation that
is true there gives a hit of its own, which `grouping.py` makes one alert an episode.

Everything is bounded: groups by number (the least recent go first, and are counted), and what is
kept of a group by what its figure needs. Counts and distinct values are exact up to the number
that is asked for.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from heapq import heappop, heappush
from statistics import median
from typing import Any, Final

from martello.core.alert import SHOWN
from martello.practices.monitor.rule import Correlation, Hit, Pack, Rule
from martello.practices.monitor.say import plain

LATENESS: Final = 60.0  # seconds that an event may come after a later one
SILENT: Final = 30.0  # seconds after which a source holds the others no longer
MOST_GROUPS: Final = 250_000  # of a rule
MOST_KEPT: Final = 10_000  # items of a group, where its figure needs them all
MOST_WAITING: Final = 1_000_000  # hits before the watermark
_SECOND: Final = 1_000_000_000
ACCOUNT: Final = "account"  # in `by`: the service account, of audit events and of pods alike
Item = tuple[int, Hit]  # its time, and the hit


class Correlator:
    """The correlations of a pack over a stream of hits."""

    def __init__(
        self, pack: Pack, *, lateness: float = LATENESS, most_groups: int = MOST_GROUPS
    ) -> None:
        self._lateness = int(lateness * _SECOND)
        self._by_part: dict[str, list[_Windows]] = {}
        self.silent: frozenset[str] = frozenset()  # rules that alert only together
        silent: set[str] = set()
        loud: set[str] = set()
        for rule in _in_order(pack):
            assert rule.correlate is not None
            windows = _Windows(rule, rule.correlate, most_groups)
            for part in rule.correlate.of:
                self._by_part.setdefault(part, []).append(windows)
            (loud if rule.correlate.alone else silent).update(rule.correlate.of)
        self.silent = frozenset(silent - loud)
        self._waiting: list[tuple[int, str, int, Hit]] = []
        self._count = 0
        self._marks: dict[str, tuple[int, int]] = {}  # source: its last time, when it came
        self._done = 0  # the watermark that was reached
        self.late = 0  # hits that came behind the watermark

    @property
    def evicted(self) -> int:
        """Groups that were let go for want of room."""
        found = {id(one): one for each in self._by_part.values() for one in each}
        return sum(one.evicted for one in found.values())

    def add(self, hits: Iterable[Hit]) -> list[Hit]:
        """Takes hits in any order, and gives those of correlations that are settled now."""
        for hit in hits:
            if hit.rule in self._by_part:
                self._wait(hit)
        return self._settled(self._watermark())

    def seen(self, source: str, time: int, now: int = 0) -> None:
        """Notes that a source has come to a time; `now` is when it came (ns; its own time where
        that does not matter).
        """
        last, _ = self._marks.get(source, (0, 0))
        self._marks[source] = (max(last, time), now or time)

    def flush(self) -> list[Hit]:
        """The hits of all that still waits: nothing earlier will come."""
        return self._settled(1 << 63)

    def _wait(self, hit: Hit) -> None:
        time = _time(hit)
        self._count += 1
        self.late += time < self._done
        heappush(self._waiting, (time, str(hit.event.get("id", "")), self._count, hit))

    def _watermark(self) -> int:
        if len(self._waiting) > MOST_WAITING:
            return self._waiting[len(self._waiting) // 2][0]
        if not self._marks:
            return 0
        newest = max(now for _, now in self._marks.values())
        heard = [t for t, now in self._marks.values() if newest - now <= SILENT * _SECOND]
        return min(heard) - self._lateness

    def _settled(self, mark: int) -> list[Hit]:
        found: list[Hit] = []
        self._done = max(self._done, min(mark, 1 << 62))
        while self._waiting and self._waiting[0][0] < mark:
            time, _, _, hit = heappop(self._waiting)
            self._enter(time, hit, found)
        return found

    def _enter(self, time: int, hit: Hit, found: list[Hit]) -> None:
        for windows in self._by_part.get(hit.rule, ()):
            made = windows.enter(time, hit)
            if made is not None:
                found.append(made)
                self._enter(time, made, found)


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


class _Windows:
    """One correlation: a window for each group."""

    def __init__(self, rule: Rule, asked: Correlation, most: int) -> None:
        self.rule = rule
        self.asked = asked
        self.evicted = 0
        self._most = most
        self._parts = {name: place for place, name in enumerate(asked.of)}
        self._groups: OrderedDict[tuple[str, ...], _Group] = OrderedDict()
        self._make = _GROUPS[asked.type]

    def enter(self, time: int, hit: Hit) -> Hit | None:
        """The hit of the correlation where the window that ends here makes it true."""
        event = hit.event
        names = self.asked.aliases.get(hit.rule, {})
        key = tuple(plain(_value(event, names.get(name, name))) for name in self.asked.by)
        group = self._groups.pop(key, None) or self._make(self.asked)
        self._groups[key] = group
        if len(self._groups) > self._most:
            self._groups.popitem(last=False)
            self.evicted += 1
        field = self.asked.field
        value = _value(event, names.get(field, field)) if field else None
        window = max(1, self.asked.within) * _SECOND
        if not group.enter(time, window, self._parts[hit.rule], value, hit):
            return None
        told = dict(event)
        for name in self.asked.by:
            told.setdefault(name, _value(event, names.get(name, name)))
        return Hit(self.rule.id, told, related=group.shown())


class _Group:
    """What is kept of a group; `enter` says whether the window that ends with an item is true."""

    def __init__(self, asked: Correlation) -> None:
        self.asked = asked
        self.last: deque[Hit] = deque(maxlen=SHOWN)

    def enter(self, time: int, window: int, part: int, value: Any, hit: Hit) -> bool:
        """Takes the next item in the order of time."""
        raise NotImplementedError

    def shown(self) -> tuple[Mapping[str, Any], ...]:
        """The events it stands on, as far as they are kept, in the order of time."""
        return tuple(one.event for one in self.last)

    def _compare(self, figure: float) -> bool:
        return _holds(figure, self.asked.op, self.asked.value)


class _Count(_Group):
    """How many: only as many times are kept as are asked for."""

    def __init__(self, asked: Correlation) -> None:
        super().__init__(asked)
        self._times: deque[int] = deque(maxlen=min(MOST_KEPT, int(asked.value) + 2))

    def enter(self, time: int, window: int, part: int, value: Any, hit: Hit) -> bool:
        self._times.append(time)
        self.last.append(hit)
        while self._times[0] <= time - window:
            self._times.popleft()
        return self._compare(len(self._times))


class _Values(_Group):
    """How many distinct values: of each the last time, the most recent ones alone."""

    def __init__(self, asked: Correlation) -> None:
        super().__init__(asked)
        self._most = min(MOST_KEPT, int(asked.value) + 2)
        self._times: OrderedDict[str, int] = OrderedDict()

    def enter(self, time: int, window: int, part: int, value: Any, hit: Hit) -> bool:
        if value in (None, []):
            return False
        key = plain(value)
        new = key not in self._times
        self._times[key] = time
        self._times.move_to_end(key)
        if new:
            self.last.append(hit)
        while len(self._times) > self._most or next(iter(self._times.values())) <= time - window:
            self._times.popitem(last=False)
        return self._compare(len(self._times))


class _Figure(_Group):
    """A figure of the values in the window."""

    def __init__(self, asked: Correlation) -> None:
        super().__init__(asked)
        self._items: deque[tuple[int, float]] = deque(maxlen=MOST_KEPT)

    def enter(self, time: int, window: int, part: int, value: Any, hit: Hit) -> bool:
        number = _number(value)
        if number is None:
            return False
        self._items.append((time, number))
        self.last.append(hit)
        while self._items[0][0] <= time - window:
            self._items.popleft()
        return self._compare(self._figure([one for _, one in self._items]))

    def _figure(self, values: list[float]) -> float:
        match self.asked.type:
            case "sum":
                return sum(values)
            case "avg":
                return sum(values) / len(values)
            case "median":
                return median(values)
        return percentile(values, self.asked.percentile)


class _All(_Group):
    """Each of the rules at least once, in any order."""

    def __init__(self, asked: Correlation) -> None:
        super().__init__(asked)
        self._parts: dict[int, tuple[int, Hit]] = {}

    def enter(self, time: int, window: int, part: int, value: Any, hit: Hit) -> bool:
        self._parts[part] = (time, hit)
        there = sum(at > time - window for at, _ in self._parts.values())
        return self._compare(there)

    def shown(self) -> tuple[Mapping[str, Any], ...]:
        found = sorted(self._parts.values(), key=lambda one: one[0])
        return tuple(hit.event for _, hit in found[-SHOWN:])


class _Sequence(_Group):
    """Each of the rules, one after another; at one time counts as after. Of each beginning of the
    sequence the one that began last is kept: it is the one that ends in time if any does.
    """

    def __init__(self, asked: Correlation) -> None:
        super().__init__(asked)
        self._ways: list[tuple[int, tuple[Hit, ...]] | None] = [None] * len(asked.of)
        self._shown: tuple[Hit, ...] = ()

    def enter(self, time: int, window: int, part: int, value: Any, hit: Hit) -> bool:
        if part == 0:
            self._ways[0] = (time, (hit,))
        else:
            before = self._ways[part - 1]
            if before is None or before[0] <= time - window:
                return False
            if any(one.event is hit.event for one in before[1]):
                return False
            self._ways[part] = (before[0], (*before[1][-SHOWN:], hit))
        if part < len(self._ways) - 1:
            return False
        done = self._ways[part]
        self._shown = done[1] if done else ()
        return done is not None

    def shown(self) -> tuple[Mapping[str, Any], ...]:
        return tuple(one.event for one in self._shown[-SHOWN:])


_GROUPS: Final[Mapping[str, type[_Group]]] = {
    "count": _Count,
    "values": _Values,
    "sum": _Figure,
    "avg": _Figure,
    "median": _Figure,
    "percentile": _Figure,
    "all": _All,
    "sequence": _Sequence,
}


def percentile(values: list[float], share: float) -> float:
    """The value under which so many of a hundred lie, between two of them in proportion."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * min(100.0, max(0.0, share)) / 100
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _holds(figure: float, op: str, value: float) -> bool:
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


def _value(event: Mapping[str, Any], name: str) -> Any:
    if name != ACCOUNT:
        return event.get(name)
    if event.get("kind") == "audit" or not event.get("pod_sa"):
        return event.get("actor_user")
    return f"system:serviceaccount:{event.get('k8s_ns', '')}:{event['pod_sa']}"


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def _time(hit: Hit) -> int:
    return int(hit.event.get("time") or hit.event.get("seen") or 0)
