"""Histograms of use: buckets that grow by 5 %, weights that decay, cheap to fill and to merge.

The buckets are those of the Vertical Pod Autoscaler (its `aggregations_config.go`: the first
bucket is 0.01 core or 10 MB wide, each next one 5 % wider, up to 1,000 cores or 1 TB), so that its
checkpoints can be read and written. A quantile is the upper end of its bucket: never less than the
sample there, and at most 5 % (or one first bucket) more.

Weights are kept relative to a reference time: a sample at time t weighs 2^((t - reference)/half
life), and the reference moves forward when that grows too large. Only relations between weights
count, so merging histograms of different reference times is exact.
"""

from __future__ import annotations

import math
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from martello.core.errors import BadInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

_GROWTH: Final = 1.05
_FARTHEST: Final = 100  # half lives between a sample and the reference, before it is moved
_CHECKPOINT: Final = 10_000  # the weight of the heaviest bucket in a checkpoint


class Buckets(msgspec.Struct, frozen=True, dict=True):
    """Where buckets begin: the first is `first` wide, the last begins at or above `most`."""

    first: float
    most: float

    @cached_property
    def starts(self) -> NDArray[np.float64]:
        """The lower end of each bucket, beginning with 0."""
        grown = math.log(self.most * (_GROWTH - 1) / self.first + 1) / math.log(_GROWTH)
        number = math.ceil(grown) + 1
        powers = np.power(_GROWTH, np.arange(number, dtype=np.float64))
        starts: NDArray[np.float64] = self.first * (powers - 1) / (_GROWTH - 1)
        return starts

    @cached_property
    def ends(self) -> NDArray[np.float64]:
        """The upper end of each bucket; the last has none and gives its start."""
        return np.append(self.starts[1:], self.starts[-1])

    @property
    def count(self) -> int:
        """How many buckets there are."""
        return len(self.starts)

    def find(self, values: NDArray[np.float64]) -> NDArray[np.intp]:
        """The bucket of each value; values outside fall into the first or the last."""
        scaled = np.maximum(values, 0.0) * ((_GROWTH - 1) / self.first) + 1.0
        found = np.log(scaled) * (1.0 / math.log(_GROWTH))
        return np.minimum(found, self.count - 1).astype(np.intp)


@lru_cache(maxsize=2)
def _known(first: float, most: float) -> Buckets:
    return Buckets(first, most)


CPU: Final = _known(0.01, 1000.0)  # cores
MEMORY: Final = _known(1e7, 1e12)  # bytes


class Histogram:
    """Weights by bucket. `half_life` is in seconds; infinite: old samples count as new ones."""

    __slots__ = ("buckets", "half_life", "reference", "weights")

    def __init__(self, buckets: Buckets, half_life: float = math.inf) -> None:
        self.buckets = buckets
        self.half_life = half_life
        self.reference = 0.0
        self.weights: NDArray[np.float64] = np.zeros(buckets.count)

    def add(
        self,
        values: NDArray[np.float64],
        times: NDArray[np.float64] | None = None,
        weights: NDArray[np.float64] | None = None,
    ) -> None:
        """Adds samples: values, when they were taken (seconds), and what each weighs (1)."""
        if not len(values):
            return
        if times is not None and self.half_life != math.inf:
            newest = float(times.max())
            if newest - self.reference > _FARTHEST * self.half_life:
                self._move(newest)
            decay = np.exp2((times - self.reference) / self.half_life)
            weights = decay if weights is None else weights * decay
        found = self.buckets.find(values)
        self.weights += np.bincount(found, weights, minlength=self.buckets.count)

    def merge(self, other: Histogram) -> Histogram:
        """Both together, as a new histogram; they must be of the same kind."""
        if (self.buckets, self.half_life) != (other.buckets, other.half_life):
            raise ValueError("histograms of different kinds cannot be merged")
        merged = Histogram(self.buckets, self.half_life)
        merged.reference = max(self.reference, other.reference)
        merged.weights = self._at(merged.reference) + other._at(merged.reference)
        return merged

    def quantile(self, share: float) -> float:
        """The upper end of the bucket in which this share of the weight is reached; 0 if empty."""
        total = float(self.weights.sum())
        if total <= 0.0:
            return 0.0
        reached = np.cumsum(self.weights)
        # the sum of many weights is not exact: a share that is reached but for that is reached
        bucket = int(np.searchsorted(reached, share * total * (1 - 1e-12)))
        return float(self.buckets.ends[min(bucket, self.buckets.count - 1)])

    def above(self, value: float) -> float:
        """The share of the weight in buckets that end above a value."""
        total = float(self.weights.sum())
        return float(self.weights[self.buckets.ends > value].sum()) / total if total else 0.0

    def checkpoint(self) -> dict[str, Any]:
        """As a checkpoint of the Vertical Pod Autoscaler: weights from 1 to 10,000 by bucket."""
        most = float(self.weights.max())
        if most <= 0.0:
            return {"referenceTimestamp": self.reference, "bucketWeights": {}, "totalWeight": 0.0}
        scaled = np.floor(self.weights * (_CHECKPOINT / most) + 0.5).astype(int)
        return {
            "referenceTimestamp": self.reference,
            "bucketWeights": {int(b): int(scaled[b]) for b in np.flatnonzero(scaled)},
            "totalWeight": float(self.weights.sum()),
        }

    @classmethod
    def of_checkpoint(
        cls, raw: dict[str, Any], buckets: Buckets, half_life: float = math.inf
    ) -> Histogram:
        """A histogram from a checkpoint. Raises BadInput where that is none."""
        made = cls(buckets, half_life)
        try:
            weights = {int(b): int(w) for b, w in raw["bucketWeights"].items()}
            total = float(raw["totalWeight"])
            made.reference = float(raw.get("referenceTimestamp") or 0.0)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise BadInput("this is no checkpoint of a histogram", str(error), "") from error
        wrong = [b for b in weights if not 0 <= b < buckets.count]
        if wrong or total < 0 or not math.isfinite(total) or min(weights.values(), default=0) < 0:
            why = f"bucket {wrong[0]} does not exist" if wrong else "a weight is negative"
            raise BadInput("this is no checkpoint of a histogram", why, "")
        whole = sum(weights.values())
        for bucket, weight in weights.items():
            made.weights[bucket] = weight * total / whole if whole else 0.0
        return made

    def _at(self, reference: float) -> NDArray[np.float64]:
        """The weights as they are from another reference time."""
        if self.half_life == math.inf or reference == self.reference:
            return self.weights
        return self.weights * math.exp2((self.reference - reference) / self.half_life)

    def _move(self, reference: float) -> None:
        self.weights = self._at(reference)
        self.reference = reference
