"""What a container of a workload asked for over time, kept small however many samples there were.

All pods of a workload count together. Memory is kept as peaks of five minutes, processor time as a
histogram of every hour (only buckets in use), the rest as sums of hours: about 0.2 MB for a
container and 30 days, whatever the interval of scrapes and the number of replicas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from martello.core.sizing import Key
from martello.practices.resources.usage.histogram import CPU, Histogram

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

SLOT: Final = 300.0  # seconds: the longest pause before a killed container is started again
HOUR: Final = 3600.0
DAY: Final = 86400.0
SLOTS: Final = int(HOUR / SLOT)  # slots of an hour
STARTING: Final = 600.0  # seconds after a start that belong to it


class Kill(msgspec.Struct, frozen=True, order=True):
    """A container was killed for want of memory; the limit in bytes, where it is known."""

    time: float
    limit: float | None


class Cut(msgspec.Struct, frozen=True, order=True):
    """From this time on the workload is another one: a new template, or another limit."""

    time: float
    why: str


class Demand(msgspec.Struct, frozen=True, eq=False):
    """Use of one container over whole hours from `begin` (seconds since the epoch)."""

    key: Key
    begin: float
    peaks: NDArray[np.float32]  # bytes, by slot: the most of any pod; NaN: not measured
    stepped: NDArray[np.float32]  # bytes, by hour: the most that steps of 75 s see; NaN
    memory: Array  # byte-seconds by hour, over pods
    held: Array  # pod-seconds by hour with memory measured
    processor: Array  # core-seconds by hour, over pods
    ran: Array  # pod-seconds by hour with processor time measured
    rates: tuple[NDArray[np.int32], NDArray[np.uint8], NDArray[np.float32]]  # hour, bucket, seconds
    periods: Array  # enforcement periods of the processor quota by hour
    throttled: Array  # those that were held back
    daily: tuple[Array, Array]  # a pod's peak in a day of its life: when that day ends, bytes
    starts: Array  # when containers started
    kills: tuple[Kill, ...] = ()
    cuts: tuple[Cut, ...] = ()
    pods: int = 0
    counted: dict[str, int] = {}  # what was wrong with samples

    @property
    def hours(self) -> int:
        """How many hours the window has."""
        return len(self.held)

    @property
    def replicas(self) -> int:
        """The most pods at once, over an hour."""
        return max(1, round(float(max(self.held.max(), self.ran.max())) / HOUR))

    @property
    def span(self) -> tuple[int, int]:
        """The first hour that was measured, and the one after the last; equal: none was."""
        measured = np.flatnonzero((self.held > 0) | (self.ran > 0))
        return (int(measured[0]), int(measured[-1]) + 1) if len(measured) else (0, 0)

    @property
    def days(self) -> float:
        """How long it was measured: hours with samples, in days."""
        return float(((self.held > 0) | (self.ran > 0)).sum()) / 24

    @property
    def missing(self) -> float:
        """The share of hours between the first and the last without any sample."""
        first, end = self.span
        if end <= first:
            return 1.0
        return 1.0 - self.days * 24 / (end - first)

    def between(self, first: int, end: int) -> Demand:
        """The same over some of its hours, `begin` moved along."""
        begin = self.begin + first * HOUR
        until = self.begin + end * HOUR
        hours, buckets, seconds = self.rates
        inside = (hours >= first) & (hours < end)
        times, most = self.daily
        # a day of a pod counts where it ends, or where the window does: not seen before its end
        ends = (times > begin) & (times <= until + DAY)
        part = slice(first, end)
        return msgspec.structs.replace(
            self,
            begin=begin,
            peaks=self.peaks[first * SLOTS : end * SLOTS],
            stepped=self.stepped[part],
            memory=self.memory[part],
            held=self.held[part],
            processor=self.processor[part],
            ran=self.ran[part],
            rates=(hours[inside] - np.int32(first), buckets[inside], seconds[inside]),
            periods=self.periods[part],
            throttled=self.throttled[part],
            daily=(times[ends], most[ends]),
            starts=self.starts[(self.starts >= begin) & (self.starts < until)],
            kills=tuple(k for k in self.kills if begin <= k.time < until),
            cuts=tuple(c for c in self.cuts if begin < c.time < until),
        )

    def cpu(self, hours: NDArray[np.bool_] | None = None) -> Histogram:
        """The histogram of rates (cores, weights in seconds), of all or of some hours."""
        made = Histogram(CPU)
        of, buckets, seconds = self.rates
        if hours is not None:
            inside = hours[of]
            buckets, seconds = buckets[inside], seconds[inside]
        made.weights = np.asarray(np.bincount(buckets, seconds, minlength=CPU.count), np.float64)
        return made

    def hourly(self) -> NDArray[np.float32]:
        """The memory peak of each hour; NaN: not measured."""
        by_hour = self.peaks.reshape(self.hours, SLOTS)
        most = np.where(np.isnan(by_hour), np.float32(-1), by_hour).max(axis=1)
        hourly: NDArray[np.float32] = np.where(most < 0, np.float32(np.nan), most)
        return hourly

    def hourly_cores(self) -> Array:
        """The 95th percentile of rates of each hour, in cores; NaN: not measured."""
        hours, buckets, seconds = self.rates
        found = np.full(self.hours, np.nan)
        if not len(hours):
            return found
        total = np.bincount(hours, seconds, minlength=self.hours)
        before = np.concatenate(([0.0], np.cumsum(total)[:-1]))
        reached = np.cumsum(seconds, dtype=np.float64) - before[hours]
        over = np.flatnonzero(reached >= 0.95 * total[hours] - 1e-3)
        hour, first = np.unique(hours[over], return_index=True)
        found[hour] = CPU.ends[buckets[over[first]]]
        return found

    def starting(self) -> NDArray[np.bool_]:
        """Which slots belong to a start of a container."""
        marked = np.zeros(len(self.peaks), dtype=np.bool_)
        first = ((self.starts - self.begin) // SLOT).astype(int)
        for later in range(int(STARTING / SLOT) + 1):
            at = first + later
            marked[at[(at >= 0) & (at < len(marked))]] = True
        return marked
