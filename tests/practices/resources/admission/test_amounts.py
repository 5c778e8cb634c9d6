"""Amounts: every spelling, rounded up to milli, added and printed as the API server does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from martello.cel.lib.quantity import parse
from martello.practices.resources.amounts import Malformed, amount, amounts, most, plus, read, text


@pytest.mark.parametrize(
    ("written", "milli", "printed"),
    [
        ("1", 1000, "1"),
        (1, 1000, "1"),
        (0.5, 500, "500m"),
        ("100m", 100, "100m"),
        ("1e-10", 1, "1e-3"),
        ("1n", 1, "1m"),
        ("1u", 1, "1m"),
        ("1500u", 2, "2m"),
        ("1k", 1_000_000, "1k"),
        ("1M", 1_000_000_000, "1M"),
        ("1G", 10**12, "1G"),
        ("1T", 10**15, "1T"),
        ("1P", 10**18, "1P"),
        ("1E", 10**21, "1E"),
        ("1Ki", 1_024_000, "1Ki"),
        ("1Mi", 1 << 20, "1Mi"),
        ("1Gi", 1 << 30, "1Gi"),
        ("1Ti", 1 << 40, "1Ti"),
        ("1Pi", 1 << 50, "1Pi"),
        ("1Ei", 1 << 60, "1Ei"),
        ("1.5Gi", 3 << 29, "1536Mi"),
        ("12e2", 1_200_000, "1200"),
        ("+2", 2000, "+2"),
        ("0", 0, "0"),
        (None, 0, "0"),
        (" 1 ", 1000, "1"),
    ],
)
def test_every_spelling(written: Any, milli: int, printed: str) -> None:
    factor = 1000 if str(written)[-2:] in ("Mi", "Gi", "Ti", "Pi", "Ei") else 1
    if written == "1.5Gi" or factor == 1000:
        milli *= 1000 if milli % 1000 or factor == 1000 else 1
    found = amount(written)
    assert found == milli
    assert found is not None
    assert text(found) == printed


@pytest.mark.parametrize("written", ["1 Gi", "", True, [1], "1ee3", "GiB", "--1", "1_0", "1e99999"])
def test_what_is_no_quantity(written: Any) -> None:
    with pytest.raises(Malformed, match="regular expression"):
        read({"memory": written})


def test_negative_amounts_are_read_and_refused_where_they_may_not_be() -> None:
    assert read({"cpu": "-1"}) == {"cpu": -1000}
    with pytest.raises(Malformed):
        amounts({"cpu": "-1"})


def test_sums_are_printed_as_their_first_part() -> None:
    binary, decimal, zero = amount("1Gi"), amount("1G"), amount("0")
    assert binary is not None
    assert decimal is not None
    assert zero is not None
    assert text(plus(binary, binary)) == "2Gi"
    assert text(plus(decimal, decimal)) == "2G"
    assert text(plus(zero, binary)) == "1Gi"
    assert text(plus(decimal, binary)) == "2073741824"
    assert most({"cpu": 1}, {"cpu": 2, "memory": 3}) == {"cpu": 2, "memory": 3}


_SPELLED = st.from_regex(r"\A[+-]?[0-9]{1,12}(\.[0-9]{1,12})?(n|u|m|k|M|G|T|Ki|Mi|Gi|e-?[0-9])?\Z")


@given(_SPELLED, _SPELLED)
def test_the_arithmetic_is_that_of_the_quantity(one: str, two: str) -> None:
    left, right = amount(one), amount(two)
    assert left is not None
    assert right is not None
    a, b = parse(one), parse(two)
    assert left == a.ceil(-3)
    if a.scale >= -3 and b.scale >= -3:
        assert plus(left, right) == (a + b).ceil(-3)
        assert (left > right) is (a > b)
        assert text(left) == str(a)
