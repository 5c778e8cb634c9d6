"""Replicas as one: the samples of one of them, holes filled by the others, counters never back."""

from __future__ import annotations

from collections.abc import Set

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from martello.adapters.prometheus.decode import Pair
from martello.adapters.prometheus.dedupe import Last, one, together
from martello.core.usage import Counts

A = Last("a", -30.0, -60.0)


def _scrapes(shift: float, missing: Set[int] = frozenset(), count: int = 20) -> Pair:
    times = np.array([30.0 * at + shift for at in range(count) if at not in missing])
    return times, times * 2


@given(st.floats(0.001, 29.999))
def test_a_shifted_replica_adds_nothing(shift: float) -> None:
    main = _scrapes(0)
    counts = Counts()
    (times, values), last = one({"a": main, "b": _scrapes(shift)}, None, counts, counter=True)
    whole = np.array_equal(times, main[0])
    # one more scrape at the end may be one that the first has missed
    assert whole or np.array_equal(times[:-1], main[0])
    assert np.array_equal(values, times * 2)
    assert last is not None
    assert last.replica == "a"


@given(st.floats(1, 29), st.sets(st.integers(2, 17), max_size=9))
def test_holes_are_filled_in_the_rhythm_of_a_scrape(shift: float, missing: set[int]) -> None:
    """As long as the first replica has half of them, it stays."""
    main = _scrapes(0, missing)
    (times, values), _ = one({"a": main, "b": _scrapes(shift)}, A, Counts(), counter=True)
    steps = np.diff(times)
    assert steps.max() <= 60
    assert steps.min() >= 15
    assert np.isin(main[0], times).all()
    assert (np.diff(values) >= 0).all()


def test_the_replica_of_before_goes_on_until_it_is_mostly_gone() -> None:
    thin = _scrapes(0, set(range(8, 20)))
    half = _scrapes(0, set(range(10, 20)))
    kept = one({"a": half, "b": _scrapes(5)}, A, Counts(), counter=False)[1]
    changed = one({"a": thin, "b": _scrapes(5)}, A, Counts(), counter=False)[1]
    assert kept is not None
    assert changed is not None
    assert (kept.replica, changed.replica) == ("a", "b")


def test_a_counter_that_another_replica_saw_go_back_is_not_believed() -> None:
    main, other = _scrapes(0, {9, 10, 11}), _scrapes(7)
    other[1][9:12] = (1.0, 620.0, 5000.0)
    (times, values), _ = one({"a": main, "b": other}, A, Counts(), counter=True)
    assert (np.diff(values) >= 0).all()
    assert 307.0 in times
    gauge, _ = one({"a": main, "b": other}, A, Counts(), counter=False)
    assert 5000.0 in gauge[1]


def test_nothing_is_nothing() -> None:
    none = np.empty(0)
    last = Last("a", 1.0, 2.0)
    (times, _), after = one({"a": (none, none)}, last, Counts(), counter=True)
    assert len(times) == 0
    assert after is last


def test_parts_are_summed_where_one_has_a_sample() -> None:
    times, values = together(
        [
            (np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.0, 4.0])),
            (np.array([2.0, 3.0]), np.array([10.0, 20.0])),
        ]
    )
    assert times.tolist() == [1.0, 2.0, 3.0, 4.0]
    assert values.tolist() == [1.0, 12.0, 20.0, 4.0]
