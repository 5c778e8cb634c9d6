"""How far above the peaks that were seen memory must lie, from how peaks differ from each other.

Peaks of equal blocks of time (days; weeks, where days of the week differ) are taken as draws of one
kind. Above the greatest ones their logarithms thin out at a rate that the distances between them
tell (for an exponential tail these distances are exponential themselves, Rényi 1953); few of them
tell little, so a weak prior of a few per cent is mixed in, and what is predicted has a tail that
is the heavier the fewer blocks there were:

    P(a block of the horizon lies more than m above the greatest) = P(record) (S / (S + m))^a

with P(record) = horizon / (window + horizon), S = prior + sum of distances, a = prior + their
number. The margin is the m that costs least, where memory costs what it is and a kill `price`
times the whole limit: a workload whose peaks are alike gets little, one whose peaks wander gets
more, but no workload gets more than what a kill is worth. All of it is relative: a workload
twice as large gets the same margin.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

PRICE: Final = 0.6  # a kill costs as much as this share of the limit, kept over the horizon
_LONGEST: Final = 3.5  # so many kills at most are counted for one excess
_NEAR: Final = 0.03  # what lies within this of a block's peak would be killed with it


class Prior(NamedTuple):
    """What is expected before anything is seen: a distance, and how many such it counts as."""

    distance: float
    number: float


DAYS: Final = Prior(0.03, 2.0)  # of days, and of starts
WEEKS: Final = Prior(0.02, 1.0)  # there are few of them: what is seen counts sooner


class Tail(NamedTuple):
    """How logarithms of peaks thin out above the greatest: `total` of `number` distances."""

    total: float
    number: float

    @property
    def scale(self) -> float:
        """The mean distance."""
        return self.total / self.number


def tail(logs: Array, prior: Prior, share: int = 3) -> Tail:
    """The tail of some logarithms of peaks, from the greatest 1/share of them."""
    if len(logs) < 2:
        return Tail(prior.number * prior.distance, prior.number)
    number = max(1, min(len(logs) - 1, len(logs) // share))
    upper = np.sort(logs)[::-1][: number + 1]
    distances = float((upper[:-1] - upper[-1]).sum())
    return Tail(distances + prior.number * prior.distance, prior.number + number)


def margin(seen: Tail, record: float, price: float) -> float:
    """The logarithm of the factor above the greatest peak that costs least; `record` is the
    probability of a new greatest one. Where peaks wander so much that a margin is not worth its
    price, it is the greatest that ever is.
    """
    a = seen.number
    worth = price * record * a
    most = worth * math.exp((a + 1) * math.log(a / (a + 1)))
    total = min(seen.total, most)
    if total <= 0.0:
        return 0.0
    best: float = math.exp((math.log(worth) + a * math.log(total)) / (a + 1)) - total
    return max(0.0, best)


def needed(
    blocks: Array, record: float, prior: Prior, share: int = 3, logs: Array | None = None
) -> float:
    """What memory must be, in bytes, for blocks of peaks (rows: blocks, columns: slots of five
    minutes; 0: not measured). `logs` are the blocks' peaks without what is known of their order,
    such as the day of the week.
    """
    peaks = blocks.max(axis=1)
    seen = tail(np.log(peaks) if logs is None else logs, prior, share)
    near = np.exp(-min(_NEAR, seen.scale))
    top = np.argsort(peaks)[::-1][: max(1, len(peaks) // 3)]
    long = float((blocks[top] >= peaks[top, None] * near).sum(axis=1).mean())
    price = PRICE * min(long, _LONGEST)
    return float(peaks.max() * np.exp(margin(seen, record, price)))
