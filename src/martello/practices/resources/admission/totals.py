"""What the containers of a pod ask for together, as LimitRange and ResourceQuota add it up."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from martello.practices.resources.admission import versions
from martello.practices.resources.amounts import Amounts, Need, added, most

_LEVELLED = ("cpu", "memory")  # what a pod may ask for as a whole, beside huge pages


class Level(msgspec.Struct, frozen=True):
    """Requests and limits that are written on the pod itself."""

    requests: Amounts
    limits: Amounts


Side = Callable[[Need], Amounts]


def requests_of(need: Need) -> Amounts:
    """What one container asks for."""
    return need.requests


def limits_of(need: Need) -> Amounts:
    """What one container is limited to."""
    return need.limits


def summed(needs: Sequence[Need], side: Side, kubernetes: int) -> Amounts:
    """The sum over containers, or what one init container needs if that is more; sidecars stay,
    so that they add to both, from the version on that knows them.
    """
    if len(needs) == 1:
        return side(needs[0])
    stays = kubernetes >= versions.SIDECARS
    running = [side(n) for n in needs if n.role == "regular" or (stays and n.role == "sidecar")]
    found = added(running) if len(running) != 1 else running[0]
    staying: list[Amounts] = []
    for need in needs:
        if need.role == "regular":
            continue
        if stays and need.role == "sidecar":
            staying.append(side(need))
            found = most(found, added(staying))
        else:
            found = most(found, added([side(need), *staying]) if staying else side(need))
    return found


def shared(needs: Sequence[Need], side: Side) -> Amounts:
    """The sum as LimitRanges made it before 1.28: a resource counts only if every container names
    it, and all but processor time in whole units; an init container alone may introduce one.
    """
    regular = [side(need) for need in needs if not need.init]
    names = {name for part in regular for name in part}
    found: Amounts = {}
    for name in names:
        if all(name in part for part in regular):
            values = [part[name] for part in regular]
            found[name] = sum(v if name == "cpu" else -(-v // 1000) * 1000 for v in values)
    for need in needs:
        for name, milli in side(need).items() if need.init else ():
            if name not in found or milli > found[name]:
                found[name] = milli
    return found


def levelled(found: Amounts, given: Amounts) -> Amounts:
    """The sum with what the pod itself says in its place."""
    said = {k: v for k, v in given.items() if k in _LEVELLED or k.startswith("hugepages-")}
    return {**found, **said} if said else found


def pod_totals(
    needs: Sequence[Need], level: Level | None, overhead: Amounts, kubernetes: int
) -> tuple[Amounts, Amounts]:
    """Requests and limits of a pod as ResourceQuota counts them."""
    requests = summed(needs, requests_of, kubernetes)
    limits = summed(needs, limits_of, kubernetes)
    if level is not None and kubernetes >= versions.POD_LEVEL:
        requests = levelled(requests, level.requests)
        limits = levelled(limits, level.limits)
    if overhead and kubernetes >= versions.OVERHEAD:
        requests = added([requests, overhead])
        if kubernetes >= versions.OVERHEAD_OF_LIMITS:
            kept = {name: milli for name, milli in overhead.items() if limits.get(name)}
            limits = added([limits, kept])
        else:
            limits = added([limits, overhead])
    return requests, limits
