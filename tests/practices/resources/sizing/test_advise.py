"""Advice on containers whose use is known: what it is, what it rests on, when there is none."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from martello.core.resource import Ref
from martello.core.sizing import Sizes, Today, bytes_text, cores_text
from martello.core.usage import Chunk, Metric, Owned
from martello.practices.resources.sizing import families, peers
from martello.practices.resources.sizing.advise import HORIZON, advise
from martello.practices.resources.sizing.margin import DAYS, Tail, margin, tail
from martello.practices.resources.sizing.memory import Need, need
from martello.practices.resources.sizing.processor import busiest
from martello.practices.resources.sizing.rounding import whole_bytes, whole_cores
from martello.practices.resources.sizing.trial import halves, tried
from martello.practices.resources.usage.demand import DAY, HOUR, Cut, Demand, Kill
from martello.practices.resources.usage.gather import gather, window

BEGIN = families.BEGIN
MI = 2.0**20
_KEPT: dict[tuple[str, int], Demand] = {}


def _demand(family: str, seed: int = 3) -> Demand:
    if (family, seed) not in _KEPT:
        chunks = families.chunks(family, seed, hours=240)
        _KEPT[family, seed] = next(iter(gather(chunks, window(BEGIN, BEGIN + 30 * DAY))))
    return _KEPT[family, seed]


def _need(demand: Demand) -> Need:
    found = need(demand, HORIZON)
    assert found is not None
    return found


def _made(hours: float, memory: float = 100 * MI, skip: tuple[float, float] = (0, 0)) -> Demand:
    times = BEGIN + 1.0 + np.arange(0, hours * HOUR, 60.0)
    times = times[(times < BEGIN + skip[0] * HOUR) | (times >= BEGIN + skip[1] * HOUR)]
    of = Owned("a", "db-0", "db", "sts/db")
    values: dict[Metric, object] = {"cpu": (times - BEGIN) * 0.1, "memory": times * 0 + memory}
    chunks = [Chunk(of, metric, times, v) for metric, v in values.items()]
    return next(iter(gather(chunks, window(BEGIN, BEGIN + hours * HOUR))))


def _scaled(demand: Demand, factor: float) -> Demand:
    return msgspec.structs.replace(
        demand,
        peaks=demand.peaks * np.float32(factor),
        stepped=demand.stepped * np.float32(factor),
        memory=demand.memory * factor,
        daily=(demand.daily[0], demand.daily[1] * factor),
    )


@pytest.mark.parametrize("family", families.FAMILIES)
@pytest.mark.parametrize("factor", [0.25, 3.0, 1000.0])
def test_a_workload_so_many_times_as_large_gets_so_many_times_as_much(
    family: str, factor: float
) -> None:
    demand = _demand(family)
    assert _need(_scaled(demand, factor)).memory == pytest.approx(
        factor * _need(demand).memory, rel=1e-3
    )


@pytest.mark.parametrize("family", families.FAMILIES)
def test_memory_is_never_below_what_was_seen_at_the_level_of_today(family: str) -> None:
    found = _need(_demand(family))
    assert found.memory >= found.peak


@given(st.floats(0.0, 2.0), st.floats(0.0, 2.0), st.floats(0.01, 0.9), st.floats(0.1, 4.0))
def test_the_margin_grows_with_how_peaks_differ_with_risk_and_with_price(
    one: float, other: float, record: float, price: float
) -> None:
    low, high = sorted((one, other))
    assert margin(Tail(low, 5.0), record, price) <= margin(Tail(high, 5.0), record, price) + 1e-12
    seen = Tail(low, 5.0)
    assert margin(seen, record / 2, price) <= margin(seen, record, price) + 1e-12
    assert margin(seen, record, price) <= margin(seen, record, 2 * price) + 1e-12


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=40), st.floats(-2, 2))
def test_the_tail_does_not_know_how_large_peaks_are(logs: list[float], shift: float) -> None:
    one, other = tail(np.array(logs), DAYS), tail(np.array(logs) + shift, DAYS)
    assert one.total == pytest.approx(other.total, abs=1e-9)
    assert one.number == other.number


@settings(max_examples=30)
@given(st.floats(1e7, 1e10), st.floats(1e7, 1e10))
def test_a_smaller_limit_never_has_fewer_kills_nor_more_waste(one: float, other: float) -> None:
    low, high = sorted((one, other))
    small = tried(_demand("bursty"), Sizes(memory=low, memory_limit=low))
    large = tried(_demand("bursty"), Sizes(memory=high, memory_limit=high))
    assert small.kills >= large.kills
    assert (small.gib_hours or 0) <= (large.gib_hours or 0)


def test_a_kill_asks_for_a_fifth_or_100_mi_more_than_the_limit() -> None:
    for limit, wanted in ((200 * MI, 300 * MI), (4096 * MI, 1.2 * 4096 * MI)):
        demand = msgspec.structs.replace(
            _made(72, memory=150 * MI), kills=(Kill(BEGIN + HOUR, limit),)
        )
        found = _need(demand)
        assert found.memory == pytest.approx(wanted)
        assert found.reason == "kill"
        assert "killed at" in " ".join(advise(demand).reasons)


def test_a_kill_at_an_unknown_limit_is_one_at_todays_or_at_what_was_in_use() -> None:
    demand = msgspec.structs.replace(_made(72), kills=(Kill(BEGIN + HOUR * 5, None),))
    ref = Ref("", "apps/v1", "StatefulSet", "a", "db")
    now = Today(ref, Sizes(memory=64 * MI, memory_limit=256 * MI))
    for today, wanted in ((now, 356), (None, 200)):
        sizes = advise(demand, today).sizes
        assert sizes is not None
        assert sizes.memory is not None
        assert sizes.memory / MI == pytest.approx(wanted, abs=4)


def test_what_was_killed_in_the_part_tried_wanted_more_than_its_limit() -> None:
    limit = 150 * MI
    demand = msgspec.structs.replace(_made(72), kills=(Kill(BEGIN + 50 * HOUR, limit),))
    assert tried(demand, Sizes(memory_limit=limit)).kills == 1
    assert tried(demand, Sizes(memory_limit=limit * 1.01)).kills == 0


@pytest.mark.parametrize(("hours", "level"), [(30, "low"), (24 * 10, "medium"), (24 * 20, "high")])
def test_confidence_grows_with_days(hours: int, level: str) -> None:
    made = advise(_made(hours))
    assert made.sizes is not None
    assert made.level == level
    assert bool(made.because) == (level != "high")


def test_less_than_a_day_is_not_enough() -> None:
    made = advise(_made(20))
    assert made.sizes is None
    assert made.unassessed == "not enough data: 20 hours, a day is the least"


def test_gaps_of_more_than_a_tenth_say_nothing_but_for_jobs() -> None:
    demand = _made(72, skip=(20, 40))
    assert "no data in 28% of the hours" in advise(demand).unassessed
    job = msgspec.structs.replace(
        demand, key=msgspec.structs.replace(demand.key, workload="cronjob/x")
    )
    assert advise(job).sizes is not None


def test_no_memory_or_no_processor_time_is_said_as_such() -> None:
    demand = _made(72)
    none = np.zeros(demand.hours)
    assert "memory" in advise(msgspec.structs.replace(demand, held=none)).unassessed
    assert "processor" in advise(msgspec.structs.replace(demand, ran=none)).unassessed


def test_the_reasons_name_what_decides() -> None:
    assert "at start-up" in " ".join(advise(_demand("start-up")).reasons)
    weekly = advise(_demand("weekly"))
    assert "how weeks differ" in " ".join(weekly.reasons)
    assert "busiest hours of the week" in " ".join(weekly.reasons)
    leak = advise(_demand("leak"))
    assert leak.level == "low"
    assert any("look for the leak" in one for one in leak.cautions)


def test_the_last_template_sets_the_level() -> None:
    demand = _demand("rollout", 0)
    assert demand.cuts
    without = msgspec.structs.replace(demand, cuts=())
    series = families.series("rollout", 0)
    after = series.times >= series.rolled[0]
    relation = np.median(series.memory[after]) / np.median(series.memory[~after])
    found = _need(demand)
    assert found.levelled
    assert (found.memory < _need(without).memory) == (relation < 1)
    late = msgspec.structs.replace(
        demand, cuts=(Cut(demand.begin + (demand.hours - 5) * HOUR, "new template"),)
    )
    assert not _need(late).levelled  # five hours set no level


def test_processor_time_is_that_of_the_busy_hours() -> None:
    demand = _demand("daily")
    found = busiest(demand)
    assert found is not None
    assert found.weekly
    assert found.cores > demand.cpu().quantile(0.9)
    test = advise(demand).backtest
    mine = test.of("advice") if test else None
    assert mine is not None
    assert mine.tried.above is not None
    assert mine.tried.above < 0.05


def test_learning_does_not_look_at_what_is_tried() -> None:
    demand = _demand("bursty")
    parts = halves(demand)
    assert parts is not None
    learned, rest = parts
    spoiled = demand.peaks.copy()
    spoiled[learned.hours * 12 :] *= 7
    other = advise(msgspec.structs.replace(demand, peaks=spoiled)).backtest
    mine = advise(demand).backtest
    assert mine is not None
    assert other is not None
    for who in ("advice", "vpa", "krr"):
        one, two = mine.of(who), other.of(who)
        assert one is not None
        assert two is not None
        assert one.sizes == two.sizes
    assert rest.hours + learned.hours == demand.hours


def test_the_rules_of_peers_by_hand() -> None:
    # 15 days of 1 GiB, then one of 3 GiB: VPA's 90th percentile of decayed peaks is of the last
    # day (half of all weight), KRR's the greatest of 14 days; both + 15 %
    times = BEGIN + np.arange(0, 16 * DAY, 60.0)
    memory = np.where(times < BEGIN + 15 * DAY, 1024 * MI, 3072 * MI)
    of = Owned("a", "db-0", "db", "sts/db")
    chunks = [Chunk(of, "cpu", times, (times - BEGIN) * 0.5), Chunk(of, "memory", times, memory)]
    demand = next(iter(gather(chunks, window(BEGIN, BEGIN + 16 * DAY))))
    krr, vpa = peers.krr(demand), peers.vpa(demand)
    assert krr.memory == pytest.approx(3072 * MI * 1.15)
    assert krr.cores == pytest.approx(0.5, rel=0.06)
    assert vpa.memory is not None
    assert 1.15 * 3072 * MI <= vpa.memory <= 1.15 * 1.05 * 3072 * MI + 1e7
    assert vpa.cores == pytest.approx(0.575, rel=0.06)
    killed = msgspec.structs.replace(demand, kills=(Kill(BEGIN + 15.9 * DAY, 4096 * MI),))
    bumped = peers.vpa(killed).memory
    assert bumped is not None
    assert bumped >= 1.15 * 1.2 * 4096 * MI
    tiny = peers.vpa(_scaled(demand, 1e-3))
    assert tiny.memory == 250 * MI


def test_steps_of_75_seconds_miss_peaks_of_30() -> None:
    times = BEGIN + np.arange(0, DAY, 30.0)
    memory = np.full(len(times), 1e9)
    memory[1001] = 3e9  # between two steps
    of = Owned("a", "db-0", "db", "sts/db")
    demand = next(iter(gather([Chunk(of, "memory", times, memory)], window(BEGIN, BEGIN + DAY))))
    assert float(np.nanmax(demand.peaks)) == pytest.approx(3e9)
    assert float(np.nanmax(demand.stepped)) == pytest.approx(1e9)


@pytest.mark.parametrize(
    ("cores", "text"), [(0.0001, "10m"), (0.212, "220m"), (1.0, "1"), (1.01, "1100m"), (12.3, "13")]
)
def test_cores_are_rounded_up_to_two_digits(cores: float, text: str) -> None:
    assert cores_text(whole_cores(cores)) == text


@pytest.mark.parametrize(
    ("mi", "text"), [(1, "16Mi"), (100.2, "101Mi"), (446.2, "448Mi"), (1023.9, "1Gi")]
)
def test_bytes_are_rounded_up_a_little(mi: float, text: str) -> None:
    assert bytes_text(whole_bytes(mi * MI)) == text


@given(st.floats(1e3, 1e13))
def test_rounding_never_goes_down_and_hardly_up(memory: float) -> None:
    made = whole_bytes(memory)
    assert made >= memory * (1 - 1e-9)
    assert made <= max(memory * 1.04 + MI, 16 * MI)
