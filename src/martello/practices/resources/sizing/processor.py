"""How much processor time to ask for: the 95th percentile of the busiest hours of the season."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from martello.practices.resources.usage.demand import DAY, HOUR, Demand
from martello.practices.resources.usage.histogram import CPU, Histogram

if TYPE_CHECKING:
    from numpy.typing import NDArray

QUANTILE: Final = 0.95
_BUSIEST: Final = 10  # the busiest hours are one in so many
_WEEKS: Final = 14.0  # days from which on hours of the week are told apart


class Busy(NamedTuple):
    """Cores at the 95th percentile of the busiest hours, and whether these are of the week."""

    cores: float
    weekly: bool


def busiest(demand: Demand) -> Busy | None:
    """What a pod needs in its busiest hours; None where nothing was measured."""
    if not len(demand.rates[0]):
        return None
    weekly = demand.days >= _WEEKS
    cycle = 7 * 24 if weekly else 24
    season = ((np.arange(demand.hours) + int(demand.begin % (7 * DAY) // HOUR)) % cycle).astype(int)
    factors = _level(demand)
    used = np.bincount(season, demand.processor * factors, minlength=cycle)
    ran = np.bincount(season, demand.ran, minlength=cycle)
    mean = np.where(ran > 0, used / np.maximum(ran, 1.0), -1.0)
    seen = int((ran > 0).sum())
    top = np.argsort(mean)[::-1][: max(1, seen // _BUSIEST)]
    chosen = np.isin(season, top)
    return Busy(_levelled(demand, chosen, factors).quantile(QUANTILE), weekly)


def _level(demand: Demand) -> NDArray[np.float64]:
    """By hour, by what factor earlier templates' use is brought to that of the last one: the
    relation of the means. 1 where it has not run for a day.
    """
    factors = np.ones(demand.hours)
    cuts = sorted({int((c.time - demand.begin) // HOUR) for c in demand.cuts if "temp" in c.why})
    cuts = [cut for cut in cuts if 0 < cut < demand.hours - 24]
    if not cuts:
        return factors
    now = _mean(demand, cuts[-1] + 1, demand.hours)
    for begin, end in zip([0, *cuts], cuts, strict=False):
        before = _mean(demand, begin, end)
        if now > 0.0 and before > 0.0:
            factors[begin : end + 1] = now / before
    return factors


def _mean(demand: Demand, begin: int, end: int) -> float:
    ran = float(demand.ran[begin:end].sum())
    return float(demand.processor[begin:end].sum()) / ran if ran else 0.0


def _levelled(demand: Demand, chosen: NDArray[np.bool_], factors: NDArray[np.float64]) -> Histogram:
    """The histogram of the chosen hours, at the level of the last template."""
    if (factors == 1.0).all():
        return demand.cpu(chosen)
    hours, buckets, seconds = demand.rates
    inside = chosen[hours]
    middle = (CPU.starts + CPU.ends) / 2
    made = Histogram(CPU)
    made.add(
        middle[buckets[inside]] * factors[hours[inside]],
        weights=seconds[inside].astype(np.float64),
    )
    return made
