"""What two known tools would advise on the same data, by the rules that they publish.

- KRR, `simple` strategy (github.com/robusta-dev/krr, strategies/simple.py, read at d6baa74): the
  last 14 days in steps of 75 s; processor time: the 95th percentile, no limit; memory: the
  greatest of the steps, + 15 %, as request and limit; kills are not looked at unless asked for; at
  least 10m and 100 MB.
- VPA, the recommender's target (github.com/kubernetes/autoscaler, logic/ and model/, read at
  55c37cd): decaying histograms with a half life of one day; processor time: the 90th percentile of
  samples; memory: the 90th percentile of the peaks of each pod's days, a kill counting as a peak of
  the limit + max(20 %, 100 MiB); both + 15 %; at least 25m and 250 MiB.

Where they differ from the originals: processor time is pooled over pods and known to a bucket
(5 %), days of a pod begin with its first sample in the window. VPA follows use while it goes on:
what is tried here is the target that it would set on the day of the advice.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from martello.practices.resources.usage.demand import DAY, HOUR, Demand
from martello.practices.resources.usage.histogram import CPU, MEMORY, Histogram

_MARGIN: Final = 1.15
_KRR_HOURS: Final = 14 * 24
BUMP: Final = 100 * 2.0**20  # bytes: the least that is added to a limit at which something died
RATIO: Final = 1.2


class Sizes(NamedTuple):
    """What a container should get: cores, and bytes as request and limit; None: nothing said."""

    cores: float | None
    memory: float | None


def bumped(limit: float) -> float:
    """What is tried next, in bytes, where a container was killed at a limit."""
    return max(limit * RATIO, limit + BUMP)


def krr(demand: Demand, floors: bool = True) -> Sizes:
    """KRR's `simple` strategy."""
    end = demand.span[1]
    recent = demand.between(max(0, end - _KRR_HOURS), end)
    steps = recent.stepped[~np.isnan(recent.stepped)]
    cores = recent.cpu().quantile(0.95) if len(recent.rates[0]) else None
    memory = float(steps.max()) * _MARGIN if len(steps) else None
    return _at_least(Sizes(cores, memory), 0.010, 100e6) if floors else Sizes(cores, memory)


def vpa(demand: Demand, floors: bool = True) -> Sizes:
    """The target of the Vertical Pod Autoscaler's recommender."""
    times, peaks = demand.daily
    memory = Histogram(MEMORY, half_life=DAY)
    if len(times):
        times = np.minimum(times, demand.begin + demand.hours * HOUR)
        memory.add(peaks, times)
    died = [(k.time, bumped(k.limit)) for k in demand.kills if k.limit]
    if died:
        pairs = np.array(died)
        memory.add(pairs[:, 1], pairs[:, 0])
    hours, buckets, seconds = demand.rates
    cpu = Histogram(CPU, half_life=DAY)
    if len(hours):
        times = np.asarray(demand.begin + hours * HOUR, np.float64)
        cpu.add(CPU.starts[buckets], times, seconds.astype(np.float64))
    made = Sizes(
        cpu.quantile(0.9) * _MARGIN if len(hours) else None,
        memory.quantile(0.9) * _MARGIN if len(times) or died else None,
    )
    return _at_least(made, 0.025, 250 * 2.0**20) if floors else made


def _at_least(sizes: Sizes, cores: float, memory: float) -> Sizes:
    return Sizes(
        None if sizes.cores is None else max(sizes.cores, cores),
        None if sizes.memory is None else max(sizes.memory, memory),
    )
