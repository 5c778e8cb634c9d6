"""Advice on what containers should ask for: what is set, what should be, and what it would do.

Processor time in cores, memory in bytes; None is "not set" or "not known".
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from martello.core.resource import Ref

Level = Literal["high", "medium", "low"]
MI: Final = 2.0**20


class Key(msgspec.Struct, frozen=True, order=True):
    """A container of a workload, such as shop, deploy/web, app."""

    namespace: str
    workload: str
    container: str


class Sizes(msgspec.Struct, frozen=True):
    """Requests and limits of one container: cores and bytes; None: not set."""

    cores: float | None = None
    memory: float | None = None
    cores_limit: float | None = None
    memory_limit: float | None = None


class Tried(msgspec.Struct, frozen=True):
    """What became of it: kills; the share of time that pods spent above their request of processor
    time, and that they were held back; core-hours and GiB-hours asked for and not used. None: it
    cannot be said.
    """

    kills: int
    above: float | None
    throttled: float | None
    core_hours: float | None
    gib_hours: float | None


class Scaler(msgspec.Struct, frozen=True):
    """A target of a HorizontalPodAutoscaler that is a share of requests: of which resource, in per
    cent, and of which container alone (empty: of the whole pod).
    """

    name: str
    resource: str
    percent: int
    container: str = ""


class Runtime(msgspec.Struct, frozen=True):
    """How a program sizes its own memory: heap in bytes, or a share of the limit in per cent."""

    what: str  # -Xmx, MaxRAMPercentage, GOMEMLIMIT, max-old-space-size, java
    bytes: float = 0.0
    percent: float = 0.0


class Today(msgspec.Struct, frozen=True):
    """What is known of a container from the objects."""

    ref: Ref
    sizes: Sizes
    replicas: int | None = None
    scalers: tuple[Scaler, ...] = ()
    vertical: str = ""  # name and mode of a VerticalPodAutoscaler
    runtime: tuple[Runtime, ...] = ()
    sidecar: bool = False
    demands: str = ""  # the LimitRange or ResourceQuota that wants a limit of processor time


class Contender(msgspec.Struct, frozen=True):
    """One set of sizes that was tried: made from the part learned from, by the rule named."""

    who: str
    sizes: Sizes
    tried: Tried


class Backtest(msgspec.Struct, frozen=True):
    """What each rule would have done to the last part of the time."""

    learned: float  # days
    tried: float
    contenders: tuple[Contender, ...]

    def of(self, who: str) -> Contender | None:
        """One contender; None where it had nothing to say."""
        return next((one for one in self.contenders if one.who == who), None)


class Picture(msgspec.Struct, frozen=True, eq=False):
    """Use over time, by hour: the greatest memory of any pod in bytes, cores at the 95th
    percentile; NaN: not measured.
    """

    begin: float
    memory: Any  # float32
    cores: Any  # float64
    middle: int  # the hour from which on it was tried
    cuts: tuple[tuple[float, str], ...] = ()
    kills: tuple[float, ...] = ()


class Target(msgspec.Struct, frozen=True):
    """What an autoscaler's target becomes, so that it scales when it does today."""

    scaler: str
    resource: str
    now: int  # per cent
    then: int
    trigger: float  # cores or bytes of a pod
    container: str = ""


class Advice(msgspec.Struct, frozen=True):
    """Requests and limits for one container; `sizes` is None where `unassessed` says why."""

    key: Key
    now: Sizes
    sizes: Sizes | None = None
    unassessed: str = ""
    refused: str = ""  # who would not admit the sizes, and why
    doubt: str = ""  # why nobody knows whether they are admitted
    today: Today | None = None
    reasons: tuple[str, ...] = ()
    margin: float = 0.0  # of memory, above the peak that was seen
    backtest: Backtest | None = None
    level: Level = "low"
    because: tuple[str, ...] = ()  # why no surer
    cautions: tuple[str, ...] = ()
    targets: tuple[Target, ...] = ()
    days: float = 0.0
    replicas: int = 1
    counted: dict[str, int] = {}
    picture: Picture | None = None


def cores_text(cores: float | None) -> str:
    """`230m`, `2`; a dash where none is set."""
    if cores is None:
        return "\N{EN DASH}"
    milli = round(cores * 1000)
    return f"{milli // 1000}" if milli and not milli % 1000 else f"{milli}m"


def bytes_text(memory: float | None) -> str:
    """`448Mi`, `2Gi`; a dash where none is set."""
    if memory is None:
        return "\N{EN DASH}"
    mi = round(memory / MI)
    return f"{mi // 1024}Gi" if mi and not mi % 1024 else f"{mi}Mi"
