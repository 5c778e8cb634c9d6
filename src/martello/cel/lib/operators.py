"""The operators as overloads: arithmetic, comparison, membership and indexing, one small function
per operand type.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from martello.cel.equality import LISTS, equals, has_key, in_list, in_map
from martello.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    UINT,
    A,
    B,
    Library,
    Overload,
    Type,
    list_of,
    map_of,
    optional_of,
)
from martello.cel.values import (
    INT_MAX,
    INT_MIN,
    NONE,
    UINT_MAX,
    Duration,
    EvalError,
    Optional,
    Timestamp,
    UInt,
    key_of,
    type_name,
)

MAX_TEXT: Final = 1 << 20
MAX_ITEMS: Final = 100_000
FIRST_SECOND: Final = -62_135_596_800
LAST_SECOND: Final = 253_402_300_799


def _int(value: int) -> int:
    if INT_MIN <= value <= INT_MAX:
        return value
    raise EvalError("integer overflow")


def _uint(value: int) -> UInt:
    if 0 <= value <= UINT_MAX:
        return UInt(value)
    raise EvalError("unsigned integer overflow")


def span(nanos: int) -> Duration:
    """A duration, checked to be within ±2⁶³ nanoseconds."""
    if INT_MIN <= nanos <= INT_MAX:
        return Duration(nanos)
    raise EvalError("duration out of range")


def instant(total: int) -> Timestamp:
    """A timestamp from nanoseconds since 1970, checked to be within the years 0001 to 9999."""
    seconds, nanos = divmod(total, 1_000_000_000)
    if FIRST_SECOND <= seconds <= LAST_SECOND:
        return Timestamp(seconds, nanos)
    raise EvalError("timestamp out of range")


def concat(left: Any, right: Any) -> Any:
    """`+` on strings, bytes and lists, within the limit on a result's size."""
    if type(left) is not type(right):
        left, right = list(left), list(right)
    result = left + right
    if len(result) > (MAX_TEXT if type(result) in (str, bytes) else MAX_ITEMS):
        raise EvalError("cost: the result is too large")
    return result


def quotient(left: int, right: int) -> int:
    """Division truncated toward zero."""
    if right == 0:
        raise EvalError("division by zero")
    value = abs(left) // abs(right)
    return value if (left < 0) == (right < 0) else -value


def remainder(left: int, right: int) -> int:
    """Modulus with the sign of the dividend."""
    if right == 0:
        raise EvalError("modulus by zero")
    value = abs(left) % abs(right)
    return -value if left < 0 else value


def _divide(left: float, right: float) -> float:
    if right != 0.0:
        return left / right
    if left == 0.0 or math.isnan(left) or math.isnan(right):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def _negate(value: bool) -> bool:
    return not value


def position(index: Any, size: int) -> int:
    """A list index as an int in range; an integral double or a uint will do."""
    kind = type(index)
    if kind is float and index.is_integer():
        index = int(index)
    elif kind is not int and kind is not UInt:
        raise EvalError(f"a list has no index of type {type_name(index)}")
    if 0 <= index < size:
        return int(index)
    raise EvalError("index out of range")


def item_at(items: Any, index: Any) -> Any:
    """`items[index]` of a list."""
    return items[position(index, len(items))]


def value_at(items: Any, key: Any) -> Any:
    """`items[key]` of a map."""
    if not has_key(items, key):
        key_of(key)
        raise EvalError("no such key")
    return items[key]


def optional_at(items: Any, index: Any) -> Optional:
    """`items[?index]` of a list or a map."""
    if type(items) in LISTS:
        place = int(index) if type(index) is float and index.is_integer() else index
        if type(place) not in (int, UInt):
            raise EvalError(f"a list has no index of type {type_name(index)}")
        return Optional(items[place]) if 0 <= place < len(items) else NONE
    key_of(index)
    return Optional(items[index]) if has_key(items, index) else NONE


