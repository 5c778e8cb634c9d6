"""The math library (not in Kubernetes): extremes, rounding, signs and bits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from martello.cel.equality import LISTS, NUMBERS
from martello.cel.types import BOOL, DOUBLE, DYN, INT, UINT, Library, Overload, Type, list_of
from martello.cel.values import INT_MIN, UINT_MAX, EvalError, UInt, type_name

_MOST_ARGUMENTS: Final = 16


def greatest(*args: Any) -> Any:
    """The greatest of some numbers or of one list of them; the first of equals."""
    return _extreme(args, lambda best, other: best < other)


def least(*args: Any) -> Any:
    """The least of some numbers or of one list of them; the first of equals."""
    return _extreme(args, lambda best, other: best > other)


def _extreme(args: tuple[Any, ...], worse: Callable[[Any, Any], bool]) -> Any:
    items = args[0] if len(args) == 1 and type(args[0]) in LISTS else args
    if not items:
        raise EvalError("the list of numbers must not be empty")
    for item in items:
        if type(item) not in NUMBERS:
            raise EvalError(f"a number is needed, not {type_name(item)}")
    best = items[0]
    for item in items[1:]:
        if worse(best, item):
            best = item
    return best


def _whole(operation: Callable[[float], int]) -> Callable[[float], float]:
    def rounded(value: float) -> float:
        return math.copysign(float(operation(value)), value) if math.isfinite(value) else value

    return rounded


ceil: Final = _whole(math.ceil)
floor: Final = _whole(math.floor)
trunc: Final = _whole(math.trunc)


def round_half_away(value: float) -> float:
    """To the nearest integer, halves away from zero."""
    if not math.isfinite(value) or abs(value) >= 2.0**52:
        return value
    whole = math.floor(abs(value))
    return math.copysign(float(whole + (abs(value) - whole >= 0.5)), value)


def absolute_int(value: int) -> int:
    """The absolute value; the least int has none."""
    if value == INT_MIN:
        raise EvalError("integer overflow")
    return abs(value)


def sign(value: Any) -> Any:
    """-1, 0 or 1, of the argument's type; NaN is its own sign."""
    if value != value:
        return value
    return type(value)((value > 0) - (value < 0))


def sqrt(value: Any) -> float:
    """The square root; NaN for a negative number."""
    return math.sqrt(value) if not value < 0 else math.nan


def _same(value: Any) -> Any:
    return value


def _wrap(value: int) -> int:
    value &= UINT_MAX
    return value - (1 << 64) if value >> 63 else value


def _shift(bits: int) -> int:
    if bits < 0:
        raise EvalError("a shift must not be negative")
    return min(bits, 64)


def _pairs(name: str, id: str, function: Callable[[int, int], int]) -> list[Overload]:
    def unsigned(one: UInt, other: UInt) -> UInt:
        return UInt(function(int(one), int(other)))

    return [
        Overload(name, f"{id}_int_int", (INT, INT), INT, function),
        Overload(name, f"{id}_uint_uint", (UINT, UINT), UINT, unsigned),
    ]


def _bits() -> list[Overload]:
    return [
        *_pairs("math.bitAnd", "math_bitAnd", lambda a, b: a & b),
        *_pairs("math.bitOr", "math_bitOr", lambda a, b: a | b),
        *_pairs("math.bitXor", "math_bitXor", lambda a, b: a ^ b),
        Overload("math.bitNot", "math_bitNot_int_int", (INT,), INT, lambda a: ~a),
        Overload(
            "math.bitNot", "math_bitNot_uint_uint", (UINT,), UINT, lambda a: UInt(UINT_MAX - a)
        ),
        Overload(
            "math.bitShiftLeft",
            "math_bitShiftLeft_int_int",
            (INT, INT),
            INT,
            lambda a, bits: _wrap(a << _shift(bits)),
        ),
        Overload(
            "math.bitShiftLeft",
            "math_bitShiftLeft_uint_int",
            (UINT, INT),
            UINT,
            lambda a, bits: UInt((int(a) << _shift(bits)) & UINT_MAX),
        ),
        Overload(
            "math.bitShiftRight",
            "math_bitShiftRight_int_int",
            (INT, INT),
            INT,
            lambda a, bits: _wrap((a & UINT_MAX) >> _shift(bits)),
        ),
        Overload(
            "math.bitShiftRight",
            "math_bitShiftRight_uint_int",
            (UINT, INT),
            UINT,
            lambda a, bits: UInt(int(a) >> _shift(bits)),
        ),
    ]


_NUMERIC: Final[tuple[Type, ...]] = (INT, UINT, DOUBLE)


def _extremes(name: str, function: Any) -> list[Overload]:
    label = name.replace(".", "_")
    made: list[Overload] = []
    for kind in _NUMERIC:
        made += (
            Overload(name, f"{label}_{kind.name}", (kind,), kind, function),
            Overload(name, f"{label}_list_{kind.name}", (list_of(kind),), kind, function),
        )
        for other in _NUMERIC:
            result = kind if kind is other else DYN
            id = f"{label}_{kind.name}_{other.name}"
            made.append(Overload(name, id, (kind, other), result, function))
    for count in range(3, _MOST_ARGUMENTS + 1):
        made.append(Overload(name, f"{label}_{count}", (DYN,) * count, DYN, function))
    return made


def _doubles() -> list[Overload]:
    table: tuple[tuple[str, Type, Any], ...] = (
        ("ceil", DOUBLE, ceil),
        ("floor", DOUBLE, floor),
        ("round", DOUBLE, round_half_away),
        ("trunc", DOUBLE, trunc),
        ("isInf", BOOL, math.isinf),
        ("isNaN", BOOL, math.isnan),
        ("isFinite", BOOL, math.isfinite),
        ("abs", DOUBLE, math.fabs),
    )
    return [
        Overload(f"math.{name}", f"math_{name}_double", (DOUBLE,), result, function)
        for name, result, function in table
    ]


LIBRARY: Final = Library(
    "math",
    (
        *_extremes("math.greatest", greatest),
        *_extremes("math.least", least),
        *_doubles(),
        Overload("math.abs", "math_abs_int", (INT,), INT, absolute_int),
        Overload("math.abs", "math_abs_uint", (UINT,), UINT, _same),
        *(
            Overload("math.sign", f"math_sign_{kind.name}", (kind,), kind, sign)
            for kind in _NUMERIC
        ),
        *(
            Overload("math.sqrt", f"math_sqrt_{kind.name}", (kind,), DOUBLE, sqrt)
            for kind in _NUMERIC
        ),
        *_bits(),
    ),
)
