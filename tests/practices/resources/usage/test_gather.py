"""From chunks to what a container asked for: the same however the samples come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pytest

from martello.core.usage import Chunk, Gap, Metric, Owned
from martello.practices.resources.sizing import families
from martello.practices.resources.usage.demand import DAY, HOUR, Demand
from martello.practices.resources.usage.gather import gather, window
from martello.practices.resources.usage.histogram import CPU
from martello.practices.resources.usage.segments import template, workload

BEGIN = 1_767_571_200.0
POD = Owned("shop", "web-7d9c5b6f4-x2x7q", "app", "deploy/web")
TIMES = BEGIN + 3.0 + np.arange(0, 12 * HOUR, 30.0)
SPAN = window(BEGIN, BEGIN + 12 * HOUR)


def _chunk(
    metric: Metric, values: object, of: Owned = POD, times: object = TIMES, **more: str
) -> Chunk:
    return Chunk(of, metric, np.asarray(times, float), np.asarray(values, float), **more)


def _one(chunks: Iterable[Chunk | Gap]) -> Demand:
    (found,) = gather(chunks, SPAN)
    return found


def _cut(chunk: Chunk, size: int, overlap: int = 0) -> Iterator[Chunk]:
    for first in range(0, len(chunk.times), size):
        part = slice(max(0, first - overlap), first + size)
        yield Chunk(
            chunk.of,
            chunk.metric,
            chunk.times[part],
            chunk.values[part],
            chunk.replica,
            chunk.series,
        )


def _by_time(chunks: Iterable[Chunk]) -> list[Chunk]:
    return sorted(chunks, key=lambda c: (c.metric, float(c.times[0])))


def _use(seed: int = 1) -> tuple[Chunk, Chunk]:
    rng = np.random.default_rng(seed)
    cpu = np.cumsum(rng.random(len(TIMES)) * 6)
    return _chunk("cpu", cpu), _chunk("memory", 1e8 + 1e6 * rng.standard_normal(len(TIMES)))


def _same(one: Demand, other: Demand) -> None:
    assert np.array_equal(one.peaks, other.peaks, equal_nan=True)
    assert np.allclose(one.memory, other.memory, rtol=1e-3)
    assert np.allclose(one.processor, other.processor)
    for at in range(3):
        assert np.allclose(one.rates[at], other.rates[at], rtol=1e-5)


@pytest.mark.parametrize("size", [7, 100, 720])
@pytest.mark.parametrize("overlap", [0, 3])
def test_the_size_and_overlap_of_chunks_change_nothing(size: int, overlap: int) -> None:
    cpu, memory = _use()
    whole = _one([cpu, memory])
    _same(_one([*_cut(cpu, size, overlap), *_cut(memory, size, overlap)]), whole)


def test_the_truth_of_a_series_is_found() -> None:
    cpu, memory = _use()
    found = _one([cpu, memory])
    assert float(np.nanmax(found.peaks)) == pytest.approx(memory.values.max(), rel=1e-6)
    rates = np.diff(cpu.values) / 30
    exact = np.sort(rates)[int(0.95 * len(rates))]
    assert exact * 0.99 <= found.cpu().quantile(0.95) <= exact * 1.06 + 0.001
    assert found.processor.sum() == pytest.approx(np.diff(cpu.values).sum())
    assert found.replicas == 1
    assert found.days == 0.5


def test_a_second_replica_of_the_server_changes_nothing() -> None:
    cpu, memory = _use()
    rng = np.random.default_rng(5)
    first = [Chunk(c.of, c.metric, c.times, c.values, "a") for c in (cpu, memory)]
    shifted = TIMES + 11.0
    second = [
        Chunk(POD, "cpu", shifted, np.interp(shifted, TIMES, cpu.values) * 1.0001, "b"),
        Chunk(POD, "memory", shifted, 1e8 + 1e6 * rng.standard_normal(len(TIMES)), "b"),
    ]
    both = [
        *_cut(first[0], 300),
        *_cut(second[0], 300),
        *_cut(first[1], 300),
        *_cut(second[1], 300),
    ]
    alone, together = _one([cpu, memory]), _one(_by_time(both))
    assert together.held.sum() == pytest.approx(alone.held.sum(), rel=0.02)
    assert together.processor.sum() == pytest.approx(alone.processor.sum(), rel=0.02)
    assert together.counted["of a second replica"] > 1000


def test_another_replica_of_the_server_fills_a_gap() -> None:
    cpu, memory = _use()
    there = (TIMES < BEGIN + 2 * HOUR) | (TIMES > BEGIN + 3 * HOUR)
    first = Chunk(POD, "memory", TIMES[there], memory.values[there], "a")
    second = Chunk(POD, "memory", TIMES, memory.values, "b")
    assert _one([cpu, first]).held[2] < 60
    assert _one([cpu, first, second]).held[2] == pytest.approx(HOUR, rel=0.1)


def test_clocks_that_are_wrong_and_samples_of_elsewhen_are_left_out() -> None:
    cpu, memory = _use()
    far = np.concatenate((TIMES, [BEGIN + 400 * DAY, 5.0]))
    wild = Chunk(POD, "memory", far, np.concatenate((memory.values, [9e12, 9e12])))
    found = _one([cpu, wild])
    assert float(np.nanmax(found.peaks)) < 2e8
    assert found.counted["outside the window"] == 2


def test_zero_memory_after_a_restart_is_no_use() -> None:
    cpu, memory = _use()
    values = memory.values.copy()
    values[100:105], values[105:110] = 0.0, 1e-320  # less than a byte, and no float32
    found = _one([cpu, _chunk("memory", values)])
    assert found.counted["zero memory"] == 10
    assert float(np.nanmin(found.peaks)) > 9e7


def test_starts_kills_limits_and_templates_become_cuts() -> None:
    cpu, memory = _use()
    half = len(TIMES) // 2
    limit = np.where(np.arange(len(TIMES)) < half, 2e8, 4e8)
    kills = np.where(np.arange(len(TIMES)) < 200, 0, 1)
    newer = Owned("shop", "web-5f8d9c7b6b-x8x7q", "app", "deploy/web")
    later = slice(half, None)
    found = _one(
        [
            cpu,
            _chunk("cpu", cpu.values[later] - cpu.values[half], newer, TIMES[later]),
            memory,
            _chunk("memory", memory.values[later], newer, TIMES[later]),
            _chunk("kills", kills),
            _chunk("memory limit", limit),
        ]
    )
    assert [(k.time, k.limit) for k in found.kills] == [(TIMES[200], 2e8)]
    assert {c.why for c in found.cuts} == {"new template", "memory limit changed"}
    assert found.starts.tolist() == [TIMES[half]]
    assert found.pods == 2
    assert found.replicas == 2


def test_kernel_and_kubelet_tell_of_one_kill_and_it_counts_once() -> None:
    cpu, memory = _use()
    after = np.arange(len(TIMES)) >= 200
    found = _one(
        [
            cpu,
            memory,
            _chunk("kills", after),
            _chunk("restarts", np.where(np.arange(len(TIMES)) >= 203, 1, 0)),
            _chunk("killed", after),
        ]
    )
    assert len(found.kills) == 1
    again = np.arange(len(TIMES)) >= 900
    twice = _one(
        [
            cpu,
            memory,
            _chunk("restarts", after + again * 1),
            _chunk("killed", after),
        ]
    )
    assert [k.time for k in twice.kills] == [TIMES[200], TIMES[900]]


def test_throttling_is_summed_by_hour() -> None:
    cpu, memory = _use()
    periods = np.arange(len(TIMES)) * 300.0
    found = _one([cpu, memory, _chunk("periods", periods), _chunk("throttled", periods / 4)])
    assert found.throttled.sum() / found.periods.sum() == pytest.approx(0.25)


def test_namespaces_come_one_after_another_and_sandboxes_not_at_all() -> None:
    cpu, memory = _use()
    other = Owned("web", "db-0", "db", "sts/db")
    chunks: list[Chunk | Gap] = [
        cpu,
        memory,
        Gap("query", "lost"),
        _chunk("memory", memory.values, other),
    ]
    chunks.append(_chunk("memory", memory.values, Owned("web", "db-0", "POD")))
    gaps: list[Gap] = []
    found = list(gather(chunks, SPAN, gaps=gaps))
    assert [d.key.namespace for d in found] == ["shop", "web"]
    assert [gap.why for gap in gaps] == ["lost"]


def test_a_part_of_the_time_is_what_lies_in_it() -> None:
    demand = next(iter(gather(families.chunks("daily", 3), window(BEGIN, BEGIN + 30 * DAY))))
    first, rest = demand.between(0, 500), demand.between(500, 720)
    assert first.hours + rest.hours == demand.hours
    weights = first.cpu().weights + rest.cpu().weights
    assert np.allclose(weights, demand.cpu().weights)
    assert first.processor.sum() + rest.processor.sum() == pytest.approx(demand.processor.sum())
    assert len(weights) == CPU.count


def test_memory_is_bounded_by_hours_and_not_by_samples() -> None:
    def size(step: float) -> int:
        times = BEGIN + np.arange(0, 12 * HOUR, step)
        rng = np.random.default_rng(3)
        cpu = np.cumsum(rng.random(len(times)) * step / 5)
        found = _one(
            [_chunk("cpu", cpu, times=times), _chunk("memory", times * 0 + 1e8, times=times)]
        )
        return sum(a.nbytes for a in (found.peaks, found.memory, found.held, *found.rates))

    assert size(1.0) <= 2 * size(30.0)


@pytest.mark.parametrize(
    ("pod", "whose", "made_of"),
    [
        ("web-7d9c5b6f4-x2x7q", "deploy/web", "7d9c5b6f4"),
        ("db-0", "sts/db", ""),
        ("agent-x2x7q", "ds/agent", ""),
        ("job-28912345-x2x7q", "cronjob/job", ""),
        ("alone", "pod/alone", ""),
    ],
)
def test_names_of_pods_tell_whose_they_are(pod: str, whose: str, made_of: str) -> None:
    assert workload(Owned("a", pod, "c")) == whose
    assert workload(Owned("a", pod, "c", "rs/x")) == "rs/x"
    assert template(pod) == made_of
