"""Quantities: what the API server accepts and prints, and arithmetic against fractions."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from martello.cel.lib import quantity
from martello.cel.lib.quantity import Quantity, canonical, parse
from martello.cel.values import EvalError


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("0", "0"),
        ("0.5", "500m"),
        ("1.5", "1500m"),
        ("1000m", "1"),
        ("100m", "100m"),
        ("1024Mi", "1Gi"),
        ("1536Mi", "1536Mi"),
        ("1.5Gi", "1536Mi"),
        ("1023", "1023"),
        ("0.5Ki", "512"),
        ("0.1Ki", "102400m"),
        ("1025Ki", "1025Ki"),
        ("1000k", "1M"),
        ("1e3", "1e3"),
        ("1E3", "1e3"),
        ("12e2", "1200"),
        ("100000000000000000000", "100E"),
        ("5e-10", "1e-9"),
        ("1n", "1n"),
        ("-0.5", "-500m"),
        ("+1k", "1k"),
        ("16Ei", "9223372036854775807"),
        ("9223372036854775808", "9223372036854775808"),
    ],
)
def test_canonical(text: str, printed: str) -> None:
    assert canonical(parse(text)) == printed


def test_text_that_the_server_prints_unchanged() -> None:
    assert str(parse("1.500")) == "1.500"
    assert str(parse("+1")) == "+1"
    assert str(parse("1500m")) == "1500m"
    assert str(parse("1024Mi")) == "1Gi"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "200K",
            "1,3G",
            "Three",
            "1 ",
            " 1",
            "1Mm",
            "1e",
            "1e1e",
            "1ki",
            "0x1",
            "--1",
            "1.2.3",
        ),
        *("\uff11", "1e99999999999", "9" * 1001, "Pi", "e-12", "1i", "1e1.5"),
    ],
)
def test_refused(text: str) -> None:
    assert not quantity.is_quantity(text)
    with pytest.raises(EvalError):
        parse(text)


@pytest.mark.parametrize(
    ("text", "integer"),
    [
        ("50k", 50_000),
        ("50000000G", 50_000_000_000_000_000),
        ("9999999999999999999999999999999999999G", None),
        ("1000m", None),
        ("1.5Gi", None),
        ("1Gi", 1 << 30),
        ("1e19", None),
        ("0e4000", 0),
    ],
)
def test_integers(text: str, integer: int | None) -> None:
    assert parse(text).integer == integer


def call(id: str, *args: Any) -> Any:
    """Call the overload of an id."""
    return next(item for item in quantity.LIBRARY.overloads if item.id == id).function(*args)


def test_documented_expressions() -> None:
    assert call("quantity_add", parse("50k"), parse("20k")) == parse("70k")
    assert call("quantity_add_int", parse("50k"), 20) == parse("50020")
    assert call("quantity_sub_int", parse("50k"), 20_000) == parse("30k")
    assert call("quantity_get_float", parse("50.703k")) == 50_703.0
    assert call("quantity_compare_to", parse("200M"), parse("0.2G")) == 0
    assert call("quantity_is_less_than", parse("50M"), parse("50Mi")) is True
    assert call("quantity_is_greater_than", parse("150Mi"), parse("100Mi")) is True
    assert [call("quantity_sign", parse(text)) for text in ("-1", "0", "1n")] == [-1, 0, 1]
    assert call("quantity_is_integer", parse("2Ki")) is True
    with pytest.raises(EvalError):
        call("quantity_get_int", parse("1500m"))


def test_sums_outside_of_64_bits_are_exact_but_no_integers() -> None:
    total = parse("9223372036854775807") + parse("1")
    assert str(total) == "9223372036854775808"
    assert total.integer is None
    assert float(parse("1e5000")) == float("inf")


def test_rounding_up() -> None:
    assert parse("1m").ceil() == 1
    assert parse("1500m").ceil() == 2
    assert parse("1500m").ceil(-3) == 1500
    assert parse("-1500m").ceil() == -2
    assert parse("2k").ceil(3) == 2


SUFFIXES = {
    "": Fraction(1),
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
}
SUFFIXES |= {name: Fraction(1000) ** power for power, name in enumerate("kMGTPE", 1)}
SUFFIXES |= {f"{name}i": Fraction(1024) ** power for power, name in enumerate("KMGT", 1)}
AMOUNTS = st.tuples(
    st.integers(-(10**6), 10**6), st.integers(0, 3), st.sampled_from(sorted(SUFFIXES))
)


def exact(amount: Quantity) -> Fraction:
    """The value as a fraction."""
    scale = amount.scale
    return Fraction(amount.unscaled * 10 ** max(scale, 0), 10 ** max(-scale, 0))


def build(parts: tuple[int, int, str]) -> tuple[Quantity, Fraction]:
    """A quantity from its parts, and the value it must have: nothing is finer than a billionth."""
    number, places, suffix = parts
    digits = f"{abs(number):0{places + 1}d}"
    point = len(digits) - places
    text = f"{'-' if number < 0 else ''}{digits[:point]}.{digits[point:]}{suffix}"
    value = abs(Fraction(number, 10**places) * SUFFIXES[suffix]) * 10**9
    nanos = -(-value.numerator // value.denominator)
    return parse(text), Fraction(-nanos if number < 0 else nanos, 10**9)


@given(AMOUNTS, AMOUNTS)
def test_arithmetic_is_exact(one: tuple[int, int, str], two: tuple[int, int, str]) -> None:
    (left, left_value), (right, right_value) = build(one), build(two)
    assert exact(left) == left_value
    assert exact(left + right) == left_value + right_value
    assert exact(left - right) == left_value - right_value
    assert (left < right) == (left_value < right_value)
    assert (left <= right) == (left_value <= right_value)
    assert (left == right) == (left_value == right_value)
    assert left != right or hash(left) == hash(right)


@given(AMOUNTS)
def test_canonical_text_reads_back(parts: tuple[int, int, str]) -> None:
    amount, value = build(parts)
    assume(abs(value) < 10**20)  # from 10²¹ on the server prints no suffix at all
    assert parse(canonical(amount)) == amount
