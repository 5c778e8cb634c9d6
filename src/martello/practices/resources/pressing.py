"""What is nearly spent: quotas, and containers near their limits or above what they ask for.

Facts for people and for monitor. Of containers they need measurements; what nobody measured is not
pressing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from martello.core.cluster import Cluster
from martello.practices.resources.admission.quotas import quotas
from martello.practices.resources.amounts import text
from martello.practices.resources.blast.caps import size

if TYPE_CHECKING:
    from martello.core.sizing import Sizes
    from martello.practices.resources.usage.demand import Demand

NEARLY: Final = 0.9  # of a quota or of a limit
_MOST: Final = 10**9  # thousandths of a quota: no more is told of what is overdrawn
LONG: Final = 0.5  # of the hours of the last week above the request
_WEEK: Final = 7 * 24  # hours
_DAY: Final = 24 * 12  # slots of five minutes


class Pressing(msgspec.Struct, frozen=True):
    """One thing: `of` is `shop/compute` or `shop/deploy/web/app`, `what` a key of a quota or a
    resource, `share` how much of the bound, or of the time.
    """

    kind: Literal["quota", "memory near limit", "cpu above request"]
    of: str
    what: str
    share: float
    says: str


def of_quotas(world: Cluster, namespace: str) -> Iterator[Pressing]:
    """Keys of quotas of which 90 % or more are taken. Raises Malformed."""
    for quota in quotas(world, namespace):
        name = quota.resource.ref.name
        for key, hard in quota.hard.items():
            used = quota.used.get(key, 0)
            if hard > 0 and used * 10 >= hard * int(NEARLY * 10):
                share = min(used * 1000 // hard, _MOST) / 1000
                says = f"{_amount(key, used)} of {_amount(key, hard)} ({share:.0%})"
                yield Pressing("quota", f"{namespace}/{name}", key, share, says)


def _amount(key: str, milli: int) -> str:
    if key.endswith(("memory", "storage")):
        return size(-(-milli // 1000))
    return text(milli)


def of_container(demand: Demand, now: Sizes) -> Iterator[Pressing]:
    """A container that came near its limit of memory in its last day, or that spent half of its
    last week above its request of processor time. `now` is what is set.
    """
    import numpy as np

    key = "/".join((demand.key.namespace, demand.key.workload, demand.key.container))
    _, end = demand.span
    peaks = demand.peaks[max(0, end * 12 - _DAY) : end * 12]
    if now.memory_limit and not np.isnan(peaks).all():
        most = float(np.nanmax(peaks))
        share = most / now.memory_limit
        if share >= NEARLY:
            says = f"{size(int(most))} of {size(int(now.memory_limit))} in its last day"
            yield Pressing("memory near limit", key, "memory", share, f"{says} ({share:.0%})")
    cores = demand.hourly_cores()[max(0, end - _WEEK) : end]
    seen = cores[~np.isnan(cores)]
    if now.cores and len(seen):
        above = float((seen > now.cores).mean())
        if above >= LONG:
            says = f"above {now.cores * 1000:.0f}m in {above:.0%} of the hours of its last week"
            yield Pressing("cpu above request", key, "cpu", above, says)
