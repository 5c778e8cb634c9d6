"""Use beyond what is usual: what is told and what is not, and an evaluator that forgets nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from msgspec.structs import replace

from martello.core.usage import Chunk, Metric, Owned
from martello.practices.resources.sizing import families
from martello.practices.resources.usage.beyond import (
    DAY,
    DAYS,
    FACTOR,
    LEAST,
    RECENT,
    ROOM,
    SLOT,
    Excess,
    Usual,
)

BEGIN = 20_000 * DAY  # a midnight
WEB = Owned("shop", "web-1-bbbbb", "app", "deploy/web")


def chunk(
    times: Sequence[float] | np.ndarray,
    values: Sequence[float] | np.ndarray,
    of: Owned = WEB,
    metric: Metric = "cores",
    series: str = "",
) -> Chunk:
    return Chunk(of, metric, np.asarray(times, float), np.asarray(values, float), series=series)


def ends(begin: float, hours: float) -> np.ndarray:
    """The ends of the slots of so many hours."""
    return begin + SLOT * np.arange(1, int(hours * 4) + 1)


def known(
    days: int = LEAST, cores: float = 0.3, metric: Metric = "cores", of: Owned = WEB
) -> Usual:
    """Days of steady use before BEGIN."""
    usual = Usual()
    times = ends(BEGIN - days * DAY, days * 24)
    assert not list(
        usual.take(chunk(times, np.full(len(times), cores), of, metric), BEGIN, means=True)
    )
    return usual


def told(
    usual: Usual, values: Sequence[float], begin: float = BEGIN, **more: object
) -> list[Excess]:
    """What is told where these means follow one another, each read as it comes."""
    found: list[Excess] = []
    for number, value in enumerate(values, 1):
        end = begin + number * SLOT
        found += usual.take(chunk([end], [value], **more), end + 60, means=True)  # type: ignore[arg-type]
    return found


def test_a_miner_is_told_in_its_first_quarter_of_an_hour() -> None:
    found = told(known(), [0.3, 0.31, 1.9, 1.9])
    assert [one.at for one in found] == [BEGIN + 3 * SLOT, BEGIN + 4 * SLOT]
    assert found[0].says == (
        "processor time: 1.9 cores over 15 minutes, at most 300m in the 7 days before"
    )


@pytest.mark.parametrize(
    ("metric", "usually", "more", "expected"),
    [
        ("cores", 0.3, 0.44, 0),  # less than half as much again
        ("cores", 0.3, 0.46, 1),
        ("cores", 0.01, 0.1, 0),  # ten times as much, of nothing
        ("cores", 0.01, 0.12, 1),
        ("memory", 10e6, 60e6, 0),
        ("memory", 100e6, 200e6, 1),
        ("pids", 5.0, 24.0, 0),
        ("pids", 5.0, 26.0, 1),
    ],
)
def test_it_must_be_clearly_more(
    metric: Metric, usually: float, more: float, expected: int
) -> None:
    assert len(told(known(LEAST, usually, metric), [more], metric=metric)) == expected


def test_with_less_than_a_week_nothing_is_told() -> None:
    assert not told(known(LEAST - 1), [9.0])
    assert told(known(LEAST), [9.0])


def test_what_is_done_once_a_week_is_usual() -> None:
    usual = Usual()
    times = ends(BEGIN - DAYS * DAY, DAYS * 24)
    weekly = (times - BEGIN) // DAY % 7 == 0
    list(usual.take(chunk(times, np.where(weekly, 3.0, 0.3)), BEGIN, means=True))
    assert not told(usual, [3.0, 3.1])


def test_what_grew_today_is_usual_tomorrow() -> None:
    usual = known()
    assert len(told(usual, [1.9] * 4)) == 4
    assert not told(usual, [1.9] * 4, BEGIN + DAY)
    assert told(usual, [4.0], BEGIN + DAY + 3600)


def test_who_takes_no_more_than_others_do_for_an_hour_is_found_by_the_day() -> None:
    usual = Usual()
    times = ends(BEGIN - DAYS * DAY, DAYS * 24)
    batch = (times - BEGIN) % DAY < 2 * 3600
    list(usual.take(chunk(times, np.where(batch, 3.0, 0.2)), BEGIN, means=True))
    mined = np.where(np.arange(96) < 8, 3.0, 1.2).tolist()
    (found,) = told(usual, [*mined, 0.2])
    assert (found.at, found.seconds) == (BEGIN + DAY, DAY)
    assert found.says == (
        "processor time: 1.4 cores over 24 hours, at most 433m in the 14 days before"
    )
    (alone,) = usual.untold([found])
    usual.told([alone])
    assert usual.untold([found]) == []


def test_a_day_of_which_a_quarter_is_not_known_has_no_mean() -> None:
    usual = known(DAYS, 0.2)
    for day, slots, expected in ((0, 71, 0), (1, 72, 1)):
        begin = BEGIN + (day + 1) * DAY - slots * SLOT
        found = told(usual, [0.9] * slots + [0.2], begin)
        assert len([one for one in found if one.seconds == DAY]) == expected


def test_one_of_ten_replicas_stands_out() -> None:
    usual = Usual()
    pods = [Owned("shop", f"web-1-{n}", "app", "deploy/web") for n in range(10)]
    times = ends(BEGIN - LEAST * DAY, LEAST * 24)
    for pod in pods:
        list(usual.take(chunk(times, np.full(len(times), 0.2), pod), BEGIN, means=True))
    at = BEGIN + SLOT
    found = [
        one
        for n, pod in enumerate(pods)
        for one in usual.take(chunk([at], [1.9 if n == 3 else 0.2], pod), at + 60, means=True)
    ]
    assert [one.of.pod for one in found] == ["web-1-3"]


def test_it_is_told_once_a_day_in_the_pod_that_uses_most() -> None:
    usual = known()
    at = BEGIN + SLOT
    pods = [Owned("shop", f"web-1-{n}", "app", "deploy/web") for n in range(3)]
    found: list[Excess] = []
    for n, pod in enumerate(pods):
        list(usual.take(chunk([BEGIN], [0.1], pod), at, means=True))
        found += usual.take(chunk([at], [1.0 + n], pod), at, means=True)
    (worst,) = usual.untold(found)
    assert (worst.of.pod, worst.used) == ("web-1-2", 3.0)
    assert worst.says.endswith("at most 300m in the 7 days before; 2 more of its pods too")
    assert usual.untold(found) == [worst]  # as long as nobody says that it was told
    usual.told([worst])
    assert usual.untold(found) == []
    again = Usual()
    again.load(usual.changed())
    for one in (usual, again):
        assert one.untold(found) == []
        little, much = (replace(worst, used=worst.used * factor) for factor in (1.4, 1.6))
        assert one.untold([*found, little]) == []
        assert [each.used for each in one.untold([*found, much])] == [much.used]
    again.forget(BEGIN + 40 * DAY)
    assert again.untold(found) == [worst]


def test_a_pod_that_starts_is_not_judged_by_its_start() -> None:
    usual = known()
    new = Owned("shop", "web-2-ccccc", "app", "deploy/web")
    assert not told(usual, [5.0, 0.3], of=new)
    assert len(told(usual, [5.0], BEGIN + 2 * SLOT, of=new)) == 1
    assert not told(usual, [5.0], BEGIN + 3 * SLOT, of=WEB, series="/another")  # started anew


def test_who_starts_anew_again_and_again_is_judged() -> None:
    """A miner that ends each quarter of an hour, so that each of its series is one mean."""
    usual = known()
    found = [
        told(usual, [4.0], BEGIN + number * SLOT, series=f"/{number}") for number in range(1, 21)
    ]
    assert not found[0]  # a start
    assert len([one for one in found if one]) >= 17
    usual.forget(BEGIN + DAY)
    assert not told(usual, [9.0], BEGIN + DAY, series="/later")


def test_what_is_long_past_is_learned_and_not_told() -> None:
    usual = known()
    times = ends(BEGIN, 12)
    values = np.full(len(times), 0.3)
    values[20] = values[-2] = 7.0
    now = float(times[-1]) + 60
    found = list(usual.take(chunk(times, values), now, means=True))
    assert [one.at for one in found] == [times[-2]]
    assert found[0].at > now - RECENT


def test_samples_are_summed_to_means_and_a_thin_slot_is_none() -> None:
    usual = known()
    minutes = BEGIN + 60.0 * np.arange(60)
    for time in minutes:  # a spike of a minute is no use beyond
        spike = 2.0 if time == BEGIN + 300 else 0.3
        assert not list(usual.take(chunk([time], [spike]), time + 1))
    later = [
        *(BEGIN + 3600 + 60.0 * np.arange(5)),
        BEGIN + 4500,
    ]  # five minutes of a slot, then none
    assert not [one for time in later for one in usual.take(chunk([time], [9.0]), time + 1)]
    steady = BEGIN + 4500 + 60.0 * np.arange(1, 17)
    (found,) = [one for time in steady for one in usual.take(chunk([time], [9.0]), time + 1)]
    assert (found.used, found.at) == (9.0, BEGIN + 4500 + SLOT)


def test_nothing_odd_is_learned() -> None:
    usual = Usual()
    odd = chunk(
        [BEGIN + 9e9, math.nan, math.inf, BEGIN - 400 * DAY, BEGIN, BEGIN - 900.0],
        [1.0, 1.0, 1.0, 1.0, math.nan, math.inf],
    )
    for means in (True, False):
        assert not list(usual.take(odd, BEGIN, means=means))
    nobody = Owned("shop", "web", "app", "")
    assert not list(usual.take(chunk(ends(BEGIN, 4), [1.0] * 16, nobody), BEGIN + DAY, means=True))
    assert not list(usual.take(chunk(ends(BEGIN, 4), [1.0] * 16, WEB, "disk"), BEGIN + DAY))
    assert len(usual) == 0
    assert usual.changed() == []


def test_there_is_a_bound_and_it_is_told() -> None:
    usual = Usual(most=10)
    for number in range(30):
        pod = Owned("shop", f"p{number}", "app", f"pod/p{number}")
        list(usual.take(chunk(ends(BEGIN, 2), [1.0] * 8, pod), BEGIN + DAY, means=True))
    assert (len(usual), usual.left_out) == (10, 20)


def test_what_is_known_survives_and_what_is_old_goes() -> None:
    usual = known()
    changed = usual.changed()
    assert [one.seconds for one in changed].count(900) == LEAST
    assert [one.seconds for one in changed].count(DAY) == LEAST - 1  # the last has not ended
    assert usual.changed() == []
    again = Usual()
    again.load(changed)
    assert again.changed() == []
    list(again.take(chunk([BEGIN], [0.3]), BEGIN, means=True))
    assert len(told(again, [1.9])) == 1
    again.forget(BEGIN + 40 * DAY)
    assert len(again) == 0


def quarters(family: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Means of a synthetic workload's processor time over quarters of an hour, 30 days."""
    made = families.series(family, seed)
    slots, begins = np.unique((made.times // SLOT).astype(int), return_index=True)
    counts = np.diff(np.append(begins, len(made.times)))
    return (slots + 1) * SLOT, np.add.reduceat(made.cores, begins) / counts


def test_work_of_every_kind_is_quiet_and_a_miner_in_it_is_not() -> None:
    """Of seven kinds of work; a miner that takes two cores of one's last day."""
    alerts, mined, quiet = 0, set(), 0
    for family in families.FAMILIES:
        for seed in range(2):
            times, used = quarters(family, seed)
            now = float(times[-1])
            last = len(times) - 96
            usual = Usual()
            days = set()
            for time, mean in zip(times.tolist(), used.tolist(), strict=True):
                found = list(usual.take(chunk([time], [mean]), time, means=True))
                days |= {int(one.at // DAY) for one in found}
                quiet += 1
            alerts += len(days)
            usual = Usual()
            list(usual.take(chunk(times[:last], used[:last]), now, means=True))
            if told(usual, (used[last:] + 2.0).tolist(), float(times[last - 1])):
                mined.add((family, seed))
    assert quiet > 14 * 2_800
    assert alerts <= 1
    assert len(mined) >= 12, mined


Told = set[tuple[str, float, int]]  # pod, end, over so many seconds


def naive(samples: dict[str, list[tuple[float, float]]]) -> Told:
    """What is beyond, from all that was ever sampled."""
    quarters: dict[tuple[str, int], float] = {}
    for pod, pairs in samples.items():
        slots: dict[int, list[tuple[float, float]]] = {}
        for pair in pairs:
            slots.setdefault(int(pair[0] // SLOT), []).append(pair)
        del slots[max(slots)]  # nobody knows yet that it has ended
        for slot, those in slots.items():
            if len(those) >= 3 and those[-1][0] - those[0][0] >= SLOT / 2:
                quarters[pod, slot] = math.fsum(value for _, value in those) / len(those)
    whole: dict[tuple[str, int], list[float]] = {}
    for (pod, slot), used in quarters.items():
        whole.setdefault((pod, slot // 96), []).append(used)
    last = {pod: max(day for of, day in whole if of == pod) for pod in samples}
    days = {
        (pod, day): math.fsum(means) / len(means)
        for (pod, day), means in whole.items()
        if len(means) >= 72 and day < last[pod]
    }
    return _beyond(quarters, 900) | _beyond(days, DAY)


def _beyond(means: dict[tuple[str, int], float], seconds: int) -> Told:
    daily: dict[int, float] = {}
    for (_, at), mean in means.items():
        day = at * seconds // DAY
        daily[day] = max(daily.get(day, 0.0), mean)
    found = set()
    for (pod, at), used in means.items():
        today = at * seconds // DAY
        before = [daily[day] for day in range(today - DAYS, today) if day in daily]
        if len(before) < LEAST:
            continue
        if used > max(FACTOR * max(before), max(before) + ROOM["cores"]):
            found.add((pod, (at + 1.0) * seconds, seconds))
    return found


@pytest.mark.parametrize("seed", range(4))
def test_it_tells_what_an_evaluator_without_state_tells(seed: int) -> None:
    rng = np.random.default_rng(seed)
    samples: dict[str, list[tuple[float, float]]] = {}
    usual = Usual()
    found: Told = set()
    pods = [Owned("shop", f"web-{n}", "app", "deploy/web") for n in range(3)]
    hours = rng.integers(BEGIN // 7200, BEGIN // 7200 + 18 * 12, 12)
    grown = enumerate(sorted(hours.tolist()))
    bursts = {(f"web-{n % 3}", hour): 0.3 * float(rng.uniform(1.2, 1.6)) ** n for n, hour in grown}
    for minute in range(0, 18 * 24 * 60, 4):
        now = BEGIN + minute * 60.0
        for pod in pods:
            if rng.random() < 0.1 or (minute // 1440 + int(pod.pod[-1])) % 9 == 5:
                continue  # nobody measured it
            busy = bursts.get((pod.pod, int(now // 7200)), 0.0)
            value = float(rng.exponential(0.1)) + 0.2 + busy
            samples.setdefault(pod.pod, []).append((now, value))
            new = usual.take(chunk([now], [value], pod), now + 1)
            found |= {(one.of.pod, one.at, one.seconds) for one in new}
        if minute % 1000 == 0:
            usual.forget(now)
    assert found == naive(samples)
    assert {seconds for _, _, seconds in found} >= {900}
