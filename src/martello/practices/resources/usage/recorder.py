"""Takes the chunks of one container, of all its pods and metrics, and keeps what they say."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from martello.core.sizing import Key
from martello.core.usage import Chunk
from martello.practices.resources.usage import segments
from martello.practices.resources.usage.cells import Cells, beginnings, lift
from martello.practices.resources.usage.demand import (
    DAY,
    HOUR,
    SLOT,
    SLOTS,
    STARTING,
    Cut,
    Demand,
    Kill,
)
from martello.practices.resources.usage.histogram import CPU
from martello.practices.resources.usage.series import (
    GAP,
    MOST_BYTES,
    MOST_CORES,
    Last,
    Rates,
    clean,
    rates,
    uncovered,
    widths,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

STEP: Final = 75.0  # seconds: the step at which peers ask
_MOST: Final = 1000  # starts, kills and cuts of a container that are kept one by one


class Window(NamedTuple):
    """Whole hours: where they begin (seconds since the epoch), and how many."""

    begin: float
    hours: int

    @property
    def end(self) -> float:
        """Where they end."""
        return self.begin + self.hours * HOUR


class Recorder:
    """Takes the chunks of one container, of all its pods."""

    def __init__(self, key: Key, span: Window) -> None:
        self.key, self.span = key, span
        self.counts: Counter[str] = Counter()
        self.peaks = np.full(span.hours * SLOTS, np.float32(-1))
        self.stepped = np.full(span.hours, np.float32(-1))
        self.memory, self.held = np.zeros(span.hours), np.zeros(span.hours)
        self.processor, self.ran = np.zeros(span.hours), np.zeros(span.hours)
        self.periods, self.throttled = np.zeros(span.hours), np.zeros(span.hours)
        self.cells = Cells()
        self.last: dict[tuple[str, ...], Last] = {}
        self.covered: dict[tuple[str, str], tuple[str, Array]] = {}
        self.days: dict[str, tuple[float, int, float]] = {}  # pod → first time, day, its peak
        self.daily: list[tuple[float, float]] = []
        self.starts: list[float] = []
        self.kills: list[tuple[str, float]] = []  # pod, when
        self.begun: dict[str, list[float]] = {}  # pod → its container's restarts, as counted
        self.templates: dict[str, float] = {}
        self.limits: list[tuple[float, float]] = []
        self.pods: set[int] = set()

    def take(self, chunk: Chunk) -> None:
        """Adds one chunk; what is not understood is left out."""
        take = _TAKERS.get(chunk.metric)
        if take is None or not len(chunk.times):
            return
        times, values = self._clean(chunk)
        if len(times):
            self._pod(chunk.of.pod, float(times[0]))
            take(self, chunk, times, values)

    def _clean(self, chunk: Chunk) -> tuple[Array, Array]:
        """The samples inside the window that are new in this series."""
        last = self.last.get(_series(chunk))
        after = last.time if last is not None else self.span.begin - 1.0
        most = MOST_BYTES if chunk.metric in ("memory", "memory limit") else 2.0**62
        times, values = chunk.times, chunk.values
        inside = (times >= self.span.begin) & (times < self.span.end)
        if not inside.all():
            self.counts["outside the window"] += int(len(inside) - inside.sum())
            times, values = times[inside], values[inside]
        return clean(times, values, after, most, self.counts)

    def _pod(self, pod: str, first: float) -> None:
        key = hash(pod)
        if key in self.pods:
            return
        self.pods.add(key)
        if first > self.span.begin + 2 * GAP:
            self._start(first)
        made_of = segments.template(pod)
        if made_of and len(self.templates) < _MOST:
            self.templates[made_of] = min(first, self.templates.get(made_of, first))

    def _start(self, time: float) -> None:
        if len(self.starts) < _MOST:
            self.starts.append(time)
        else:
            self.counts["starts beyond those kept"] += 1

    def _fresh(self, chunk: Chunk, times: Array) -> NDArray[np.bool_] | slice:
        """Which points are news: those of another replica of the server only fill gaps."""
        if not chunk.replica:
            return slice(None)
        key = (chunk.of.pod, chunk.metric)
        replica, known = self.covered.get(key, ("", times[:0]))
        if replica in ("", chunk.replica) or times[0] > known[-1] + GAP:
            self.covered[key] = (chunk.replica, times)
            return slice(None)
        fresh = uncovered(times, known)
        self.counts["of a second replica"] += int(len(fresh) - fresh.sum())
        return fresh

    def _memory(self, chunk: Chunk, times: Array, values: Array) -> None:
        self.last[_series(chunk)] = Last(float(times[-1]), 0.0)
        there = values >= 1.0  # a container without a byte is one that is not there yet
        if not there.all():
            self.counts["zero memory"] += int(len(there) - there.sum())
            times, values = times[there], values[there]
            if not len(times):
                return
        wide = widths(times)
        fresh = self._fresh(chunk, times)
        times, values, wide = times[fresh], values[fresh], wide[fresh]
        if not len(times):
            return
        since = times - self.span.begin
        small = values.astype(np.float32)
        lift(self.peaks, (since // SLOT).astype(np.intp), small)
        hour = (since // HOUR).astype(np.intp)
        first, last = int(hour[0]), int(hour[-1]) + 1
        at = hour - first
        self.memory[first:last] += np.bincount(at, values * wide, minlength=last - first)
        self.held[first:last] += np.bincount(at, wide, minlength=last - first)
        self._steps(times, small)
        self._days(chunk.of.pod, times, values)

    def _steps(self, times: Array, values: NDArray[np.float32]) -> None:
        """What a query at steps sees: at each multiple of the step the last sample before it."""
        steps = np.arange(-(-times[0] // STEP) * STEP, min(times[-1] + 30.0, self.span.end), STEP)
        if not len(steps):
            return
        at = np.searchsorted(times, steps, "right") - 1
        near = steps - times[at] <= GAP
        hour = ((steps[near] - self.span.begin) // HOUR).astype(np.intp)
        if len(hour):
            lift(self.stepped, hour, values[at[near]])

    def _days(self, pod: str, times: Array, values: Array) -> None:
        """The peak of each day of a pod's life."""
        first, day, peak = self.days.get(pod) or (float(times[0]), 0, 0.0)
        of = np.maximum(((times - first) // DAY).astype(np.intp), 0)
        begins = beginnings(of)
        for number, most in zip(
            of[begins].tolist(), np.maximum.reduceat(values, begins).tolist(), strict=True
        ):
            if number != day:
                self.daily.append((first + (day + 1) * DAY, peak))
                day, peak = number, 0.0
            peak = max(peak, most)
        self.days[pod] = (first, day, peak)

    def _cpu(self, chunk: Chunk, times: Array, values: Array) -> None:
        made = self._rates(chunk, times, values)
        for time in made.restarts.tolist():
            self._start(time)
        if len(made.times):
            self._used(chunk, made.times, made.rates, made.spans)

    def _cores(self, chunk: Chunk, times: Array, values: Array) -> None:
        """Rates that somebody else has made."""
        self.last[_series(chunk)] = Last(float(times[-1]), 0.0)
        self._used(chunk, times, np.minimum(values, MOST_CORES), widths(times))

    def _used(self, chunk: Chunk, ends: Array, rate: Array, spans: Array) -> None:
        fresh = self._fresh(chunk, ends)
        ends, rate, spans = ends[fresh], rate[fresh], spans[fresh]
        if not len(ends):
            return
        hour = ((ends - self.span.begin) // HOUR).astype(np.intp)
        first, last = int(hour[0]), int(hour[-1]) + 1
        at = hour - first
        self.processor[first:last] += np.bincount(at, rate * spans, minlength=last - first)
        self.ran[first:last] += np.bincount(at, spans, minlength=last - first)
        cells = np.asarray(np.bincount(at * CPU.count + CPU.find(rate), spans), np.float64)
        used = np.flatnonzero(cells)
        self.cells.add(used + first * CPU.count, cells[used])

    def _rates(self, chunk: Chunk, times: Array, values: Array) -> Rates:
        key = _series(chunk)
        made = rates(times, values, self.last.get(key), self.counts)
        self.last[key] = Last(float(times[-1]), float(values[-1]))
        return made

    def _sum(self, chunk: Chunk, times: Array, values: Array) -> None:
        """Increases of a counter of enforcement periods, by hour."""
        made = self._rates(chunk, times, values)
        if len(made.times):
            fresh = self._fresh(chunk, made.times)
            ends, gained = made.times[fresh], (made.rates * made.spans)[fresh]
            hour = ((ends - self.span.begin) // HOUR).astype(np.intp)
            sums = self.periods if chunk.metric == "periods" else self.throttled
            sums += np.bincount(hour, gained, minlength=self.span.hours)

    def _counted(self, chunk: Chunk, times: Array, values: Array) -> None:
        """Kills and restarts: when their counters rose, however long the samples are apart."""
        last = self.last.get(_series(chunk))
        self.last[_series(chunk)] = Last(float(times[-1]), float(values[-1]))
        rises = np.diff(values, prepend=last.value if last is not None else values[0]) > 0.0
        fresh = np.zeros(len(times), dtype=np.bool_)
        fresh[self._fresh(chunk, times)] = True
        for time in times[rises & fresh].tolist():
            if chunk.metric == "restarts":
                self._start(time)
                self.begun.setdefault(chunk.of.pod, []).append(time)
            else:
                self._kill(chunk.of.pod, time)

    def _kill(self, pod: str, time: float) -> None:
        if len(self.kills) < _MOST:
            self.kills.append((pod, time))

    def _ended(self, chunk: Chunk, times: Array, values: Array) -> None:
        """Why the container ended the last time: each restart that is told as a kill, and the
        first one where restarts are not known.
        """
        last = self.last.get(_series(chunk))
        self.last[_series(chunk)] = Last(float(times[-1]), float(values[-1]))
        before = last.value if last is not None else values[0]
        rises = np.flatnonzero(np.diff(values, prepend=before) > 0)
        for time in times[rises].tolist():
            self._kill(chunk.of.pod, time)
        for time in self.begun.get(chunk.of.pod, ()):
            at = int(np.searchsorted(times, time))
            if at < len(times) and times[at] - time <= GAP and values[at] > 0:
                self._kill(chunk.of.pod, time)

    def _limit(self, chunk: Chunk, times: Array, values: Array) -> None:
        self.last[_series(chunk)] = Last(float(times[-1]), 0.0)
        changes = np.flatnonzero(np.diff(values, prepend=-1.0))
        for at in changes[:_MOST].tolist():
            if len(self.limits) < _MOST:
                self.limits.append((float(times[at]), float(values[at])))

    def demand(self) -> Demand:
        """All of it."""
        for first, day, peak in self.days.values():
            if peak:
                self.daily.append((first + (day + 1) * DAY, peak))
        daily = np.array(sorted(self.daily), dtype=np.float64).reshape(-1, 2)
        limits = _changes(self.limits)
        return Demand(
            key=self.key,
            begin=self.span.begin,
            peaks=_measured(self.peaks),
            stepped=_measured(self.stepped),
            memory=self.memory,
            held=self.held,
            processor=self.processor,
            ran=self.ran,
            rates=self.cells.sparse(),
            periods=self.periods,
            throttled=self.throttled,
            daily=(daily[:, 0], daily[:, 1]),
            starts=_apart(self.starts),
            kills=self._kills(limits),
            cuts=self._cuts(limits),
            pods=len(self.pods),
            counted={what: n for what, n in sorted(self.counts.items()) if n},
        )

    def _kills(self, limits: list[tuple[float, float]]) -> tuple[Kill, ...]:
        """Each kill once, though kernel and kubelet may both have told it."""
        once: list[tuple[float, str]] = []
        last: dict[str, float] = {}
        for pod, time in sorted(self.kills):
            if time - last.get(pod, -STARTING) > SLOT:
                once.append((time, pod))
                last[pod] = time
        return tuple(Kill(time, _limit_at(limits, time)) for time, _ in sorted(once))

    def _cuts(self, limits: list[tuple[float, float]]) -> tuple[Cut, ...]:
        """A new template, or another limit, after the window began."""
        begun = self.span.begin + 2 * GAP
        cuts = [Cut(time, "new template") for time in self.templates.values() if time > begun]
        first_seen: dict[float, float] = {}
        for time, limit in limits:  # pods of both sides of a change run beside each other
            first_seen.setdefault(limit, time)
        cuts += [Cut(t, "memory limit changed") for t in first_seen.values() if t > begun]
        return tuple(sorted(cuts))


_TAKERS: Final = {
    "memory": Recorder._memory,
    "cpu": Recorder._cpu,
    "periods": Recorder._sum,
    "throttled": Recorder._sum,
    "cores": Recorder._cores,
    "kills": Recorder._counted,
    "restarts": Recorder._counted,
    "killed": Recorder._ended,
    "memory limit": Recorder._limit,
}


def _series(chunk: Chunk) -> tuple[str, ...]:
    """What tells one series of a container from another."""
    return chunk.of.pod, chunk.metric, chunk.replica, chunk.series


def _apart(times: list[float]) -> Array:
    """Starts that are apart by more than starting takes: the first of each bunch."""
    kept: list[float] = []
    for time in sorted(times):
        if not kept or time - kept[-1] > STARTING:
            kept.append(time)
    return np.array(kept, dtype=np.float64)


def _measured(kept: NDArray[np.float32]) -> NDArray[np.float32]:
    kept[kept < 0] = np.nan
    return kept


def _changes(limits: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """When the limit became another one: the first, and each that differs from the one before."""
    changes: list[tuple[float, float]] = []
    for time, value in sorted(limits):
        if not changes or changes[-1][1] != value:
            changes.append((time, value))
    return changes


def _limit_at(limits: list[tuple[float, float]], time: float) -> float | None:
    """The limit in force just before a time."""
    known = [value for since, value in limits if since <= time]
    return known[-1] if known else None
