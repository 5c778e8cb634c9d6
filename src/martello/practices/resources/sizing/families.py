"""Synthetic workloads whose truth is known: seven ways in which containers use what they use.

Each series is drawn from its seed alone. How much a workload varies is drawn too, over a wide
range, since that is what differs between workloads of one kind. Samples are taken every `STEP`
seconds, as Prometheus would; the truth is what they were drawn from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from martello.core.usage import Chunk, Metric, Owned

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

STEP: Final = 30.0
DAY: Final = 86400.0
BEGIN: Final = 1_767_571_200.0  # Monday, 5 January 2026, 00:00 UTC
_MI: Final = 2.0**20


class Series(NamedTuple):
    """One pod's use: bytes and cores at `times`; pods follow each other at `rolled`."""

    times: Array
    memory: Array
    cores: Array
    rolled: tuple[float, ...]  # when a pod with a new template took over
    restarted: tuple[float, ...]  # when the container began anew in its pod


def _noise(rng: Generator, n: int, size: float) -> Array:
    """Correlated noise around 1: an autoregression over minutes, of this standard deviation."""
    coarse = rng.standard_normal(n // 10 + 2)
    kept = np.fromiter(accumulate(coarse, lambda a, b: 0.9 * a + b), np.float64, len(coarse))
    smooth = np.interp(np.arange(n) / 10, np.arange(len(kept)), kept) * np.sqrt(1 - 0.81)
    return np.asarray(np.exp(size * smooth))


def _spread(rng: Generator, low: float, high: float) -> float:
    """Drawn evenly on the scale of logarithms."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _by_day(rng: Generator, times: Array, size: float) -> Array:
    """A factor for each day."""
    day = ((times - BEGIN) // DAY).astype(int)
    return np.asarray(np.exp(size * rng.standard_normal(day.max() + 1))[day])


def _steady(rng: Generator, times: Array) -> tuple[Array, Array]:
    size = _spread(rng, 0.003, 0.05)
    return _noise(rng, len(times), size), _noise(rng, len(times), 3 * size)


def _daily(rng: Generator, times: Array) -> tuple[Array, Array]:
    high = rng.uniform(0.1, 1.0)
    hour = (times % DAY) / 3600
    curve = np.exp(-(((hour - rng.uniform(9, 16)) / rng.uniform(1.5, 4)) ** 2))
    varied = curve * _by_day(rng, times, _spread(rng, 0.01, 0.3))
    noise = _noise(rng, len(times), _spread(rng, 0.003, 0.03))
    return (1 + high * varied) * noise, (0.2 + 4 * high * varied) * noise**2


def _weekly(rng: Generator, times: Array) -> tuple[Array, Array]:
    week = ((times - BEGIN) // (7 * DAY)).astype(int)
    varied = np.exp(_spread(rng, 0.01, 0.3) * rng.standard_normal(week.max() + 1))[week]
    hour = (times - BEGIN) % (7 * DAY) / 3600
    begin = rng.integers(0, 7) * 24 + rng.uniform(0, 20)
    batch = ((hour >= begin) & (hour < begin + rng.uniform(1, 4))) * varied
    noise = _noise(rng, len(times), _spread(rng, 0.003, 0.03))
    return (1 + rng.uniform(0.3, 1.5) * batch) * noise, (0.2 + 4 * batch) * noise**2


def _bursty(rng: Generator, times: Array) -> tuple[Array, Array]:
    many = rng.poisson(_spread(rng, 2, 40) * (times[-1] - times[0]) / DAY) + 1
    size = _spread(rng, 0.01, 0.3)
    bursts = np.zeros(len(times))
    high = rng.uniform(0.2, 1.0)
    for at in rng.integers(0, len(times), many).tolist():
        long = 1 + int(rng.exponential(4))
        bursts[at : at + long] += high * np.exp(size * rng.standard_normal())
    noise = _noise(rng, len(times), _spread(rng, 0.003, 0.03))
    return (1 + bursts) * noise, (0.2 + 3 * bursts) * noise**2


def _even(rng: Generator, times: Array) -> tuple[Array, Array]:
    noise = _noise(rng, len(times), _spread(rng, 0.003, 0.03))
    return noise, noise**2


FAMILIES: Final[dict[str, Callable[[Generator, Array], tuple[Array, Array]]]] = {
    "steady": _steady,
    "daily": _daily,
    "weekly": _weekly,
    "bursty": _bursty,
    "leak": _even,
    "start-up": _even,
    "rollout": _daily,
}


def series(family: str, seed: int, days: int = 30) -> Series:
    """The series of a family and seed: one pod's use over some days."""
    names = tuple(FAMILIES)
    rng = np.random.default_rng([names.index(family), seed])
    times = BEGIN + rng.uniform(0, STEP) + np.arange(0, days * DAY - STEP, STEP)
    memory, cores = FAMILIES[family](rng, times)
    rolled: tuple[float, ...] = ()
    restarted: tuple[float, ...] = ()
    if family == "start-up":
        restarted = _restarts(rng, times, _spread(rng, 0.5, 6))
        memory, cores = memory.copy(), cores.copy()
        high, size = rng.uniform(0.3, 3), _spread(rng, 0.01, 0.3)
        for begun in restarted:
            at, long = int(np.searchsorted(times, begun)), int(rng.integers(1, 6))
            memory[at : at + long] *= 1 + high * np.exp(size * rng.standard_normal())
            cores[at : at + long] *= 1 + 3 * high
    elif family == "leak":
        restarted = _restarts(rng, times, _spread(rng, 3, 30))
        begins = np.array([times[0], *restarted])
        age = times - begins[np.searchsorted(begins, times, "right") - 1]
        memory = memory * (1 + age / DAY / _spread(rng, 5, 60))
    elif family == "rollout":
        rolled = (float(BEGIN + rng.uniform(0.2, 0.6) * days * DAY),)
        level = np.where(times < rolled[0], 1.0, _spread(rng, 0.5, 1.6))
        memory, cores = memory * level, cores * level
    size = _spread(rng, 300 * _MI, 4096 * _MI)
    return Series(times, memory * size, cores * _spread(rng, 0.05, 1.0), rolled, restarted)


def _restarts(rng: Generator, times: Array, every: float) -> tuple[float, ...]:
    """Restarts, a number of days apart on average."""
    days = (times[-1] - times[0]) / DAY
    return tuple(sorted(rng.uniform(times[0], times[-1], rng.poisson(days / every))))


def chunks(
    family: str, seed: int, days: int = 30, *, hours: float = 6.0, namespace: str = ""
) -> Iterator[Chunk]:
    """A series as a source would hand it over: by pods, in chunks of some hours."""
    made = series(family, seed, days)
    counter = np.cumsum(made.cores * STEP)
    for restart in made.restarted:
        at = int(np.searchsorted(made.times, restart))
        if at < len(counter):
            counter[at:] -= counter[at] - made.cores[at] * STEP / 2
    edges = np.searchsorted(made.times, np.arange(made.times[0], made.times[-1], hours * 3600))
    rolls = [int(np.searchsorted(made.times, time)) for time in made.rolled]
    bounds = sorted({*edges.tolist(), *rolls, len(made.times)})
    space = namespace or family
    for first, end in pairwise(bounds):
        generation = sum(first >= roll for roll in rolls)
        pod = f"{family}{seed}-{_HASHES[generation]}-x2x7q"
        owned = Owned(space, pod, "app", f"deploy/{family}{seed}")
        part = slice(first, end)
        metrics: tuple[tuple[Metric, Array], ...] = (("cpu", counter), ("memory", made.memory))
        for metric, values in metrics:
            yield Chunk(owned, metric, made.times[part], values[part])


_HASHES: Final = ("7d9c5b6f4", "5f8d9c7b6b")
