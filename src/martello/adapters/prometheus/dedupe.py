"""One series out of what several equal servers (replicas) saw of it, each at moments of its own.

It is told as one server sees it: by the samples of one replica, and of another only where the first
has a hole. Mixing all of them would give twice as many samples, and, as clocks differ, counters
that seem to go back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from martello.adapters.prometheus.decode import Array, Pair
from martello.core.usage import Counts


class Last(msgspec.Struct, frozen=True):
    """Where a series stands: whose samples were taken, the last one's time and value."""

    replica: str
    time: float
    value: float


def one(
    seen: Mapping[str, Pair], last: Last | None, counts: Counts, *, counter: bool
) -> tuple[Pair, Last | None]:
    """The samples of one series (replica → times and values, each tidy), and where it stands now.

    The replica of `last` goes on as long as it has half as many samples as the fullest one.
    """
    full = {name: pair for name, pair in sorted(seen.items()) if len(pair[0])}
    if not full:
        none = np.empty(0)
        return (none, none), last
    main = max(full, key=lambda name: len(full[name][0]))
    if last is not None and last.replica in full:
        main = last.replica if 2 * len(full[last.replica][0]) >= len(full[main][0]) else main
    times, values = full.pop(main)
    for pair in full.values():
        before = len(times)
        times, values = _filled(times, values, pair, last, counter=counter)
        counts.drop("of another replica", len(pair[0]) - (len(times) - before))
    return (times, values), Last(main, float(times[-1]), float(values[-1]))


def together(parts: Sequence[Pair]) -> Pair:
    """The sum of series that are parts of one (processors, devices), at every time that one has."""
    if len(parts) == 1:
        return parts[0]
    times = np.unique(np.concatenate([pair[0] for pair in parts]))
    values = np.zeros(len(times))
    for its, own in parts:
        values[np.searchsorted(times, its)] += own
    return times, values


def _filled(
    times: Array, values: Array, other: Pair, last: Last | None, *, counter: bool
) -> tuple[Array, Array]:
    """With those samples of another replica that lie in a hole: where the step is more than half
    again as long as usual, and half a step or more from the samples beside it.
    """
    its, own = other
    paces = [np.median(np.diff(at)) for at in (times, its) if len(at) > 2]
    if not paces:
        return times, values
    step = min(paces)
    place = np.searchsorted(times, its)
    begin, end = (-np.inf, np.inf) if last is None else (last.time, np.inf)
    low = -np.inf if last is None else last.value
    before = np.concatenate(([begin], times))[place]
    after = np.concatenate((times, [end]))[place]
    hole = (after - before > 1.5 * step) & (its - before >= step / 2) & (after - its >= step / 2)
    hole &= np.where(np.isinf(before), after - its >= step, True)
    hole &= np.where(np.isinf(after), its - before >= 1.5 * step, True)
    if counter:
        least = np.concatenate(([low], values))[place]
        most = np.concatenate((values, [np.inf]))[place]
        hole &= (least > most) | ((own >= least) & (own <= most))
    if not hole.any():
        return times, values
    at = place[hole]
    return np.insert(times, at, its[hole]), np.insert(values, at, own[hole])
