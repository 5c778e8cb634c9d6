"""What sizes would have done to a time that they were not made from: kills, want, waste.

A container is taken to be killed once in each five minutes in which any of its pods used more than
the limit; five minutes is the longest pause before a killed container is started again. That
count never falls when the limit does. What a killed container would have used afterwards is not
known: use is replayed as it was. Where a container really was killed, what it wanted is only known
to be more than its limit then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from martello.core.sizing import Sizes, Tried
from martello.practices.resources.usage.demand import HOUR, SLOT, Demand
from martello.practices.resources.usage.histogram import CPU

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEARNED: Final = 0.7  # of the time that was measured; the rest is tried
_GIB: Final = 2.0**30


def halves(demand: Demand, shortest: float = 2.0) -> tuple[Demand, Demand] | None:
    """The time to learn from and the time to try; None where less than `shortest` days were
    measured.
    """
    first, end = demand.span
    if demand.days < shortest:
        return None
    days = round((end - first) * LEARNED / 24)  # a season is cut where its day ends
    middle = first + min(max(24, 24 * days), end - first - 12)
    return demand.between(first, middle), demand.between(middle, end)


def wanted(demand: Demand) -> NDArray[np.float32]:
    """The peaks, raised above the limit where a container was killed."""
    peaks = demand.peaks.copy()
    for kill in demand.kills:
        at = int((kill.time - demand.begin) // SLOT)
        if kill.limit and 0 <= at < len(peaks):
            more = np.nextafter(np.float32(kill.limit), np.float32(np.inf))
            peaks[at] = np.fmax(peaks[at], more)
    return peaks


def tried(demand: Demand, sizes: Sizes, *, today: bool = False) -> Tried:
    """What sizes would have done; with `today` they are the ones that were in force, so that the
    share of time held back is the measured one.
    """
    limit = sizes.memory_limit
    kills = int((wanted(demand) > limit).sum()) if limit is not None else 0
    throttled: float | None = 0.0 if sizes.cores_limit is None else None
    if today and sizes.cores_limit is not None:
        periods = float(demand.periods.sum())
        throttled = float(demand.throttled.sum()) / periods if periods else None
    elif sizes.cores_limit is not None and len(demand.rates[0]):
        throttled = demand.cpu().above(sizes.cores_limit)
    ran = len(demand.rates[0]) > 0
    return Tried(
        kills,
        demand.cpu().above(sizes.cores) if sizes.cores and ran else None,
        throttled,
        _waste(sizes.cores, demand.ran, demand.processor) if ran else None,
        _waste(sizes.memory, demand.held, demand.memory, _GIB),
    )


def _waste(
    asked: float | None,
    held: NDArray[np.float64],
    used: NDArray[np.float64],
    unit: float = 1.0,
) -> float | None:
    """What was asked for and not used, hour by hour, in units of an hour."""
    if asked is None:
        return None
    return float(np.maximum(asked * held - used, 0.0).sum()) / HOUR / unit


def highest(demand: Demand) -> float:
    """Cores at the 99.9th percentile: a limit below it would hold pods back."""
    return demand.cpu().quantile(0.999) if len(demand.rates[0]) else float(CPU.starts[0])
