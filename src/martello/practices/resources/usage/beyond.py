"""Use beyond what is usual: a container that takes clearly more than on any day that is known.

Use is the mean over a quarter of an hour, of each pod by itself; what is usual is the most that any
pod of the workload used so on each of the last two weeks' days. Today does not count yet: what
grows is told on the day on which it grows, and is usual from the next day on. With less than a week
known nothing is told, so that what is done once a week is usual by then. All pods of a workload
count together, so one of ten replicas that mines stands out against the other nine as well.
"""

from __future__ import annotations

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
_SAMPLES: Final = 3  # of a slot, over half of it at least: else its mean is not known
_MOST: Final = 300_000  # workloads' containers and metrics, and as many series of pods


class Excess(msgspec.Struct, frozen=True):
    """A quarter of an hour, which ended `at` (seconds since the epoch), of clearly more use than
    the `most` of so many days before; cores, bytes or processes.
    """

    of: Owned
    metric: Metric
    at: float
    used: float
    most: float
    days: int
    more: int = 0  # further pods of the workload that use so much

    @property
    def says(self) -> str:
        """A line for people."""
        what = {"cores": "processor time", "memory": "memory", "pids": "processes"}[self.metric]
        used, most = (_amount(self.metric, one) for one in (self.used, self.most))
        told = f"{what}: {used} over 15 minutes, at most {most} in the {self.days} days before"
        return f"{told}; {self.more} more of its pods too" if self.more else told


class Peak(NamedTuple):
    """The most that any pod used in a quarter of an hour of a day (days since the epoch), and
    whether it was told that this is beyond.
    """

    key: Key
    metric: Metric
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


class Usual:
    """What is usual, and what goes beyond it."""

    def __init__(self, most: int = _MOST) -> None:
        self.left_out = 0  # series of which nothing is known, as there are too many
        self._most = most
        self._days: dict[tuple[Key, Metric], dict[int, float]] = {}
        self._open: dict[tuple[Owned, Metric, str], _Open] = {}
        self._changed: set[tuple[Key, Metric, int]] = set()
        self._told: set[tuple[Key, Metric, int]] = set()

    def __len__(self) -> int:
        """Of how many containers of workloads something is known, each metric counted."""
        return len(self._days)

    def take(self, chunk: Chunk, now: float, *, means: bool = False) -> Iterator[Excess]:
        """Learns from samples up to `now` (seconds since the epoch), and judges those that are
        recent. `means`: they are means over slots already, each told at its end. A series' first
        one is left out: it holds a start.
        """
        if chunk.metric not in ROOM or not chunk.of.workload:
            return
        good = np.isfinite(chunk.values) & (chunk.times <= now) & (chunk.times > now - DAYS * DAY)
        times, values = chunk.times[good], chunk.values[good]
        if not len(times):
            return
        slots, used = (self._whole if means else self._summed)(chunk, times, values)
        old = slots < int((now - RECENT) // SLOT)
        self._learn(chunk, slots[old], used[old])
        for slot, each in zip(slots[~old].tolist(), used[~old].tolist(), strict=True):
            found = self._judged(chunk, slot, each)
            self._learn(chunk, np.array([slot]), np.array([each]))
            if found is not None:
                yield found

    def untold(self, found: Iterable[Excess]) -> list[Excess]:
        """What is to be told of these: once a day for each container of a workload and metric, in
        the pod that uses the most.
        """
        by: dict[tuple[Key, Metric, int], dict[str, Excess]] = {}
        for one in found:
            pods = by.setdefault(_day(one), {})
            known = pods.get(one.of.pod)
            if known is None or one.used >= known.used:
                pods[one.of.pod] = one
        worst = []
        for day, pods in sorted(by.items()):
            if day not in self._told:
                most = max(pods.values(), key=lambda one: one.used)
                worst.append(msgspec.structs.replace(most, more=len(pods) - 1))
        return worst

    def told(self, found: Iterable[Excess]) -> None:
        """These were told."""
        for one in found:
            self._told.add(_day(one))
            self._changed.add(_day(one))

    def changed(self) -> list[Peak]:
        """What is known otherwise than at the last call."""
        changed, self._changed = self._changed, set()
        found = []
        for key, metric, day in sorted(changed):
            most = self._days.get((key, metric), {}).get(day)
            if most is not None:
                told = (key, metric, day) in self._told
                found.append(Peak(key, metric, day, most, told))
        return found

    def load(self, peaks: Iterable[Peak]) -> None:
        """What was known before."""
        for key, metric, day, most, told in peaks:
            if metric in ROOM:
                self._raise(key, metric, day, most)
                if told:
                    self._told.add((key, metric, day))
        self._changed.clear()

    def forget(self, now: float) -> None:
        """Lets go of days that are too old, and of series that have ended."""
        first = int(now // DAY) - DAYS
        for what, days in list(self._days.items()):
            for day in [day for day in days if day < first]:
                del days[day]
            if not days:
                del self._days[what]
        self._told = {one for one in self._told if one[2] >= first}
        slot = int(now // SLOT) - 3
        self._open = {key: one for key, one in self._open.items() if one.slot >= slot}
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
            slots, values = slots[1:], values[1:]
        else:
            new = slots > before.slot
            slots, values = slots[new], values[new]
            last = max(last, before.slot)
        self._open[key] = _Open(last, times[-1], times[-1])
        return slots, values

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

    def _judged(self, chunk: Chunk, slot: int, used: float) -> Excess | None:
        today = int(slot * SLOT // DAY)
        known = self._days.get((_key(chunk.of), chunk.metric), {})
        before = [most for day, most in known.items() if today - DAYS <= day < today]
        if len(before) < LEAST:
            return None
        most = max(before)
        if used <= most * FACTOR or used <= most + ROOM[chunk.metric]:
            return None
        at = (slot + 1) * SLOT
        return Excess(chunk.of, chunk.metric, at, used, most, len(before))

    def _learn(self, chunk: Chunk, slots: Any, used: Array) -> None:
        if not len(slots):
            return
        key = _key(chunk.of)
        days = (slots * int(SLOT)) // DAY
        begins = np.flatnonzero(np.diff(days, prepend=days[0] - 1))
        for at, most in zip(
            begins.tolist(), np.maximum.reduceat(used, begins).tolist(), strict=True
        ):
            self._raise(key, chunk.metric, int(days[at]), most)

    def _raise(self, key: Key, metric: Metric, day: int, most: float) -> None:
        days = self._days.get((key, metric))
        if days is None:
            if len(self._days) >= self._most:
                self.left_out += 1
                return
            days = self._days[key, metric] = {}
        if most > days.get(day, -1.0):
            days[day] = most
            self._changed.add((key, metric, day))


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
