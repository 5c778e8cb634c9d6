"""What grew or fell, and since when: counts by hour, judged by how little chance explains them.

Of each series the split is sought that two rates explain best against one (a likelihood ratio of
Poisson counts); where days before are kept, the rates are of what those hours usually are. The
ratio is divided by how much the series scatters anyway, so that what always jumps is no trend.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log
from typing import Final

import msgspec

LEAST: Final = 12.0  # bits of evidence: below it nothing is told
_FEWEST: Final = 6  # events that a trend is made of
_SHORTEST: Final = 2  # hours on either side of a split
_SMALLEST: Final = 1.5  # times: a change that is less is none


class Key(msgspec.Struct, frozen=True, order=True):
    """What is counted: `kind` is a word of a report (`denied requests`), `whom` and `what` say of
    whom.
    """

    kind: str
    whom: str = ""
    what: str = ""

    def __str__(self) -> str:
        return ": ".join(
            part for part in (self.kind, " ".join((self.whom, self.what)).strip()) if part
        )


class Trend(msgspec.Struct, frozen=True):
    """A series that changed at an hour: from `before` to `after` events an hour. `bits` is the
    evidence; `new`: there was nothing before.
    """

    key: Key
    counts: tuple[int, ...]
    at: int
    before: float
    after: float
    bits: float

    @property
    def new(self) -> bool:
        """Whether it began in this window."""
        return self.before == 0

    @property
    def times(self) -> float:
        """How many times as often; infinite where there was nothing."""
        return self.after / self.before if self.before else float("inf")

    @property
    def up(self) -> bool:
        """Whether it grew."""
        return self.after > self.before


def trends(
    series: Mapping[Key, Sequence[int]],
    usual: Mapping[Key, Sequence[float]] | None = None,
    least: float = LEAST,
) -> list[Trend]:
    """The changes of series of hourly counts, those with the most evidence first; what grew goes
    before what fell. `usual` is what each hour is on other days, where that is known.
    """
    found = []
    for key, counts in series.items():
        one = trend(key, counts, (usual or {}).get(key))
        if one is not None and one.bits >= least:
            found.append(one)
    return sorted(found, key=lambda one: (not one.up, -one.bits, one.key))


def trend(key: Key, counts: Sequence[int], usual: Sequence[float] | None = None) -> Trend | None:
    """The best split of a series; None where none is worth telling."""
    hours = len(counts)
    total = sum(counts)
    if hours < 2 * _SHORTEST or total < _FEWEST:
        return None
    expected = _expected(counts, usual)
    best: tuple[float, int] = (0.0, 0)
    seen, hoped = 0.0, 0.0
    whole = sum(expected)
    for at in range(1, hours):
        seen += counts[at - 1]
        hoped += expected[at - 1]
        if at < _SHORTEST or hours - at < _SHORTEST:
            continue
        ratio = _part(seen, hoped) + _part(total - seen, whole - hoped) - _part(total, whole)
        if ratio > best[0]:
            best = (ratio, at)
    ratio, at = best
    if not at:
        return None
    before, after = _rate(counts[:at], expected[:at]), _rate(counts[at:], expected[at:])
    low, high = sorted((before, after))
    if low and high / low < _SMALLEST:
        return None
    scatter = max(1.0, _scatter(counts[:at], expected[:at]), _scatter(counts[at:], expected[at:]))
    bits = ratio / log(2) / scatter
    mean = whole / hours
    return Trend(key, tuple(counts), at, before * mean, after * mean, bits)


def _expected(counts: Sequence[int], usual: Sequence[float] | None) -> list[float]:
    """What each hour weighs: as on other days, or all the same."""
    if usual is None or len(usual) != len(counts) or sum(usual) <= 0:
        return [1.0] * len(counts)
    floor = max(0.05 * sum(usual) / len(usual), 1e-6)
    return [max(floor, value) for value in usual]


def _part(seen: float, expected: float) -> float:
    """The log-likelihood of a count at its own rate, without what is the same for every split."""
    return seen * log(seen / expected) if seen > 0 and expected > 0 else 0.0


def _rate(counts: Sequence[int], expected: Sequence[float]) -> float:
    whole = sum(expected)
    return sum(counts) / whole if whole else 0.0


def _scatter(counts: Sequence[int], expected: Sequence[float]) -> float:
    """How many times more than chance the hours of one side differ (Pearson's statistic by its
    degrees of freedom).
    """
    rate = _rate(counts, expected)
    if len(counts) < 2 or not rate:
        return 1.0
    found = sum((c - rate * e) ** 2 / (rate * e) for c, e in zip(counts, expected, strict=True))
    return found / (len(counts) - 1)
