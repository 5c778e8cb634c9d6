"""Math, encoders and jsonpatch: documented cases and the edges of 64 bits."""

from __future__ import annotations

import math
from typing import Any

import pytest

from martello.cel.lib import encoders, jsonpatch
from martello.cel.lib import math as cel_math
from martello.cel.values import EvalError, UInt


def call(id: str, *args: Any) -> Any:
    """Call the overload of an id."""
    return next(item for item in cel_math.LIBRARY.overloads if item.id == id).function(*args)


CASES: list[tuple[str, tuple[Any, ...], Any]] = [
    ("math_greatest_int_double", (1, 1.5), 1.5),
    ("math_greatest_int_double", (1, 1.0), 1),
    ("math_greatest_list_int", ([1, 3, 2],), 3),
    ("math_greatest_3", (5.4, 10, UInt(3)), 10),
    ("math_least_uint", (UInt(4),), UInt(4)),
    ("math_least_3", (-1, -2.5, UInt(3)), -2.5),
    ("math_ceil_double", (1.2,), 2.0),
    ("math_floor_double", (-1.2,), -2.0),
    ("math_trunc_double", (-1.9,), -1.0),
    ("math_round_double", (-1.5,), -2.0),
    ("math_round_double", (2.5,), 3.0),
    ("math_round_double", (0.49999999999999994,), 0.0),
    ("math_abs_int", (-5,), 5),
    ("math_abs_double", (-0.5,), 0.5),
    ("math_sign_int", (-9,), -1),
    ("math_sign_uint", (UInt(7),), UInt(1)),
    ("math_sign_double", (-0.3,), -1.0),
    ("math_sqrt_int", (81,), 9.0),
    ("math_bitAnd_int_int", (-1, 5), 5),
    ("math_bitOr_uint_uint", (UInt(1), UInt(2)), UInt(3)),
    ("math_bitXor_int_int", (3, 5), 6),
    ("math_bitNot_int_int", (1,), -2),
    ("math_bitNot_uint_uint", (UInt(1),), UInt(2**64 - 2)),
    ("math_bitShiftLeft_int_int", (1, 63), -(2**63)),
    ("math_bitShiftLeft_int_int", (1, 64), 0),
    ("math_bitShiftLeft_uint_int", (UInt(3), 63), UInt(2**63)),
    ("math_bitShiftRight_int_int", (-1024, 3), 2305843009213693824),
    ("math_bitShiftRight_int_int", (-1, 0), -1),
    ("math_bitShiftRight_uint_int", (UInt(1024), 100), UInt(0)),
]


@pytest.mark.parametrize(("id", "args", "expected"), CASES)
def test_functions(id: str, args: tuple[Any, ...], expected: Any) -> None:
    result = call(id, *args)
    assert result == expected
    assert type(result) is type(expected)


def test_special_doubles() -> None:
    for id in ("ceil", "floor", "trunc", "round"):
        assert call(f"math_{id}_double", math.inf) == math.inf
        assert math.isnan(call(f"math_{id}_double", math.nan))
        assert math.copysign(1.0, call(f"math_{id}_double", -0.0)) == -1.0
    assert math.isnan(call("math_sqrt_double", -1.0))
    assert math.isnan(call("math_sign_double", math.nan))
    assert math.isnan(call("math_sqrt_double", math.nan))


@pytest.mark.parametrize(
    ("id", "args"),
    [
        ("math_abs_int", (-(2**63),)),
        ("math_bitShiftLeft_int_int", (1, -1)),
        ("math_bitShiftRight_uint_int", (UInt(1), -1)),
        ("math_greatest_list_int", ([],)),
        ("math_greatest_list_int", (["a"],)),
        ("math_least_3", (1, 2, "a")),
        ("math_least_3", (1, True, 2)),
    ],
)
def test_failures(id: str, args: tuple[Any, ...]) -> None:
    with pytest.raises(EvalError):
        call(id, *args)


def test_base64() -> None:
    assert encoders.encode(b"hello") == "aGVsbG8="
    for text in ("aGVsbG8=", "aGVsbG8", "aGVs\nbG8="):
        assert encoders.decode(text) == b"hello"
    for text in ("aGVsbG8==", "a", "aGVs!G8=", "aGVsbG8=x", "é", "YR==YQ=="):
        with pytest.raises(EvalError):
            encoders.decode(text)


def test_keys_of_a_json_pointer() -> None:
    assert jsonpatch.escape_key("k8s.io/my~label") == "k8s.io~1my~0label"
