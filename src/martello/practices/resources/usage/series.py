"""Samples as they come, made honest: in order, once each, finite; and rates over counters.

Whatever is wrong with samples is counted, and bounded in what it can do: a sample that cannot be
is left out, a counter that falls is a restart only where it falls below half, and no rate is made
over a gap, over less than a second, or above what any node has.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

GAP: Final = 300.0  # seconds without a sample, after which a series is interrupted
MOST_CORES: Final = 1024.0  # a rate above this is an error of clocks or counters
MOST_BYTES: Final = 2.0**50  # so is a working set above this
_SHORTEST: Final = 1.0  # seconds between two samples that are two

Counts = Counter[str]


class Rates(NamedTuple):
    """A counter's increases: `rates` per second over the `spans` (seconds) that end at `times`;
    and when the counter began anew.
    """

    times: Array
    rates: Array
    spans: Array
    restarts: Array


class Last(NamedTuple):
    """The last sample of a series, from which the next chunk goes on."""

    time: float
    value: float


def clean(
    times: Array, values: Array, after: float, most: float, counts: Counts
) -> tuple[Array, Array]:
    """The samples after a time, sorted, each time once, without what cannot be (NaN, infinite,
    negative, above `most`). The greatest of several values of one time is kept.
    """
    good = np.isfinite(times) & (values >= 0.0) & (values <= most)
    if not good.all():
        counts["not a number, negative or absurd"] += int(len(good) - good.sum())
        times, values = times[good], values[good]
    if len(times) > 1:
        steps = times[1:] - times[:-1]
        if steps.min() <= 0.0:
            counts["out of order"] += int((steps < 0.0).sum())
            order = np.lexsort((values, times))
            times, values = times[order], values[order]
            once = np.append(np.diff(times) > 0.0, True)
            counts["twice"] += int(len(once) - once.sum())
            times, values = times[once], values[once]
    if len(times) and times[0] <= after:
        first = int(np.searchsorted(times, after, "right"))
        counts["twice"] += first  # the edge of the chunk before, or a chunk that comes too late
        times, values = times[first:], values[first:]
    return times, values


def rates(times: Array, values: Array, last: Last | None, counts: Counts) -> Rates:
    """What a counter gained from sample to sample (as `clean` leaves them), from the last of the
    chunk before on.
    """
    if last is not None:
        times = np.concatenate(([last.time], times))
        values = np.concatenate(([last.value], values))
    if len(times) < 2:
        nothing = np.empty(0)
        return Rates(nothing, nothing, nothing, nothing)
    spans, gains, ends = times[1:] - times[:-1], values[1:] - values[:-1], times[1:]
    restarts = np.empty(0)
    if gains.min() < 0.0:
        fell = gains < 0.0
        anew = fell & (values[1:] < values[:-1] / 2)
        counts["counter restarted"] += int(anew.sum())
        counts["counter fell a little"] += int(fell.sum() - anew.sum())
        gains = np.where(anew, values[1:], np.where(fell, np.nan, gains))
        restarts = ends[anew]
    long, short = spans > GAP, spans < _SHORTEST
    gained = gains / np.maximum(spans, _SHORTEST)
    wild = gained > MOST_CORES
    counts["gap"] += int(long.sum())
    counts["too close or too steep"] += int((short | (wild & ~long)).sum())
    good = ~(long | short | wild | np.isnan(gained))
    if good.all():
        return Rates(ends, gained, spans, restarts)
    return Rates(ends[good], gained[good], spans[good], restarts)


def uncovered(times: Array, by: Array) -> NDArray[np.bool_]:
    """Which times lie in gaps of the times that another replica has given (both sorted)."""
    if not len(by) or not len(times):
        return np.ones(len(times), dtype=np.bool_)
    reach = 1.5 * float(np.median(np.diff(by))) if len(by) > 1 else GAP / 2
    reach = min(max(reach, _SHORTEST), GAP / 2)
    after = np.searchsorted(by, times)
    ahead = by[np.minimum(after, len(by) - 1)] - times
    behind = times - by[np.maximum(after - 1, 0)]
    near: NDArray[np.bool_] = (np.abs(ahead) <= reach) | (np.abs(behind) <= reach)
    return ~near


def widths(times: Array) -> Array:
    """How long each sample stands for, in seconds: since the one before, but no longer than a
    gap; the first as long as is usual.
    """
    if len(times) < 2:
        return np.full(len(times), 30.0)
    steps = times[1:] - times[:-1]
    middle = len(steps) // 2
    usual = float(np.partition(steps, middle)[middle])
    return np.minimum(np.concatenate(([usual], steps)), min(GAP, 2 * usual))
