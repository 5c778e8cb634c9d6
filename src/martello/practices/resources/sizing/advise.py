"""Advice for one container from what it asked for, with the backtest beside it."""

from __future__ import annotations

from typing import Final

import msgspec

from martello.core.sizing import (
    Advice,
    Backtest,
    Contender,
    Level,
    Picture,
    Sizes,
    Today,
    bytes_text,
    cores_text,
)
from martello.practices.resources.sizing import peers
from martello.practices.resources.sizing.cautions import cautions, doubts
from martello.practices.resources.sizing.memory import Need, need
from martello.practices.resources.sizing.processor import Busy, busiest
from martello.practices.resources.sizing.rounding import whole_bytes, whole_cores
from martello.practices.resources.sizing.trial import halves, highest, tried
from martello.practices.resources.usage.demand import DAY, HOUR, Demand, Kill

HORIZON: Final = 14 * DAY  # seconds that advice is meant to last
_LEAST: Final = 1.0  # days; below there is no advice
_GAPS: Final = 0.10  # share of hours without samples, from which on there is none
_COMING: Final = ("cronjob/", "job/")  # workloads that are not always there


def advise(demand: Demand, today: Today | None = None, horizon: float = HORIZON) -> Advice:
    """What a container should ask for and be held to over the next `horizon` seconds."""
    now = today.sizes if today is not None else Sizes()
    lacking = _lacking(demand)
    if lacking:
        return Advice(
            key=demand.key,
            now=now,
            today=today,
            unassessed=lacking,
            days=demand.days,
            counted=demand.counted,
        )
    first, end = demand.span
    demand = _with_limits(demand.between(first, end), now.memory_limit)
    needed, busy = need(demand, horizon), busiest(demand)
    sizes = _demanded(_rounded(needed, busy), demand, today)
    test = _backtest(demand, today)
    mine = test.of("advice") if test else None
    because = doubts(demand, needed, mine.tried.kills if mine else None, test is not None)
    return Advice(
        key=demand.key,
        now=now,
        sizes=sizes,
        today=today,
        reasons=tuple(_reasons(needed, busy, demand)),
        margin=needed.memory / needed.peak - 1 if needed else 0.0,
        backtest=test,
        level=_level(demand, because),
        because=because,
        cautions=tuple(cautions(demand, today, sizes, needed)),
        days=demand.days,
        replicas=demand.replicas,
        counted=demand.counted,
        picture=_picture(demand),
    )


def sized(demand: Demand, horizon: float) -> Sizes:
    """The sizes alone, as they would be written."""
    return _rounded(need(demand, horizon), busiest(demand))


def _with_limits(demand: Demand, limit: float | None) -> Demand:
    """The same with a limit for each kill of which none is known: today's, else what was in use in
    the hour before, which is less.
    """
    if all(kill.limit is not None for kill in demand.kills):
        return demand
    hourly = demand.hourly()
    kills = []
    for kill in demand.kills:
        hour = int((kill.time - demand.begin) // HOUR)
        near = [float(peak) for peak in hourly[max(0, hour - 1) : hour + 1] if peak > 0]
        assumed = limit if limit is not None else max(near, default=None)
        kills.append(kill if kill.limit is not None else Kill(kill.time, assumed))
    return msgspec.structs.replace(demand, kills=tuple(kills))


def _lacking(demand: Demand) -> str:
    """Why nothing can be said; empty where something can."""
    if not demand.held.any():
        return "no data: no samples of memory"
    if not demand.ran.any():
        return "no data: no samples of processor time"
    if demand.days < _LEAST:
        hours = round(demand.days * 24)
        return f"not enough data: {hours} hour{'' if hours == 1 else 's'}, a day is the least"
    always = not demand.key.workload.startswith(_COMING)
    if always and demand.missing > _GAPS:
        return f"no data in {demand.missing:.0%} of the hours between the first and the last sample"
    return ""


def _rounded(needed: Need | None, busy: Busy | None) -> Sizes:
    memory = whole_bytes(needed.memory) if needed else None
    return Sizes(whole_cores(busy.cores) if busy else None, memory, None, memory)


def _demanded(sizes: Sizes, demand: Demand, today: Today | None) -> Sizes:
    """The same with a limit of processor time where a guard demands one: so high that it hardly
    ever holds back.
    """
    if today is None or not today.demands or sizes.cores is None:
        return sizes
    limit = whole_cores(max(sizes.cores, highest(demand)))
    return msgspec.structs.replace(sizes, cores_limit=limit)


def _backtest(demand: Demand, today: Today | None) -> Backtest | None:
    """The same rule on the first part of the time, tried on the rest; and what else is there."""
    parts = halves(demand)
    if parts is None:
        return None
    learned, rest = parts
    if not rest.held.any():
        return None
    made = _demanded(sized(learned, rest.hours * HOUR), learned, today)
    contenders = [Contender("advice", made, tried(rest, made))]
    if today is not None:
        contenders.append(Contender("today", today.sizes, tried(rest, today.sizes, today=True)))
    for who, rule in (("vpa", peers.vpa), ("krr", peers.krr)):
        said = rule(learned)
        sizes = Sizes(said.cores, said.memory, None, said.memory)
        contenders.append(Contender(who, sizes, tried(rest, sizes)))
    return Backtest(learned.hours / 24, rest.hours / 24, tuple(contenders))


def _reasons(needed: Need | None, busy: Busy | None, demand: Demand) -> list[str]:
    lines = []
    if busy is not None:
        season = "of the week " if busy.weekly else "of the day "
        rest = demand.cpu().quantile(0.95)
        beside = f" (p95 of all hours {cores_text(rest)})" if rest * 2 < busy.cores else ""
        lines.append(f"cpu p95 of the busiest hours {season}{cores_text(busy.cores)}{beside}")
    if needed is None:
        return lines
    margin = f"+{needed.memory / needed.peak - 1:.0%} margin"
    peak = bytes_text(needed.peak)
    match needed.reason:
        case "kill":
            killed = max(kill.limit or 0.0 for kill in demand.kills)
            lines.append(f"killed at {bytes_text(killed)}, + max(20 %, 100Mi); peak {peak}")
        case "start":
            lines.append(f"memory peak {peak} at start-up, {margin} by how starts differ")
        case "growth":
            lines.append(f"memory peak {peak} and growing, {margin} for what is to come")
        case _:
            blocks = "weeks" if needed.weekly else "days"
            lines.append(f"memory peak {peak}, {margin} by how {blocks} differ")
    if needed.levelled:
        lines.append("peaks of earlier templates count at the level of the present one")
    return lines


def _level(demand: Demand, because: tuple[str, ...]) -> Level:
    if demand.days < 7 or any("grows" in one or "still saw kills" in one for one in because):
        return "low"
    return "medium" if because else "high"


def _picture(demand: Demand) -> Picture:
    parts = halves(demand)
    return Picture(
        demand.begin,
        demand.hourly(),
        demand.hourly_cores(),
        parts[0].hours if parts else demand.hours,
        tuple((cut.time, cut.why) for cut in demand.cuts),
        tuple(kill.time for kill in demand.kills),
    )
