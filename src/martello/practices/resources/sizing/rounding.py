"""Sizes as people write them: rounded up, and not by much."""

from __future__ import annotations

import math
from typing import Final

from martello.core.sizing import MI

_LEAST_CORES: Final = 0.010
_LEAST_MEMORY: Final = 16 * MI


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
