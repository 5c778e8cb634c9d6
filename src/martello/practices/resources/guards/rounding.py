"""Amounts rounded up to what people would write: 250m, 384Mi, 3Gi, 15."""

from __future__ import annotations

from typing import Final

_STEPS: Final = (10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100)
_MI: Final = 2**20
_LEAST: Final = 16  # Mi: smaller parts of memory nobody writes


def count(least: float) -> int:
    """A number: 1 to 10, then 12, 15, 20, 25, 30, 40, 50, 60, 80, 100 and their tenfolds."""
    whole = max(0, -int(-least // 1))
    if whole <= 10:
        return whole
    unit = 1
    while whole > 100 * unit:
        unit *= 10
    return next(step * unit for step in _STEPS if step * unit >= whole)


def cpu(least: float) -> int:
    """Thousandths of a core, at least 10."""
    whole = max(10, -int(-least // 1))
    if whole < 1000:
        return count(whole)
    return count(-(-whole // 100)) * 100 if whole <= 10_000 else count(-(-whole // 1000)) * 1000


def size(least: float) -> int:
    """Bytes: powers of two and the three steps between them, at least 16Mi."""
    whole = max(_LEAST, -int(-least // _MI))
    power = 1 << (whole.bit_length() - 1)
    if power == whole or power < 4:
        return whole * _MI
    return next(q * power // 4 for q in (5, 6, 7, 8) if q * power // 4 >= whole) * _MI


def written(name: str, milli: int) -> str:
    """An amount of a resource or of a key of a quota as it is written."""
    plain = name.removeprefix("requests.").removeprefix("limits.")
    if plain == "cpu":
        return str(milli // 1000) if milli % 1000 == 0 else f"{milli}m"
    whole = -(-milli // 1000)
    if plain not in ("memory", "ephemeral-storage", "storage"):
        return str(whole)
    for unit, letter in ((2**40, "Ti"), (2**30, "Gi"), (2**20, "Mi")):
        if whole and whole % unit == 0:
            return f"{whole // unit}{letter}"
    return str(whole)
