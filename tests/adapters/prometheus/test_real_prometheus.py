"""A real Prometheus over blocks that promtool made: every sample of the truth, once; limits of the
server; a server that dies in the middle; two replicas that scrape at moments of their own.
"""

from __future__ import annotations

import contextlib
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.support.resources import prometheus_server, series
from tests.support.resources.sampled import Sampled, quick, read, same
from tests.support.resources.series import BEGIN, Truth, container

from martello.adapters.prometheus.source import Prometheus
from martello.core.errors import Unreachable
from martello.core.usage import Chunk, Gap, Metric

CPU = "container_cpu_usage_seconds_total"
MEMORY = "container_memory_working_set_bytes"
DAY = 24 * 3600
SPAN = 3 * DAY  # more than one block of the storage
TIMES = BEGIN + np.arange(0, SPAN, 60) + 0.137


def _truth() -> list[Truth]:
    """Three pods: one is gone after a day, one was started anew and is seen by two replicas."""
    rng = np.random.default_rng(7)
    count = len(TIMES)
    busy = np.cumsum(rng.random(count) * 30)
    used = np.floor(rng.random(count) * 1e9)
    day, two = TIMES < BEGIN + DAY, TIMES < BEGIN + 2 * DAY
    again = np.cumsum(rng.random(int((~two).sum())))
    shifted = TIMES + 23.0
    return [
        container(CPU, TIMES, busy, "shop/web-1-bbbbb/app", cpu="total"),
        container(MEMORY, TIMES, used, "shop/web-1-bbbbb/app"),
        container(CPU, TIMES, busy, "shop/web-1-bbbbb/POD", cpu="total"),
        container(CPU, TIMES[day], busy[day], "shop/web-1-ccccc/app", cpu="total"),
        container(MEMORY, TIMES[day], used[day] / 3, "shop/web-1-ccccc/app"),
        container(CPU, TIMES[two], busy[two], "a/db-0/db", id="/first"),
        container(CPU, TIMES[~two], again, "a/db-0/db", id="/second"),
        container(MEMORY, TIMES, used, "a/db-0/db", prometheus_replica="a"),
        container(MEMORY, shifted[:-1], used[:-1] + 1, "a/db-0/db", prometheus_replica="b"),
        series.owner("shop", "web-1-bbbbb", "ReplicaSet", "web-1", TIMES[::5]),
        series.owner("shop", "web-1-ccccc", "ReplicaSet", "web-1", TIMES[day][::5]),
        series.of_set("shop", "web-1", "Deployment", "web", TIMES[::5]),
        series.owner("a", "db-0", "StatefulSet", "db", TIMES[::5]),
    ]


TRUTH = _truth()


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    prometheus_server.skip_without()
    with tempfile.TemporaryDirectory(prefix="martello-blocks-") as name:
        yield prometheus_server.blocks(TRUTH, Path(name))


def _all(source: Prometheus) -> None:
    """Holds a reading to the truth, sample by sample."""
    found = read(source, BEGIN, BEGIN + SPAN + 60)
    _equal(found)
    counts = source.counts
    assert counts.samples == sum(len(times) for times, _ in found.series().values())
    assert counts.dropped == {"of another replica": len(TIMES) - 1}


def _equal(found: Sampled) -> None:
    assert not found.gaps
    assert found.namespaces == ["a", "shop"]
    told = found.series()
    first = "/kubepods/shop/web-1-bbbbb/app"
    gone = "/kubepods/shop/web-1-ccccc/app"
    assert same(told["shop", "web-1-bbbbb", "app", "cpu", first], TRUTH[0])
    assert same(told["shop", "web-1-bbbbb", "app", "memory", first], TRUTH[1])
    assert same(told["shop", "web-1-ccccc", "app", "cpu", gone], TRUTH[3])
    assert same(told["shop", "web-1-ccccc", "app", "memory", gone], TRUTH[4])
    assert same(told["a", "db-0", "db", "cpu", "/first"], TRUTH[5])
    assert same(told["a", "db-0", "db", "cpu", "/second"], TRUTH[6])
    assert same(told["a", "db-0", "db", "memory", "/kubepods/a/db-0/db"], TRUTH[7])
    assert len(told) == 7
    assert found.workloads == {
        ("shop", "web-1-bbbbb"): "deploy/web",
        ("shop", "web-1-ccccc"): "deploy/web",
        ("a", "db-0"): "sts/db",
    }


