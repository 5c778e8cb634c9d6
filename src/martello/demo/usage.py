"""A month of use of the demo's containers, drawn from a table: no file could be as small.

Every sample is made from its seed alone, so that all runs see the same month.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from martello.core.usage import Chunk, Counts, Gap, Metric, Owned

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

END: Final = 1_931_428_800.0  # 2031-03-17T00:00:00Z, the week of the demo's log
DAYS: Final = 30
STEP: Final = 120.0
_DAY: Final = 86400.0
_MI: Final = 2.0**20


class _Use(NamedTuple):
    """How a container behaves: of the day, at starts, in bursts; `limit` in Mi, 0: none."""

    namespace: str
    workload: str
    template: str  # its hash in pods' names
    pods: tuple[str, ...]
    cores: float
    memory: float  # Mi at rest
    day: float = 0.0  # what the busiest hour adds, as a share
    start: float = 0.0  # what a start adds
    starts: int = 0
    bursts: int = 0  # a day
    high: float = 0.0  # what a burst adds
    growth: float = 0.0  # a day
    limit: float = 0.0
    days: float = DAYS
    container: str = ""  # empty: named like the workload


_A, _B = "2xk9v", "m4w7q"  # endings of pods' names
_CAST: Final = (
    _Use("ci", "deploy/build-cache", "6c9f8b7d5c", (_A,), 0.02, 160, day=0.3, limit=512),
    _Use("ci", "deploy/runner", "7b5d9c8f6d", (_A, _B), 0.15, 300, bursts=14, high=2.2, limit=2048),
    _Use("data", "deploy/backup", "5f7d9b8c6b", (_A,), 0.01, 40, bursts=1, high=1.4, limit=128),
    _Use("data", "deploy/reports", "8d6c7b9f5f", (_B,), 0.03, 90, growth=0.035, limit=256),
    _Use("data", "sts/db", "", ("0",), 0.08, 420, day=0.15, limit=2048, container="postgres"),
    _Use("kube-system", "deploy/metrics", "6d8f7c9b5d", (_A, _B), 0.04, 150, day=0.2, limit=400),
    _Use(
        "shop",
        "deploy/cart",
        "75c9d8b6f7",
        (_A, _B),
        0.03,
        60,
        0.35,
        start=0.9,
        starts=9,
        limit=128,
    ),
    _Use("shop", "deploy/checkout", "6b8d7c9f5b", (_A, _B), 0.02, 80, day=0.25, limit=192),
    _Use("shop", "deploy/mail", "5d9c8b7f6c", (_A,), 0.005, 30, limit=64, days=0.6),
    _Use("shop", "deploy/web", "7f9d8c6b5d", (_A, _B), 0.06, 210, day=0.6),
)


class DemoUsage:
    """A Source over the table; `pods` narrows it to those whose names begin so."""

    def __init__(self, pods: Sequence[str] = ()) -> None:
        self.counts = Counts()
        self._pods = tuple(pods)

    def chunks(self, since: float, until: float) -> Iterator[Chunk | Gap]:
        """The samples of a time window, see core.usage.Source."""
        for number, use in enumerate(_CAST):
            self.counts.namespace = use.namespace
            for pod, name in enumerate(use.pods):
                rng = np.random.default_rng([number, pod])
                short = use.workload.partition("/")[2]
                whole = "-".join(part for part in (short, use.template, name) if part)
                if self._pods and not whole.startswith(self._pods):
                    continue
                of = Owned(use.namespace, whole, use.container or short, use.workload)
                for metric, times, values in _series(use, rng):
                    inside = (times >= since) & (times < until)
                    self.counts.samples += int(inside.sum())
                    yield Chunk(of, metric, times[inside], values[inside])


def _series(use: _Use, rng: np.random.Generator) -> Iterator[tuple[Metric, Array, Array]]:
    times = (
        END - use.days * _DAY + rng.uniform(0, STEP) + np.arange(0, use.days * _DAY - STEP, STEP)
    )
    count = len(times)
    weekend = np.where((times // _DAY + 3) % 7 >= 5, 0.4, 1.0)
    by_day = np.exp(0.05 * rng.standard_normal(DAYS + 2))[((times - times[0]) // _DAY).astype(int)]
    curve = np.exp(-((((times % _DAY) / 3600 - 14) / 3) ** 2)) * weekend * by_day
    noise = 1 + 0.01 * rng.standard_normal(count)
    load, memory = 1 + 4 * curve * (use.day > 0), 1 + use.day * curve
    for at in rng.integers(0, count, int(use.bursts * use.days)).tolist():
        part = slice(at, at + 1 + int(rng.exponential(3)))
        memory[part] += use.high * np.exp(0.15 * rng.standard_normal())
        load[part] += 6
    starts = np.sort(rng.integers(60, count, use.starts))
    for at in starts.tolist():
        memory[at : at + 2] += use.start * np.exp(0.08 * rng.standard_normal())
        load[at : at + 2] += 4
    memory += use.growth * (times - times[0]) / _DAY
    restarts = np.cumsum(np.isin(np.arange(count), starts)).astype(np.float64)
    yield "cpu", times, np.cumsum(use.cores * load * noise**4 * STEP)
    used = use.memory * _MI * memory * noise
    if use.limit:  # nobody is seen to use more than the limit: who tries is killed
        killed = used > use.limit * _MI
        used = np.minimum(used, use.limit * _MI)
        restarts += np.cumsum(killed)
        yield "kills", times, np.cumsum(killed).astype(np.float64)
    yield "memory", times, used
    yield "restarts", times[::3], restarts[::3]
    if use.limit:
        yield "memory limit", times[::30], np.full(len(times[::30]), use.limit * _MI)
