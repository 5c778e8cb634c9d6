"""Samples that are wrong in every way that a source can be wrong: counted, and bounded."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from martello.practices.resources.usage.series import MOST_CORES, Last, clean, rates, uncovered

A = np.array


def test_order_doubles_and_what_is_no_number() -> None:
    counts: Counter[str] = Counter()
    times = A([30.0, 0.0, 60.0, 60.0, 90.0, 120.0, 150.0])
    values = A([2.0, 1.0, 3.0, 4.0, np.nan, np.inf, -1.0])
    found = clean(times, values, -1.0, 1e9, counts)
    assert found[0].tolist() == [0, 30, 60]
    assert found[1].tolist() == [1, 2, 4]
    assert counts == {"not a number, negative or absurd": 3, "out of order": 1, "twice": 1}


def test_the_edge_of_the_chunk_before_comes_once() -> None:
    counts: Counter[str] = Counter()
    found = clean(A([0.0, 30.0, 60.0]), A([1.0, 2.0, 3.0]), 30.0, 1e9, counts)
    assert found[0].tolist() == [60]
    assert counts["twice"] == 2


def test_rates_go_on_over_the_edge_of_chunks() -> None:
    counts: Counter[str] = Counter()
    whole = rates(A([0.0, 30.0, 60.0, 90.0]), A([0.0, 3.0, 9.0, 12.0]), None, counts)
    first = rates(A([0.0, 30.0]), A([0.0, 3.0]), None, counts)
    then = rates(A([60.0, 90.0]), A([9.0, 12.0]), Last(30.0, 3.0), counts)
    assert whole.rates.tolist() == [0.1, 0.2, 0.1]
    assert [*first.rates, *then.rates] == whole.rates.tolist()


def test_a_counter_that_begins_anew_is_a_restart() -> None:
    counts: Counter[str] = Counter()
    found = rates(A([0.0, 30.0, 60.0]), A([900.0, 903.0, 6.0]), None, counts)
    assert found.rates.tolist() == pytest.approx([0.1, 0.2])
    assert found.restarts.tolist() == [60.0]
    assert counts["counter restarted"] == 1


def test_a_counter_that_falls_a_little_does_not_add_all_of_it() -> None:
    counts: Counter[str] = Counter()
    found = rates(A([0.0, 30.0, 60.0]), A([90_000.0, 89_999.9, 90_003.0]), None, counts)
    assert found.rates.max() < 1
    assert counts["counter fell a little"] == 1


def test_no_rate_over_a_gap_and_none_above_what_nodes_have() -> None:
    counts: Counter[str] = Counter()
    found = rates(A([0.0, 900.0, 900.5, 930.0, 960.0]), A([0.0, 90, 91, 94, 1e9]), None, counts)
    assert len(found.rates) == 1
    assert found.rates.max() <= MOST_CORES
    assert counts["gap"] == 1
    assert counts["too close or too steep"] == 2


def test_random_faults_never_make_a_rate_that_cannot_be() -> None:
    rng = np.random.default_rng(7)
    for _ in range(200):
        count = int(rng.integers(1, 50))
        times = rng.choice(A([0, 1e-9, 30, 60, 1e12, -5, np.nan, 90.5]), count)
        values = rng.choice(A([0, 1, 1e18, np.nan, np.inf, -1, 5e3]), count)
        counts: Counter[str] = Counter()
        found = rates(*clean(times, values, -10.0, 2.0**62, counts), None, counts)
        assert np.isfinite(found.rates).all()
        assert (found.rates >= 0).all()
        assert (found.rates <= MOST_CORES).all()


def test_another_replica_only_fills_gaps() -> None:
    by = A([0.0, 30.0, 60.0, 300.0, 330.0])
    assert uncovered(A([15.0, 45.0, 150.0, 200.0, 315.0]), by).tolist() == [
        False,
        False,
        True,
        True,
        False,
    ]
    assert uncovered(A([1.0]), np.empty(0)).all()
