"""The standard functions: size, conversions, string tests, types."""

from __future__ import annotations

import re
from typing import Any, Final

from martello.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DYN,
    INT,
    NULL,
    STRING,
    UINT,
    A,
    B,
    Library,
    Overload,
    Type,
    list_of,
    map_of,
    type_of,
)
from martello.cel.values import (
    INT_MAX,
    INT_MIN,
    TYPE_NAMES,
    UINT_MAX,
    EvalError,
    LazyMap,
    Struct,
    TypeValue,
    UInt,
)

_TRUE: Final = frozenset(("1", "t", "T", "true", "TRUE", "True"))
_FALSE: Final = frozenset(("0", "f", "F", "false", "FALSE", "False"))
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,40}")
_DOUBLE: Final = re.compile(
    r"[+-]?(?:[0-9]+\.?[0-9]*(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?|(?i:inf(?:inity)?|nan))"
)


def size(value: Any) -> int:
    """Code points of a string, octets of bytes, items of a list or map."""
    return len(value)


def _int_of_double(value: float) -> int:
    if -9223372036854775808.0 < value < 9223372036854775808.0:
        return int(value)
    raise EvalError("this double is out of the range of int")


def _int_of_uint(value: UInt) -> int:
    if value <= INT_MAX:
        return int(value)
    raise EvalError("this uint is out of the range of int")


def _int_of_string(text: str) -> int:
    if _INTEGER.fullmatch(text):
        value = int(text)
        if INT_MIN <= value <= INT_MAX:
            return value
    raise EvalError("this string is no int")


def _uint_of_double(value: float) -> UInt:
    if 0.0 <= value < 18446744073709551616.0:
        return UInt(value)
    raise EvalError("this double is out of the range of uint")


def _uint_of_int(value: int) -> UInt:
    if value >= 0:
        return UInt(value)
    raise EvalError("a negative int is no uint")


def _uint_of_string(text: str) -> UInt:
    if _INTEGER.fullmatch(text) and text[0] not in "+-":
        value = int(text)
        if value <= UINT_MAX:
            return UInt(value)
    raise EvalError("this string is no uint")


def _double_of_string(text: str) -> float:
    if len(text) <= 1000 and _DOUBLE.fullmatch(text):
        return float(text)
    raise EvalError("this string is no double")


def _bool_of_string(text: str) -> bool:
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise EvalError("this string is no bool")


def text_of_double(value: float) -> str:
    """The shortest digits that read back as the same double, with an exponent from 1e+06 on and
    below 1e-4.
    """
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    sign = "-" if str(value).startswith("-") else ""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    if not digits:
        return sign + "0"
    scale = point - 1
    if scale < -4 or scale >= 6:
        tail = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{tail}e{'-' if scale < 0 else '+'}{abs(scale):02d}"
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    if point >= len(digits):
        return sign + digits + "0" * (point - len(digits))
    return f"{sign}{digits[:point]}.{digits[point:]}"


def _text_of_bytes(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise EvalError("these bytes are no UTF-8") from None


def text_of_bool(value: bool) -> str:
    """`true` or `false`."""
    return "true" if value else "false"


def type_value(value: Any) -> TypeValue:
    """The type of a value, as a value."""
    name = TYPE_NAMES.get(type(value))
    if name is None:
        if isinstance(value, LazyMap):
            name = "map"
        elif isinstance(value, Struct):
            name = value.name
        else:
            name = str(getattr(type(value), "cel_type", type(value).__name__))
    return TypeValue(name)


def matches(text: str, pattern: str) -> bool:
    """True when the RE2 pattern is found anywhere in the text."""
    from martello.cel.lib.regex import matches as search

    return bool(search(text, pattern))


def _same(value: Any) -> Any:
    return value


def _tenth(value: Any, *_rest: Any) -> int:
    return -(-len(value) // 10)


def _contains_cost(text: str, part: str, _result: Any) -> int:
    return -(-len(text) // 10) * -(-len(part) // 10)


def _match_cost(text: str, pattern: str, _result: Any) -> int:
    return -(-(len(text) + 1) // 10) * -(-len(pattern) // 4)


def _conversions() -> list[Overload]:
    table: tuple[tuple[str, Type, Type, Any], ...] = (
        ("int", INT, INT, _same),
        ("int", UINT, INT, _int_of_uint),
        ("int", DOUBLE, INT, _int_of_double),
        ("int", STRING, INT, _int_of_string),
        ("uint", UINT, UINT, _same),
        ("uint", INT, UINT, _uint_of_int),
        ("uint", DOUBLE, UINT, _uint_of_double),
        ("uint", STRING, UINT, _uint_of_string),
        ("double", DOUBLE, DOUBLE, _same),
        ("double", INT, DOUBLE, float),
        ("double", UINT, DOUBLE, float),
        ("double", STRING, DOUBLE, _double_of_string),
        ("bool", BOOL, BOOL, _same),
        ("bool", STRING, BOOL, _bool_of_string),
        ("string", STRING, STRING, _same),
        ("string", INT, STRING, str),
        ("string", UINT, STRING, lambda value: str(int(value))),
        ("string", DOUBLE, STRING, text_of_double),
        ("string", BOOL, STRING, text_of_bool),
        ("bytes", BYTES, BYTES, _same),
    )
    made = [
        Overload(name, f"{source.name}_to_{name}", (source,), result, function)
        for name, source, result, function in table
    ]
    made.append(
        Overload("string", "bytes_to_string", (BYTES,), STRING, _text_of_bytes, cost=_tenth)
    )
    made.append(Overload("bytes", "string_to_bytes", (STRING,), BYTES, str.encode, cost=_tenth))
    made.append(Overload("dyn", "to_dyn", (A,), DYN, _same, cost=lambda *_: 0))
    made.append(Overload("type", "type", (A,), type_of(A), type_value))
    return made


def _sizes() -> list[Overload]:
    kinds = ((STRING, "string"), (BYTES, "bytes"), (list_of(A), "list"), (map_of(A, B), "map"))
    return [
        Overload(
            "size",
            f"{label}_size" if member else f"size_{label}",
            (kind,),
            INT,
            size,
            member=member,
        )
        for kind, label in kinds
        for member in (False, True)
    ]


def _texts() -> list[Overload]:
    two = (STRING, STRING)
    return [
        Overload(
            "contains",
            "contains_string",
            two,
            BOOL,
            str.__contains__,
            member=True,
            cost=_contains_cost,
        ),
        Overload(
            "startsWith",
            "starts_with_string",
            two,
            BOOL,
            str.startswith,
            member=True,
            cost=_tenth,
        ),
        Overload("endsWith", "ends_with_string", two, BOOL, str.endswith, member=True, cost=_tenth),
        Overload("matches", "matches", two, BOOL, matches, cost=_match_cost),
        Overload("matches", "matches_string", two, BOOL, matches, member=True, cost=_match_cost),
    ]


LIBRARY: Final = Library(
    "standard",
    (*_conversions(), *_sizes(), *_texts()),
    types={kind.name: kind for kind in (INT, UINT, DOUBLE, BOOL, STRING, BYTES, NULL)}
    | {
        "list": Type("list", (DYN,)),
        "map": Type("map", (DYN, DYN)),
        "type": Type("type", (DYN,)),
    },
)
