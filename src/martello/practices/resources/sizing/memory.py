"""What memory a container needs: peaks at the level of today, starts, growth, kills."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from martello.practices.resources.sizing.margin import DAYS, PRICE, WEEKS, margin, needed, tail
from martello.practices.resources.sizing.peers import bumped
from martello.practices.resources.usage.demand import DAY, HOUR, SLOT, SLOTS, STARTING, Demand

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_DAY: Final = 24 * SLOTS  # slots of a day
_WEEK: Final = 7
_CHANGED: Final = 0.05  # a level that differs less (logarithm) is the same
_STEADY_GROWTH: Final = 0.7  # of all pairs of days so many more rise than fall: it grows
_NOTICED: Final = 0.05  # growth over the horizon below this share of the level is none
_STARTS: Final = 1.5  # kills of one excess at a start
_TWICE: Final = 2.0  # growth is followed up to this; beyond, no limit helps


class Need(NamedTuple):
    """Memory in bytes, and what it rests on."""

    memory: float
    peak: float  # the greatest that was seen, at the level of today
    reason: str  # peak, start, growth, kill
    growth: float = 0.0  # bytes a day, where it grows steadily
    weekly: bool = False
    levelled: bool = False  # a later template or limit has another level


def need(demand: Demand, horizon: float) -> Need | None:
    """What a container needs over the next `horizon` seconds; None where nothing was measured."""
    levels = level(demand)
    peaks = demand.peaks.astype(np.float64) * np.repeat(levels, SLOTS)
    measured = ~np.isnan(peaks)
    if not measured.any():
        return _killed(demand, None)
    record = horizon / (measured.sum() * SLOT + horizon)
    starting = demand.starting()
    wants: list[tuple[float, str]] = []
    blocks = _blocks(np.where(measured & ~starting, peaks, 0.0))
    weekly = False
    if len(blocks):
        days = _Days(blocks)
        weekly = days.weekly
        wants.append((days.need(record), "peak"))
    starts = _starts(peaks, demand)
    if len(starts):
        # a start that is far below the rest says nothing about the greatest
        logs = np.log(starts)
        logs = logs[logs > np.log(wants[0][0] if wants else starts.max()) - 0.5]
        if len(logs):
            seen = margin(tail(logs, DAYS, 2), record, _STARTS * PRICE)
            wants.append((float(np.exp(logs.max() + seen)), "start"))
    growth = _growth(peaks, measured, demand, horizon)
    if growth is not None:
        wants.append((growth[1] * np.exp(margin(tail(np.empty(0), DAYS), record, 1.0)), "growth"))
    memory, reason = max(wants, default=(0.0, "peak"))
    peak = float(np.nanmax(peaks))
    found = Need(
        max(memory, peak),
        peak,
        reason,
        growth[0] if growth is not None else 0.0,
        weekly,
        bool((levels != 1.0).any()),
    )
    return _killed(demand, found)


def _killed(demand: Demand, found: Need | None) -> Need | None:
    """No less than is tried next after a kill."""
    limits = [kill.limit for kill in demand.kills if kill.limit]
    if not limits:
        return found
    least = bumped(max(limits))
    if found is None:
        return Need(least, max(limits), "kill")
    return found._replace(memory=least, reason="kill") if least > found.memory else found


def level(demand: Demand) -> Array:
    """By hour, by what factor peaks of earlier templates are brought to the level of the last one:
    the middle of their relation, hour of the day by hour of the day. 1 where the last has not run
    for a day, or where the levels are alike.
    """
    factors = np.ones(demand.hours)
    cuts = [int((cut.time - demand.begin) // HOUR) for cut in demand.cuts if "template" in cut.why]
    cuts = sorted({cut for cut in cuts if 0 < cut < demand.hours})
    if not cuts:
        return factors
    hourly = demand.hourly().astype(np.float64)
    hour = np.arange(demand.hours) % 24
    now = np.full(24, np.nan)
    for each in range(24):
        values = hourly[cuts[-1] + 1 :][hour[cuts[-1] + 1 :] == each]
        values = values[~np.isnan(values)]
        if len(values):
            now[each] = np.median(values)
    if np.isnan(now).any():
        return factors
    for begin, end in zip([0, *cuts], cuts, strict=False):
        relation = now[hour[begin:end]] / hourly[begin:end]
        relation = relation[~np.isnan(relation)]
        if len(relation) and abs(np.log(factor := float(np.median(relation)))) > _CHANGED:
            factors[begin : end + 1] = factor
    return factors


def _blocks(peaks: Array) -> Array:
    """Days as rows of slots, the last one ending with the window; days without samples are left
    out, and a first one of less than half a day.
    """
    rest = len(peaks) % _DAY
    if rest >= _DAY // 2 or len(peaks) < _DAY:
        peaks = np.concatenate((np.zeros(_DAY - rest), peaks))
    elif rest:
        peaks = peaks[rest:]
    rows = peaks.reshape(-1, _DAY)
    return rows[rows.any(axis=1)]


class _Days:
    """Blocks of days, and whether days of the week differ."""

    def __init__(self, blocks: Array) -> None:
        self.blocks = blocks
        self.logs = np.log(blocks.max(axis=1))
        self.weekly = False
        if len(blocks) >= 2 * _WEEK:
            day = np.arange(len(blocks)) % _WEEK
            middle = np.array([np.median(self.logs[day == each]) for each in range(_WEEK)])
            self.logs = self.logs - middle[day]
            apart = float(middle.max() - middle.min())
            # the middle of few is one of them: distances of 0 say nothing
            off = np.abs(self.logs[self.logs != 0.0])
            self.weekly = apart > 4 * (float(np.median(off)) if len(off) else 0.0) + _NOTICED

    def need(self, record: float) -> float:
        """What memory must be for blocks like these."""
        if not self.weekly:
            return max(needed(self.blocks, record, DAYS, logs=self.logs), float(self.blocks.max()))
        days = self.blocks
        if len(days) % _WEEK == _WEEK - 1:  # a day less is a week too
            days = np.concatenate((np.zeros((1, days.shape[1])), days))
        weeks = len(days) // _WEEK
        rows = days[len(days) - weeks * _WEEK :].reshape(weeks, -1)
        return max(needed(rows, record, WEEKS, 1), float(self.blocks.max()))


def _starts(peaks: Array, demand: Demand) -> Array:
    """The peak of each start that was measured."""
    found = []
    for time in demand.starts.tolist():
        first = max(0, int((time - demand.begin) // SLOT))
        values = peaks[first : first + int(STARTING / SLOT) + 1]
        values = values[~np.isnan(values)]
        if len(values):
            found.append(float(values.max()))
    return np.array(found)


def _growth(
    peaks: Array, measured: NDArray[np.bool_], demand: Demand, horizon: float
) -> tuple[float, float] | None:
    """Bytes a day, and what is reached at the end of the horizon or by the next start to be
    expected, where the middle of the days has risen steadily since the last start.
    """
    days = _blocks(np.where(measured, peaks, 0.0))
    if len(demand.starts):
        since = demand.begin + demand.hours * HOUR - float(demand.starts[-1])
        days = days[max(0, len(days) - int(since // DAY)) :]
    if len(days) < 5:
        return None
    middle = np.array([np.median(day[day > 0]) for day in days])
    first, later = np.triu_indices(len(middle), 1)
    slopes = (middle[later] - middle[first]) / (later - first)
    slope = float(np.median(slopes))
    ahead = horizon / DAY
    if np.sign(slopes).mean() <= _STEADY_GROWTH or slope * ahead <= _NOTICED * middle[-1]:
        return None
    if len(demand.starts):
        ahead = min(ahead, demand.days / len(demand.starts))
    reached = float(days[-1].max()) + slope * ahead
    return slope, min(reached, _TWICE * float(np.nanmax(peaks)))
