"""Use beyond what is usual: a container that takes clearly more than on any day that is known.

Use is the mean over a quarter of an hour, and over a day, of each pod by itself; what is usual is
the most that any pod of the workload used so on each of the last two weeks' days. Today does not
count yet: what grows is told on the day on which it grows, and is usual from the next day on. With
less than a week known nothing is told, so that what is done once a week is usual by then. All pods
of a workload count together, so one of ten replicas that mines stands out against the other nine.
The day finds who takes no more than others do for an hour, and does not stop.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import numpy as np

from martello.core.sizing import Key
from martello.core.usage import Chunk, Metric, Owned
from martello.practices.resources.blast.caps import size

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

SLOT: Final = 900.0  # seconds: use is the mean over so long
DAY: Final = 86_400
DAYS: Final = 14  # that are known at most
LEAST: Final = 7  # days that must be known
FACTOR: Final = 1.5  # of the most that is usual
# … and so much more besides: cores, bytes, processes
ROOM: Final[dict[Metric, float]] = {"cores": 0.1, "memory": float(64 << 20), "pids": 20.0}
METRICS: Final = tuple(ROOM)
RECENT: Final = 2 * 3600.0  # seconds: what is older is learned and not judged
QUARTER: Final = int(SLOT)
_WHOLE: Final = 72  # slots without which a day's mean is not known
_ANEW: Final = 8  # slots in which one start of a container is left out
_RING: Final = DAYS + 2  # today, and one day that is not over everywhere
_SAMPLES: Final = 3  # of a slot, over half of it at least: else its mean is not known
_MOST: Final = 300_000  # workloads' containers and metrics, and as many series of pods


class Excess(msgspec.Struct, frozen=True):
    """A while of so many `seconds`, which ended `at` (seconds since the epoch), of clearly more use
    than the `most` of so many days before; cores, bytes or processes.
    """

    of: Owned
    metric: Metric
    at: float
    used: float
    most: float
    days: int
    seconds: int = QUARTER
    more: int = 0  # further pods of the workload that use so much

    @property
    def says(self) -> str:
        """A line for people."""
        what = {"cores": "processor time", "memory": "memory", "pids": "processes"}[self.metric]
        used, most = (_amount(self.metric, one) for one in (self.used, self.most))
        long = "15 minutes" if self.seconds == QUARTER else "24 hours"
        told = f"{what}: {used} over {long}, at most {most} in the {self.days} days before"
        return f"{told}; {self.more} more of its pods too" if self.more else told


class Peak(NamedTuple):
    """The most that any pod used over so many seconds of a day (days since the epoch), and whether
    it was told that this is beyond.
    """

    key: Key
    metric: Metric
    seconds: int
    day: int
    most: float
    told: bool = False


class _Open(msgspec.Struct):
    """The slot that a series is in, of which samples come."""

    slot: int
    first: float
    last: float
    total: float = 0.0
    count: int = 0


class _Today(msgspec.Struct):
    """The slots of a pod's day so far."""

    day: int
    total: float = 0.0
    count: int = 0


class _Known:
    """Of each of the last days the most, and the most that was told (0: nothing); and which of them
    changed, as bits.
    """

    __slots__ = ("changed", "days", "most", "told")

    def __init__(self) -> None:
        self.days = array("q", [-1]) * _RING
        self.most = array("d", [0.0]) * _RING
        self.told = array("d", [0.0]) * _RING
        self.changed = 0

    def before(self, day: int) -> list[float]:
        """The most of each of the two weeks before a day."""
        pairs = zip(self.days, self.most, strict=True)
        return [most for of, most in pairs if day - DAYS <= of < day]

    def learn(self, day: int, most: float) -> None:
        """So much was used on a day."""
        at = day % _RING
        if self.days[at] < day:
            self.days[at], self.most[at], self.told[at] = day, -1.0, 0.0
        if self.days[at] == day and most > self.most[at]:
            self.most[at] = most
            self.changed |= 1 << at

    def tell(self, day: int, used: float) -> None:
        """It was told that so much was beyond on a day."""
        at = day % _RING
        if self.days[at] == day and used > self.told[at]:
            self.told[at] = used
            self.changed |= 1 << at

    def was_told(self, day: int) -> float:
        """How much was told of a day."""
        return self.told[day % _RING] if self.days[day % _RING] == day else 0.0


_What = tuple[Key, Metric, int]  # the last: over so many seconds