def test_every_sample_of_the_truth_comes_once(data: Path) -> None:
    with prometheus_server.serving(data) as server:
        source = Prometheus(quick(server.url, samples=4000), metrics=("cpu", "memory"))
        _all(source)
        assert source.counts.retries == 0
        assert source.counts.queries < 60

        metrics: tuple[Metric, ...] = ("cpu", "memory", "kills", "cpu limit")
        found = read(Prometheus(quick(server.url), metrics=metrics), BEGIN, BEGIN + DAY)
        assert [gap.what.partition("{")[0] for gap in found.gaps] == [
            "container_oom_events_total",
            "kube_pod_container_resource_limits",
        ]
        assert not read(Prometheus(quick(server.url)), BEGIN - DAY, BEGIN).chunks


def test_a_server_that_loads_few_samples_gives_them_all_in_halves(data: Path) -> None:
    with prometheus_server.serving(data, "--query.max-samples=500") as server:
        source = Prometheus(quick(server.url), metrics=("cpu", "memory"))
        _all(source)
        assert source.counts.halved == source.counts.retries > 0


def test_a_server_that_is_killed_in_the_middle_of_a_query_is_unreachable(data: Path) -> None:
    with prometheus_server.serving(data) as server:
        waits: list[float] = []
        chosen = quick(server.url, samples=500, sleep=waits.append)
        source = Prometheus(chosen, metrics=("cpu", "memory"))
        chunks = source.chunks(BEGIN, BEGIN + SPAN)
        given = _until_one_namespace_is_done(source, chunks)
        killing = _killed_while_it_works(server)
        with pytest.raises(Unreachable, match="cannot reach") as raised:
            given.extend(chunks)
        killing.join()
        assert "5 tries)" in raised.value.why
    assert len(waits) == 4
    assert source.counts.finished == ["a"]
    # what is finished is whole
    times = [c.times for c in given if isinstance(c, Chunk) and c.series == "/first"]
    assert np.array_equal(np.concatenate(times), TRUTH[5].times)


def test_a_server_that_comes_back_is_asked_on(data: Path) -> None:
    with prometheus_server.serving(data) as server, contextlib.ExitStack() as stack:

        def start_again(seconds: float) -> None:
            if not again:
                killing.join()
                again.append(prometheus_server.serving(data, port=server.port))
                stack.enter_context(again[0])

        again: list[contextlib.AbstractContextManager[prometheus_server.Server]] = []
        chosen = quick(server.url, samples=500, sleep=start_again)
        source = Prometheus(chosen, metrics=("cpu", "memory"))
        chunks = source.chunks(BEGIN, BEGIN + SPAN)
        given = _until_one_namespace_is_done(source, chunks)
        killing = _killed_while_it_works(server)
        given.extend(chunks)
        killing.join()
    assert source.counts.finished == ["a", "shop"]
    assert source.counts.retries == 1
    _equal(Sampled(given))


def _until_one_namespace_is_done(
    source: Prometheus, chunks: Iterator[Chunk | Gap]
) -> list[Chunk | Gap]:
    given: list[Chunk | Gap] = []
    while not source.counts.finished:
        given.append(next(chunks))
    return given


def _killed_while_it_works(server: prometheus_server.Server) -> threading.Timer:
    """The server stands still, so that the next question is under way when it is killed."""
    server.process.send_signal(signal.SIGSTOP)
    timer = threading.Timer(0.3, server.kill)
    timer.start()
    return timer


def test_means_are_those_of_the_truth(data: Path) -> None:
    step = 900
    with prometheus_server.serving(data) as server:
        source = Prometheus(
            quick(server.url), metrics=("cores", "memory", "pids"), means=step, spare=("pids",)
        )
        found = read(source, BEGIN + 1, BEGIN + SPAN)
    assert not found.gaps
    assert source.counts.queries < 40
    memory, cores = (found.of("shop/web-1-bbbbb/app", metric) for metric in ("memory", "cores"))
    for (times, means), of in ((memory, TRUTH[1]), (cores, TRUTH[0])):
        assert times.tolist() == list(range(BEGIN + step, BEGIN + SPAN, step))
        for end, mean in zip(times[1:], means[1:], strict=True):
            within = of.values[(of.times > end - step) & (of.times <= end)]
            if of is TRUTH[1]:
                assert mean == pytest.approx(within.mean())
            else:  # the rate of what lies within, stretched to the ends by Prometheus
                assert mean == pytest.approx((within[-1] - within[0]) / (60 * (len(within) - 1)))
    again = found.series()["a", "db-0", "db", "cores", "/second"]
    assert again[0][0] == BEGIN + 2 * DAY + step
