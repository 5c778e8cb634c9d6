"""A trend is what chance does not explain; what always jumps is none."""

from __future__ import annotations

from math import exp
from random import Random

from martello.practices.monitor.trends import Key, trend, trends


def poisson(random: Random, mean: float) -> int:
    """A count of so many events by chance."""
    limit, count, product = exp(-mean), 0, random.random()
    while product > limit:
        product *= random.random()
        count += 1
    return count


def flat(seed: int, mean: float, hours: int = 24) -> list[int]:
    """A series of one rate."""
    random = Random(seed)
    return [poisson(random, mean) for _ in range(hours)]


def test_a_planted_trend_is_first_and_chance_is_none() -> None:
    series = {Key("requests", f"u{seed}"): flat(seed, 3 + seed % 40) for seed in range(300)}
    planted = Key("denied requests", "system:serviceaccount:ci:runner")
    series[planted] = [*flat(7, 4)[:15], *flat(8, 19)[:9]]
    found = trends(series)
    assert found[0].key == planted
    assert found[0].at in range(14, 17)
    assert 3 < found[0].times < 8
    assert len(found) == 1


def test_chance_alone_tells_nothing_in_thousands_of_series() -> None:
    series = {Key("x", str(seed)): flat(seed, (seed % 50) / 2 + 0.2) for seed in range(3_000)}
    assert len(trends(series)) <= 3


def test_what_always_jumps_is_no_trend() -> None:
    random = Random(3)
    bursts = [random.choice([0, 0, 0, 120, 90]) for _ in range(24)]
    assert trend(Key("jobs"), bursts) is None or trend(Key("jobs"), bursts).bits < 12  # type: ignore[union-attr]


def test_an_ordinary_day_is_none_where_other_days_are_known() -> None:
    day = [2] * 8 + [60] * 10 + [5] * 6
    busy = [poisson(Random(n), mean) for n, mean in enumerate(day)]
    assert trends({Key("requests"): busy})
    assert trends({Key("requests"): busy}, {Key("requests"): [float(n) for n in day]}) == []
    doubled = [*busy[:12], *(3 * n for n in busy[12:])]
    (found,) = trends({Key("requests"): doubled}, {Key("requests"): [float(n) for n in day]})
    assert found.at in range(11, 14)


def test_what_is_new_says_so_and_what_fell_comes_after() -> None:
    series = {
        Key("new"): [0] * 18 + [9, 12, 10, 11, 9, 12],
        Key("gone"): [40] * 12 + [0] * 12,
    }
    found = trends(series)
    assert [one.key.kind for one in found] == ["new", "gone"]
    assert found[0].new
    assert not found[1].up


def test_short_and_empty_series_are_told_of_nothing() -> None:
    assert trend(Key("x"), []) is None
    assert trend(Key("x"), [5, 100]) is None
    assert trend(Key("x"), [0] * 24) is None