class Usual:
    """What is usual, and what goes beyond it."""

    def __init__(self, most: int = _MOST) -> None:
        self.left_out = 0  # series of which nothing is known, as there are too many
        self._most = most
        self._known: dict[_What, _Known] = {}
        self._today: dict[tuple[Owned, Metric], _Today] = {}
        self._open: dict[tuple[Owned, Metric, str], _Open] = {}
        self._changed: set[tuple[_What, int]] = set()
        self._starts: dict[tuple[Owned, Metric], int] = {}  # the slot of one that was left out

    def __len__(self) -> int:
        """Of how many containers of workloads something is known, each metric counted."""
        return len(self._known)

    def take(self, chunk: Chunk, now: float, *, means: bool = False) -> Iterator[Excess]:
        """Learns from samples up to `now` (seconds since the epoch), and judges those that are
        recent. `means`: they are means over slots already, each told at its end. A series' first
        one is left out, as it holds a start, but not of a container that starts again and again.
        """
        if chunk.metric not in ROOM or not chunk.of.workload:
            return
        good = np.isfinite(chunk.values) & (chunk.times <= now) & (chunk.times > now - DAYS * DAY)
        times, values = chunk.times[good], chunk.values[good]
        if not len(times):
            return
        slots, used = (self._whole if means else self._summed)(chunk, times, values)
        since = int((now - RECENT) // SLOT)
        old = slots < since
        self._learn(chunk, QUARTER, slots[old], used[old])
        for slot, each in zip(slots[~old].tolist(), used[~old].tolist(), strict=True):
            yield from self._judged(chunk, QUARTER, slot, each)
            self._learn(chunk, QUARTER, np.array([slot]), np.array([each]))
        for slot, each in self._whole_days(chunk, slots, used):
            if slot >= since:
                yield from self._judged(chunk, DAY, slot, each)
            self._learn(chunk, DAY, np.array([slot]), np.array([each]))

    def untold(self, found: Iterable[Excess]) -> list[Excess]:
        """What is to be told of these, in the pod that uses the most: once a day for each container
        of a workload and metric, and again where it is clearly more than was told, lest little
        hides much.
        """
        by: dict[tuple[Key, Metric, int], dict[str, Excess]] = {}
        for one in found:
            pods = by.setdefault(_day(one), {})
            before = pods.get(one.of.pod)
            if before is None or one.used >= before.used:
                pods[one.of.pod] = one
        worst = []
        for (key, metric, day), pods in sorted(by.items()):
            known = self._known.get((key, metric, QUARTER))
            most = max(pods.values(), key=lambda one: one.used)
            if most.used > FACTOR * (known.was_told(day) if known is not None else 0.0):
                worst.append(msgspec.structs.replace(most, more=len(pods) - 1))
        return worst

    def told(self, found: Iterable[Excess]) -> None:
        """These were told."""
        for one in found:
            key, metric, day = _day(one)
            known = self._known.get((key, metric, QUARTER))
            if known is not None:
                known.tell(day, one.used)

    def changed(self) -> list[Peak]:
        """What is known otherwise than at the last call."""
        found = []
        for (key, metric, seconds), known in self._known.items():
            if known.changed:
                for at, (day, most) in enumerate(zip(known.days, known.most, strict=True)):
                    if known.changed >> at & 1:
                        told = known.told[at] > 0
                        found.append(Peak(key, metric, seconds, day, most, told))
                known.changed = 0
        return found

    def load(self, peaks: Iterable[Peak]) -> None:
        """What was known before."""
        for key, metric, seconds, day, most, told in peaks:
            if metric in ROOM and seconds in (QUARTER, DAY):
                self._learned((key, metric, seconds), day, most)
                known = self._known.get((key, metric, seconds))
                if known is not None and told:
                    known.tell(day, most)
        for known in self._known.values():
            known.changed = 0

    def forget(self, now: float) -> None:
        """Lets go of days that are too old, and of series that have ended."""
        first = int(now // DAY) - DAYS
        old = [what for what, known in self._known.items() if max(known.days) < first]
        for what in old:
            del self._known[what]
        slot = int(now // SLOT) - 3
        self._starts = {key: at for key, at in self._starts.items() if at >= slot - _ANEW}
        self._open = {key: one for key, one in self._open.items() if one.slot >= slot}
        self._today = {of: one for of, one in self._today.items() if one.day > first + DAYS - 2}
        self.left_out = 0

    def _whole(self, chunk: Chunk, times: Array, values: Array) -> tuple[Any, Array]:
        """Slots and use by samples that are means, each once."""
        slots = np.ceil(times / SLOT).astype(np.int64) - 1
        key = (chunk.of, chunk.metric, chunk.series)
        before = self._open.get(key)
        if before is None and len(self._open) >= self._most:
            self.left_out += 1
            return slots[:0], values[:0]
        last = int(slots[-1])
        if before is None:
            skipped = self._starts_seldom(chunk, int(slots[0]))
            slots, values = slots[skipped:], values[skipped:]
        else:
            new = slots > before.slot
            slots, values = slots[new], values[new]
            last = max(last, before.slot)
        self._open[key] = _Open(last, times[-1], times[-1])
        return slots, values

    def _starts_seldom(self, chunk: Chunk, slot: int) -> bool:
        """Whether a series' first slot is to be left out: not where the same container has started
        shortly before, else who starts anew all the time were never judged.
        """
        key = (chunk.of, chunk.metric)
        if 0 < slot - self._starts.get(key, slot) <= _ANEW:
            return False
        if len(self._starts) < self._most:
            self._starts[key] = slot
        return True

    def _summed(self, chunk: Chunk, times: Array, values: Array) -> tuple[Any, Array]:
        """Slots that have ended, and the means over them."""
        ended: list[tuple[int, float]] = []
        key = (chunk.of, chunk.metric, chunk.series)
        for time, value in zip(times.tolist(), values.tolist(), strict=True):
            slot = int(time // SLOT)
            one = self._open.get(key)
            if one is not None and (slot < one.slot or time <= one.last):
                continue
            if one is None or slot > one.slot:
                if one is None and len(self._open) >= self._most:
                    self.left_out += 1
                    break
                if one and one.count >= _SAMPLES and one.last - one.first >= SLOT / 2:
                    ended.append((one.slot, one.total / one.count))
                one = self._open[key] = _Open(slot, time, time)
            one.last, one.total, one.count = time, one.total + value, one.count + 1
        slots = np.array([slot for slot, _ in ended], dtype=np.int64)
        return slots, np.array([used for _, used in ended], dtype=np.float64)

    def _whole_days(self, chunk: Chunk, slots: Any, used: Array) -> list[tuple[int, float]]:
        """The last slots of days that have ended, and the means over these days."""
        ended: list[tuple[int, float]] = []
        if not len(slots):
            return ended
        days = (slots * QUARTER) // DAY
        begins = np.flatnonzero(np.diff(days, prepend=days[0] - 1))
        sums = np.add.reduceat(used, begins).tolist()
        counts = np.diff(np.append(begins, len(days))).tolist()
        of = (chunk.of, chunk.metric)
        one = self._today.get(of)
        for day, total, count in zip(days[begins].tolist(), sums, counts, strict=True):
            if one is not None and day > one.day and one.count >= _WHOLE:
                ended.append(((one.day + 1) * DAY // QUARTER - 1, one.total / one.count))
            if one is None or day > one.day:
                if one is None and len(self._today) >= self._most:
                    return ended
                one = self._today[of] = _Today(day)
            if day == one.day:
                one.total, one.count = one.total + total, one.count + count
        return ended

    def _judged(self, chunk: Chunk, seconds: int, slot: int, used: float) -> Iterator[Excess]:
        today = slot * QUARTER // DAY
        known = self._known.get((_key(chunk.of), chunk.metric, seconds))
        before = known.before(today) if known is not None else []
        if len(before) < LEAST:
            return
        most = max(before)
        if used > most * FACTOR and used > most + ROOM[chunk.metric]:
            at = (slot + 1) * SLOT
            yield Excess(chunk.of, chunk.metric, at, used, most, len(before), seconds)

    def _learn(self, chunk: Chunk, seconds: int, slots: Any, used: Array) -> None:
        if not len(slots):
            return
        what = (_key(chunk.of), chunk.metric, seconds)
        days = (slots * QUARTER) // DAY
        begins = np.flatnonzero(np.diff(days, prepend=days[0] - 1))
        highest = np.maximum.reduceat(used, begins).tolist()
        for day, most in zip(days[begins].tolist(), highest, strict=True):
            self._learned(what, day, most)

    def _learned(self, what: _What, day: int, most: float) -> None:
        known = self._known.get(what)
        if known is None:
            if len(self._known) >= self._most:
                self.left_out += 1
                return
            known = self._known[what] = _Known()
        known.learn(day, most)


def _key(of: Owned) -> Key:
    return Key(of.namespace, of.workload, of.container)


def _day(one: Excess) -> tuple[Key, Metric, int]:
    return _key(one.of), one.metric, int((one.at - SLOT) // DAY)


def _amount(metric: Metric, value: float) -> str:
    if metric == "memory":
        return size(int(value))
    if metric == "pids":
        return f"{value:.0f}"
    return f"{value * 1000:.0f}m" if value < 1 else f"{value:.1f} cores"
