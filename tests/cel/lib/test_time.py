"""Timestamps and durations: text, ranges, accessors and zones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from martello.cel.env import Env
from martello.cel.lib.time import (
    date_of,
    days_before,
    parse_duration,
    parse_timestamp,
    text_of_duration,
    text_of_timestamp,
)
from martello.cel.values import Duration, EvalError, Timestamp

SPEC = Env.spec()


@pytest.mark.parametrize(
    ("text", "nanos"),
    [
        ("0", 0),
        ("1h30m", 5_400_000_000_000),
        ("-1.5s", -1_500_000_000),
        ("+1us2µs3μs", 6_000),
        (".5ms", 500_000),
        ("1.s", 1_000_000_000),
        ("1ns", 1),
    ],
)
def test_durations_are_read_as_go_reads_them(text: str, nanos: int) -> None:
    assert parse_duration(text) == Duration(nanos)


@pytest.mark.parametrize("text", ["", "1", "-", "s", ".s", "1d", "1s ", "1e3s", "9223372037s"])
def test_text_that_is_no_duration(text: str) -> None:
    with pytest.raises(EvalError):
        parse_duration(text)


@given(st.integers(-(10**15), 10**15))
def test_the_text_of_a_duration_gives_it_back(nanos: int) -> None:
    assert parse_duration(text_of_duration(Duration(nanos))) == Duration(nanos)


@given(st.integers(-62_135_596_800, 253_402_300_799), st.integers(0, 999_999_999))
def test_the_text_of_a_timestamp_gives_it_back(seconds: int, nanos: int) -> None:
    moment = Timestamp(seconds, nanos)
    assert parse_timestamp(text_of_timestamp(moment)) == moment


@given(st.integers(-719_162, 2_932_896))
def test_dates_and_days_are_inverse(days: int) -> None:
    assert days_before(*date_of(days)) == days


@pytest.mark.parametrize(
    "text",
    [
        "2023-02-29T00:00:00Z",
        "2023-13-01T00:00:00Z",
        "2023-01-01T24:00:00Z",
        "2023-01-01T00:00:60Z",
        "2023-01-01 00:00:00Z",
        "2023-01-01T00:00:00",
        "0000-12-31T23:59:59Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
    ],
)
def test_text_that_is_no_timestamp(text: str) -> None:
    with pytest.raises(EvalError):
        parse_timestamp(text)


@pytest.mark.parametrize(
    ("call", "wanted"),
    [
        ("getFullYear()", 2009),
        ("getMonth()", 1),
        ("getDate()", 13),
        ("getDayOfMonth()", 12),
        ("getDayOfYear()", 43),
        ("getDayOfWeek()", 5),
        ("getHours()", 23),
        ("getMinutes()", 31),
        ("getSeconds()", 30),
        ("getMilliseconds()", 123),
        ("getDate('+05:30')", 14),
        ("getHours('-11:00')", 12),
        ("getHours('02:00')", 1),
        ("getHours('America/St_Johns')", 20),
        ("getMinutes('America/St_Johns')", 1),
    ],
)
def test_accessors(call: str, wanted: int) -> None:
    assert SPEC.compile(f"timestamp('2009-02-13T23:31:30.123Z').{call}")() == wanted


@pytest.mark.parametrize("zone", ["Nowhere/Land", "../etc/passwd", "/etc/passwd", "x" * 300])
def test_an_unknown_zone_is_an_error(zone: str) -> None:
    with pytest.raises(EvalError):
        SPEC.compile(f"timestamp(0).getHours('{zone}')")()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("duration('-90m').getHours()", -1),
        ("duration('90m').getMinutes()", 90),
        ("duration('1.234s').getMilliseconds()", 234),
        ("timestamp(0) + duration('1s') == timestamp(1)", True),
        ("timestamp(5) - timestamp(3) == duration('2s')", True),
        ("duration('1s') < duration('1001ms')", True),
        ("int(timestamp('1970-01-01T00:01:00Z'))", 60),
        ("string(timestamp('2020-01-01T00:00:00.500+01:00'))", "2019-12-31T23:00:00.5Z"),
    ],
)
def test_arithmetic(text: str, wanted: object) -> None:
    assert SPEC.compile(text)() == wanted
