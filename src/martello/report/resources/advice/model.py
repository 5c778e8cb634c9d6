"""Advice on sizes as it is reported, and the sums over all of it."""

from __future__ import annotations

import msgspec

from martello.core.sizing import Advice, Contender

_NAMES = {"advice": "advice", "today": "today", "vpa": "VPA's rule", "krr": "KRR's rule"}


class Told(msgspec.Struct, frozen=True):
    """Everything that was found. `lost` says what could not be had of the measurements, `missing`
    what could not be read of the objects.
    """

    advices: tuple[Advice, ...]
    source: str
    days: float
    exit: int = 0
    reason: str = ""
    samples: int = 0
    lost: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    left: tuple[str, ...] = ()  # what was not written, since it would be refused
    folder: str = ""
    everything: bool = False

    @property
    def advised(self) -> tuple[Advice, ...]:
        """Those that something can be said about, the largest change of memory first."""
        found = [one for one in self.advices if one.sizes is not None]
        return tuple(sorted(found, key=lambda one: (-_change(one), one.key)))

    @property
    def unassessed(self) -> tuple[Advice, ...]:
        """Those that nothing can be said about."""
        return tuple(one for one in self.advices if one.sizes is None)

    @property
    def refused(self) -> tuple[str, ...]:
        """Workloads whose sizes the server would refuse, and why."""
        found = {f"{a.key.namespace}/{a.key.workload}": a.refused for a in self.advices}
        return tuple(f"{name}: {why}" for name, why in found.items() if why)

    def kills(self, who: str) -> int:
        """The kills of a contender over all backtests in which today's sizes took part too."""
        found = [one.backtest for one in self.advised if one.backtest]
        return sum(c.tried.kills for test in found if (c := test.of(who)) is not None)

    def freed(self) -> tuple[float, float]:
        """Cores and bytes that are asked for less than today, over all replicas."""
        cores = memory = 0.0
        for one in self.advised:
            if one.sizes is None:
                continue
            if one.now.cores is not None and one.sizes.cores is not None:
                cores += (one.now.cores - one.sizes.cores) * one.replicas
            if one.now.memory is not None and one.sizes.memory is not None:
                memory += (one.now.memory - one.sizes.memory) * one.replicas
        return cores, memory


def name(advice: Advice) -> str:
    """`shop/deploy/web app`."""
    return f"{advice.key.namespace}/{advice.key.workload} {advice.key.container}"


def called(contender: Contender) -> str:
    """Whose sizes they are, in words."""
    return _NAMES[contender.who]


def _change(one: Advice) -> float:
    """Bytes by which a request changes over all replicas; what has none today comes first."""
    if one.sizes is None or one.sizes.memory is None:
        return 0.0
    if one.now.memory is None:
        return one.sizes.memory * one.replicas * 1e3
    return abs(one.sizes.memory - one.now.memory) * one.replicas
