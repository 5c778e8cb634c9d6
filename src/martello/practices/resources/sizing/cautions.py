"""What to know before advice is followed: autoscalers, runtimes that follow limits, doubts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from martello.core.sizing import MI, Advice, Runtime, Sizes, Target, Today, bytes_text, cores_text
from martello.practices.resources.sizing.memory import Need
from martello.practices.resources.usage.demand import DAY, Demand

_HEADROOM: Final = 1.1  # what a heap of fixed size needs around it, at the least


def cautions(demand: Demand, today: Today | None, sizes: Sizes, need: Need | None) -> Iterator[str]:
    """What to be careful about, a line each."""
    if need is not None and need.growth:
        a_day = bytes_text(need.growth) if need.growth >= 2.0**20 else "less than 1Mi"
        yield f"memory grows by {a_day} a day without end: no limit lasts, look for the leak"
    if today is None:
        yield "it is not among the objects: what is set today is not known"
        return
    if today.demands and sizes.cores_limit is not None:
        yield f"{today.demands} demands a limit of cpu: it is the 99.9th percentile"
    if today.vertical:
        yield f"VerticalPodAutoscaler {today.vertical} sets requests itself: let one of them do it"
    for runtime in today.runtime:
        yield from _runtime(runtime, today.sizes, sizes)
    if today.ref.kind != "DaemonSet" and demand.replicas == 1 and (today.replicas or 1) == 1:
        yield "one replica: nothing else serves while new sizes restart it"
    if today.sizes.cores_limit is not None:
        periods = float(demand.periods.sum())
        held = float(demand.throttled.sum()) / periods if periods else 0.0
        if held >= 0.01:
            limit = cores_text(today.sizes.cores_limit)
            yield f"its limit of {limit} holds it back in {held:.0%} of periods: use may be higher"


def _runtime(runtime: Runtime, now: Sizes, sizes: Sizes) -> Iterator[str]:
    limit = sizes.memory_limit
    if limit is None:
        return
    match runtime.what:
        case "-Xmx" | "max-old-space-size":
            if runtime.bytes * _HEADROOM > limit:
                yield (
                    f"{runtime.what} lets the heap grow to {bytes_text(runtime.bytes)}, above what "
                    "was ever used: lower it with the limit"
                )
        case "GOMEMLIMIT":
            if runtime.bytes > 0.95 * limit:
                yield f"set GOMEMLIMIT to {int(0.9 * limit / MI)}MiB, below the limit"
        case _:
            share = runtime.percent or 25.0
            before = (
                f" (now {bytes_text(share / 100 * now.memory_limit)})" if now.memory_limit else ""
            )
            yield (
                f"the JVM's heap is {share:g} % of the limit: it becomes "
                f"{bytes_text(share / 100 * limit)}{before}; what was measured follows the limit"
            )


def doubts(demand: Demand, need: Need | None, kills: int | None, tried: bool) -> tuple[str, ...]:
    """Why advice is no surer than it is, the gravest first."""
    found = []
    if demand.days < 7:
        found.append(f"only {demand.days:.1f} days measured")
    elif demand.days < 14:
        found.append(f"{demand.days:.0f} days measured: one week or less twice")
    if need is not None and need.growth:
        found.append("it grows")
    if kills:
        found.append("the backtest still saw kills")
    if demand.kills:
        found.append("how much it wanted when it was killed is not known")
    if not tried:
        found.append("too short for a backtest")
    if demand.missing > 0.02:
        found.append(f"{demand.missing:.0%} of hours without samples")
    last = demand.cuts[-1].time if demand.cuts else demand.begin
    since = demand.begin + demand.hours * 3600 - last
    if demand.cuts and since < 2 * DAY:
        found.append("the last change is younger than two days")
    return tuple(found)


def with_targets(advised: Sequence[Advice]) -> list[Advice]:
    """The same, with the targets of autoscalers that keep their triggers. `advised` holds all
    containers of one workload: a target of the pod is a share of the sum of their requests.
    """
    if not any(one.today and one.today.scalers for one in advised):
        return list(advised)
    made = []
    for at, one in enumerate(advised):
        scalers = one.today.scalers if one.today else ()
        targets, lines = [], []
        for scaler in scalers:
            alone = bool(scaler.container)
            if (scaler.container != one.key.container) if alone else at > 0:
                continue
            parts = [one] if alone else list(advised)
            before = _asked([p.now for p in parts], scaler.resource)
            after = _asked([p.sizes or p.now for p in parts], scaler.resource)
            show = cores_text if scaler.resource == "cpu" else bytes_text
            if not before or not after:
                lines.append(
                    f"HPA {scaler.name} on {scaler.resource} {scaler.percent} % cannot work: "
                    f"a container asks for no {scaler.resource}"
                )
                continue
            trigger = before * scaler.percent / 100
            then = max(1, round(trigger / after * 100))
            if then == scaler.percent:
                continue
            targets.append(
                Target(
                    scaler.name, scaler.resource, scaler.percent, then, trigger, scaler.container
                )
            )
            lines.append(
                f"HPA on {scaler.resource} {scaler.percent} %: set averageUtilization {then} with "
                f"it, to keep its trigger ({show(trigger)})"
            )
        made.append(
            msgspec.structs.replace(one, targets=tuple(targets), cautions=(*lines, *one.cautions))
        )
    return made


def _asked(sizes: Sequence[Sizes], resource: str) -> float | None:
    """The sum of requests; None where one is missing."""
    values = [one.cores if resource == "cpu" else one.memory for one in sizes]
    return None if None in values else sum(value for value in values if value is not None)