def through(find: Callable[[Any, Any], Optional]) -> Callable[[Any, Any], Optional]:
    """The same look-up through an optional."""

    def look(outer: Optional, index: Any) -> Optional:
        return find(outer.value, index) if outer.present else NONE

    return look


def size_cost(value: Any) -> int:
    """Size of a string, bytes, list or map; 1 for everything else."""
    return len(value) if hasattr(value, "__len__") else 1


def compare_cost(left: Any, right: Any, _result: Any) -> int:
    """A tenth of the smaller operand, rounded up, at least what a scalar costs."""
    return max(1, -(-min(size_cost(left), size_cost(right)) // 10))


def _concat_cost(left: Any, right: Any, _result: Any) -> int:
    return -(-(len(left) + len(right)) // 10)


def _in_cost(_item: Any, items: Any, _result: Any) -> int:
    return len(items)


_NUMERIC: Final = ((INT, "int64"), (UINT, "uint64"), (DOUBLE, "double"))
_TIMES: Final = ((TIMESTAMP, "timestamp"), (DURATION, "duration"))
_SCALARS: Final = (*_NUMERIC, *_TIMES)


def before(left: Any, right: Any) -> bool:
    """`left < right`; an int or uint is rounded to a double next to one, as cel-go does."""
    if type(left) is float or type(right) is float:
        return float(left) < float(right)
    return bool(left < right)


def not_after(left: Any, right: Any) -> bool:
    """`left <= right`, rounding alike."""
    if type(left) is float or type(right) is float:
        return float(left) <= float(right)
    return bool(left <= right)


def _ordering() -> list[Overload]:
    tests: tuple[tuple[str, str, Callable[[Any, Any], bool]], ...] = (
        ("_<_", "less", before),
        ("_<=_", "less_equals", not_after),
        ("_>_", "greater", lambda a, b: before(b, a)),
        ("_>=_", "greater_equals", lambda a, b: not_after(b, a)),
    )
    overloads: list[Overload] = []
    for name, word, test in tests:
        pairs = [(kind, kind, label) for kind, label in (*_SCALARS, (BOOL, "bool"))]
        pairs += [
            (one, two, f"{label}_{other}")
            for one, label in _NUMERIC
            for two, other in _NUMERIC
            if one is not two
        ]
        for one, two, label in pairs:
            overloads.append(Overload(name, f"{word}_{label}", (one, two), BOOL, test))
        for kind, label in ((STRING, "string"), (BYTES, "bytes")):
            overloads.append(
                Overload(name, f"{word}_{label}", (kind, kind), BOOL, test, cost=compare_cost)
            )
    return overloads


def _arithmetic() -> list[Overload]:
    overloads: list[Overload] = []

    def add(name: str, word: str, left: Type, right: Type, result: Type, function: Any) -> None:
        overloads.append(Overload(name, word, (left, right), result, function))

    add("_+_", "add_int64", INT, INT, INT, lambda a, b: _int(a + b))
    add("_-_", "subtract_int64", INT, INT, INT, lambda a, b: _int(a - b))
    add("_*_", "multiply_int64", INT, INT, INT, lambda a, b: _int(a * b))
    add("_/_", "divide_int64", INT, INT, INT, lambda a, b: _int(quotient(a, b)))
    add("_%_", "modulo_int64", INT, INT, INT, remainder)
    add("_+_", "add_uint64", UINT, UINT, UINT, lambda a, b: _uint(int(a) + int(b)))
    add("_-_", "subtract_uint64", UINT, UINT, UINT, lambda a, b: _uint(int(a) - int(b)))
    add("_*_", "multiply_uint64", UINT, UINT, UINT, lambda a, b: _uint(int(a) * int(b)))
    add("_/_", "divide_uint64", UINT, UINT, UINT, lambda a, b: UInt(quotient(a, b)))
    add("_%_", "modulo_uint64", UINT, UINT, UINT, lambda a, b: UInt(remainder(a, b)))
    add("_+_", "add_double", DOUBLE, DOUBLE, DOUBLE, lambda a, b: a + b)
    add("_-_", "subtract_double", DOUBLE, DOUBLE, DOUBLE, lambda a, b: a - b)
    add("_*_", "multiply_double", DOUBLE, DOUBLE, DOUBLE, lambda a, b: a * b)
    add("_/_", "divide_double", DOUBLE, DOUBLE, DOUBLE, _divide)
    time, length = TIMESTAMP, DURATION
    add(
        "_+_", "add_timestamp_duration", time, length, time, lambda a, b: instant(a.total + b.nanos)
    )
    add(
        "_+_", "add_duration_timestamp", length, time, time, lambda a, b: instant(a.nanos + b.total)
    )
    add(
        "_+_", "add_duration_duration", length, length, length, lambda a, b: span(a.nanos + b.nanos)
    )
    add(
        "_-_",
        "subtract_timestamp_timestamp",
        time,
        time,
        length,
        lambda a, b: span(a.total - b.total),
    )
    add(
        "_-_",
        "subtract_timestamp_duration",
        time,
        length,
        time,
        lambda a, b: instant(a.total - b.nanos),
    )
    add(
        "_-_",
        "subtract_duration_duration",
        length,
        length,
        length,
        lambda a, b: span(a.nanos - b.nanos),
    )
    for kind, label in ((STRING, "string"), (BYTES, "bytes")):
        overloads.append(
            Overload("_+_", f"add_{label}", (kind, kind), kind, concat, cost=_concat_cost)
        )
    add("_+_", "add_list", list_of(A), list_of(A), list_of(A), concat)
    overloads.append(Overload("-_", "negate_int64", (INT,), INT, lambda a: _int(-a)))
    overloads.append(Overload("-_", "negate_double", (DOUBLE,), DOUBLE, lambda a: -a))
    overloads.append(Overload("!_", "logical_not", (BOOL,), BOOL, _negate))
    return overloads


def _look_ups() -> list[Overload]:
    maybe = optional_of
    return [
        Overload("_==_", "equals", (A, A), BOOL, equals, cost=compare_cost),
        Overload(
            "_!=_", "not_equals", (A, A), BOOL, lambda a, b: not equals(a, b), cost=compare_cost
        ),
        Overload("@in", "in_list", (A, list_of(A)), BOOL, in_list, cost=_in_cost),
        Overload("@in", "in_map", (A, map_of(A, B)), BOOL, in_map),
        Overload("_[_]", "index_list", (list_of(A), INT), A, item_at),
        Overload("_[_]", "index_map", (map_of(A, B), A), B, value_at),
        Overload(
            "_[_]",
            "optional_list_index_int",
            (maybe(list_of(A)), INT),
            maybe(A),
            through(optional_at),
        ),
        Overload(
            "_[_]",
            "optional_map_index_value",
            (maybe(map_of(A, B)), A),
            maybe(B),
            through(optional_at),
        ),
        Overload("_[?_]", "list_optindex_optional_int", (list_of(A), INT), maybe(A), optional_at),
        Overload("_[?_]", "map_optindex_optional_value", (map_of(A, B), A), maybe(B), optional_at),
        Overload(
            "_[?_]",
            "optional_list_optindex_optional_int",
            (maybe(list_of(A)), INT),
            maybe(A),
            through(optional_at),
        ),
        Overload(
            "_[?_]",
            "optional_map_optindex_optional_value",
            (maybe(map_of(A, B)), A),
            maybe(B),
            through(optional_at),
        ),
    ]


LOGIC: Final = (
    ("_&&_", (BOOL, BOOL), BOOL),
    ("_||_", (BOOL, BOOL), BOOL),
    ("_?_:_", (BOOL, A, A), A),
    ("_?._", (DYN, STRING), optional_of(DYN)),
)
LIBRARY: Final = Library("operators", (*_arithmetic(), *_ordering(), *_look_ups()))
