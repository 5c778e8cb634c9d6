"""What advice is made of."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from martello.practices.resources.sizing.today import Today
from martello.practices.resources.sizing.trial import Sizes, Tried
from martello.practices.resources.usage.demand import Key

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Level = Literal["high", "medium", "low"]
MI: Final = 2.0**20
_LEAST_CORES: Final = 0.010
_LEAST_MEMORY: Final = 16 * MI
WHO: Final = ("advice", "today", "vpa", "krr")


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
    memory: NDArray[np.float32]
    cores: NDArray[np.float64]
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


def whole_cores(cores: float) -> float:
    """Cores rounded up to two digits, at least 10m."""
    milli = max(cores, _LEAST_CORES) * 1000
    step = 10.0 ** max(0, math.floor(math.log10(milli)) - 1)
    return math.ceil(milli / step - 1e-9) * step / 1000


def whole_bytes(memory: float) -> float:
    """Bytes rounded up to whole Mi, and at most by 1 or 2 per cent; at least 16Mi."""
    mi = max(memory, _LEAST_MEMORY) / MI
    step = 2.0 ** max(0, math.floor(math.log2(mi / 64)))
    return math.ceil(mi / step - 1e-9) * step * MI


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
