"""Histograms: buckets as VPA's, merging, decay, and quantiles beside sorting."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from martello.core.errors import BadInput
from martello.practices.resources.usage.histogram import CPU, MEMORY, Buckets, Histogram

VALUES = st.lists(st.floats(0, 900), min_size=1, max_size=60)
DAY = 86_400.0


def _of(values: list[float], times: list[float] | None = None) -> Histogram:
    made = Histogram(CPU, DAY if times else math.inf)
    made.add(np.array(values), np.array(times) if times else None)
    return made


def test_buckets_are_those_of_the_vertical_pod_autoscaler() -> None:
    # first bucket 0.01 core or 10 MB, each 5 % wider, 176 of them: its aggregations_config.go
    assert (CPU.count, MEMORY.count) == (176, 176)
    assert np.allclose(CPU.starts[:4], [0, 0.01, 0.0205, 0.031525])
    assert MEMORY.starts[1] == pytest.approx(1e7)
    assert CPU.starts[-1] >= 1000 > CPU.starts[-2]


@pytest.mark.parametrize("buckets", [CPU, MEMORY], ids=["cpu", "memory"])
def test_each_value_lies_in_its_bucket_as_far_as_floats_go(buckets: Buckets) -> None:
    values = np.geomspace(buckets.first / 100, buckets.most * 0.99, 20_000)
    found = buckets.find(values)
    assert (buckets.starts[found] <= values * (1 + 1e-9)).all()
    assert (buckets.ends[found] >= values * (1 - 1e-9)).all()
    assert buckets.find(np.array([1e300, 0.0])).tolist() == [buckets.count - 1, 0]


@given(VALUES, st.floats(0.01, 1))
def test_a_quantile_is_that_of_sorting_within_one_bucket(values: list[float], share: float) -> None:
    exact = sorted(values)[max(0, math.ceil(share * len(values) * (1 - 1e-12)) - 1)]
    found = _of(values).quantile(share)
    assert found >= exact * (1 - 1e-9)
    assert found <= exact * 1.05 + 0.0101


@given(VALUES, VALUES, VALUES)
def test_merging_is_associative_and_commutative(
    one: list[float], two: list[float], three: list[float]
) -> None:
    a, b, c = _of(one), _of(two), _of(three)
    left, right = a.merge(b).merge(c), a.merge(b.merge(c))
    assert np.allclose(left.weights, right.weights)
    assert np.allclose(left.weights, _of([*three, *one, *two]).weights)


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(st.floats(0, 900), st.floats(1.7e9, 1.8e9)), min_size=2, max_size=40, unique=True
    ),
    st.integers(1, 39),
)
def test_merging_decayed_parts_is_adding_all(pairs: list[tuple[float, float]], at: int) -> None:
    at = min(at, len(pairs) - 1)
    values, times = [v for v, _ in pairs], [t for _, t in pairs]
    whole = _of(values, times)
    parts = _of(values[:at], times[:at]).merge(_of(values[at:], times[at:]))
    for share in (0.5, 0.9, 1.0):
        assert parts.quantile(share) == pytest.approx(whole.quantile(share))


def test_a_sample_weighs_half_after_its_half_life() -> None:
    made = _of([1.0, 10.0], [1.7e9, 1.7e9 + DAY])
    heavy, light = made.weights[CPU.find(np.array([10.0]))], made.weights[CPU.find(np.array([1.0]))]
    assert heavy == pytest.approx(2 * light)


def test_time_that_runs_for_years_overflows_nothing() -> None:
    made = Histogram(CPU, DAY)
    for year in range(40):
        made.add(np.array([1.0 + year]), np.array([1.7e9 + year * 365 * DAY]))
    assert np.isfinite(made.weights).all()
    assert made.quantile(0.9) == pytest.approx(CPU.ends[CPU.find(np.array([40.0]))[0]])


def test_histograms_of_other_kinds_do_not_merge() -> None:
    with pytest.raises(ValueError, match="kinds"):
        Histogram(CPU).merge(Histogram(MEMORY))


def test_an_empty_histogram_says_zero() -> None:
    made = Histogram(CPU)
    made.add(np.empty(0))
    assert (made.quantile(0.95), made.above(1.0)) == (0.0, 0.0)
    assert made.checkpoint()["bucketWeights"] == {}


@given(VALUES)
def test_a_checkpoint_brings_back_the_same_weights(values: list[float]) -> None:
    made = _of(values)
    raw = json.loads(json.dumps(made.checkpoint()))
    again = Histogram.of_checkpoint(raw, CPU)
    assert max(made.checkpoint()["bucketWeights"].values()) == 10_000
    assert again.weights.sum() == pytest.approx(made.weights.sum())
    assert np.allclose(again.weights, made.weights, atol=2e-4 * made.weights.sum())


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"bucketWeights": {"176": 1}, "totalWeight": 1},
        {"bucketWeights": {"-1": 1}, "totalWeight": 1},
        {"bucketWeights": {"1": 1}, "totalWeight": -1},
        {"bucketWeights": {"1": -1}, "totalWeight": 1},
        {"bucketWeights": {"1": "x"}, "totalWeight": 1},
        {"bucketWeights": [], "totalWeight": 1},
        {"bucketWeights": {"1": 1}, "totalWeight": float("inf")},
    ],
    ids=range(8),
)
def test_what_is_no_checkpoint_is_refused(raw: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        Histogram.of_checkpoint(raw, CPU)
