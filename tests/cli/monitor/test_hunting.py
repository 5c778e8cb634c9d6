"""What a hunt prints: every value that a query may give."""

from __future__ import annotations

import pyarrow as pa  # type: ignore[import-untyped]

from martello.cli.monitor.hunting import table_lines
from martello.report.model import Screen

NOON = 1_785_585_600_000_000_001  # with a nanosecond that Python cannot hold
FAR = 9_089_348_860_800_000_000  # microseconds: the year 290000


def test_nanoseconds_are_told_to_the_last_digit() -> None:
    times = pa.array([NOON], pa.timestamp("ns"))
    lists = pa.array([[NOON]], pa.list_(pa.timestamp("ns")))
    table = pa.table({"time": times, "all": lists, "n": [1]})
    head, row = table_lines(table, Screen())
    assert head.split() == ["time", "all", "n"]
    assert row.startswith("2026-08-01 12:00:00.000000001  ['2026-08-01 12:00:00.000000001']  1")


def test_whole_microseconds_stay_short() -> None:
    table = pa.table({"time": pa.array([NOON - 1], pa.timestamp("ns"))})
    assert list(table_lines(table, Screen())) == ["time", "2026-08-01 12:00:00"]


def test_years_that_python_does_not_know_are_no_error() -> None:
    table = pa.table({"time": pa.array([FAR], pa.timestamp("us")), "n": [7]})
    _, row = table_lines(table, Screen())
    assert str(FAR) in row
    assert row.endswith("7")
