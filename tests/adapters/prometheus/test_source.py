"""Samples from Prometheus' API: whole, once each, of the right container, by bounded questions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from tests.support.resources import series
from tests.support.resources.prometheus_fake import Reply, error, serving
from tests.support.resources.sampled import quick, read, same
from tests.support.resources.series import BEGIN, Truth, container, truth

from martello.adapters.prometheus.settings import settings
from martello.adapters.prometheus.source import Prometheus
from martello.adapters.usage.owners import Owners
from martello.core.errors import NotPermitted, Unreachable
from martello.core.usage import Chunk, Gap, Owned

CPU = "container_cpu_usage_seconds_total"
MEMORY = "container_memory_working_set_bytes"
HOUR = 3600
SPAN = 8 * HOUR
TIMES = BEGIN + np.arange(0, SPAN, 30)


def _counter(seed: int, count: int = len(TIMES)) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.cumsum(np.random.default_rng(seed).random(count))


def _bytes(seed: int, count: int = len(TIMES)) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.floor(np.random.default_rng(seed).random(count) * 1e9)


def _pair(at: str, seed: int = 1) -> list[Truth]:
    return [
        container(CPU, TIMES, _counter(seed), at, cpu="total"),
        container(MEMORY, TIMES, _bytes(seed), at),
    ]


@pytest.mark.parametrize("left_open", [False, True], ids=["closed", "left-open"])
def test_every_sample_comes_once_whatever_a_range_holds_at_its_edge(left_open: bool) -> None:
    shop, other = _pair("shop/web-0/app"), _pair("a/db-0/db", 2)
    with serving([*shop, *other], left_open=left_open) as fake:
        source = Prometheus(quick(fake.url, samples=300))
        found = read(source, BEGIN, BEGIN + SPAN)
        assert len(fake.queries()) > 10
    for metric, one in zip(("cpu", "memory"), shop, strict=True):
        assert same(found.of("shop/web-0/app", metric), one)
    assert same(found.of("a/db-0/db", "cpu"), other[0])
    assert found.namespaces == ["a", "shop"]
    counts = source.counts
    assert counts.samples == 4 * len(TIMES)
    assert counts.finished == ["a", "shop"]
    assert counts.total == 2
    assert counts.dropped == {}
    assert counts.queries == len(fake.asked)


def test_a_window_begins_with_its_first_and_ends_before_its_last_moment() -> None:
    shop = _pair("shop/web-0/app")
    with serving(shop) as fake:
        source = Prometheus(quick(fake.url), metrics=("cpu",))
        found = read(source, BEGIN + 300, BEGIN + 600)
    assert same(found.of("shop/web-0/app", "cpu"), shop[0], BEGIN + 300, BEGIN + 600)
    assert len(found.of("shop/web-0/app", "cpu")[0]) == 10


def test_pieces_grow_to_what_is_wanted_of_an_answer() -> None:
    with serving(_pair("shop/web-0/app")) as fake:
        source = Prometheus(quick(fake.url), metrics=("cpu", "memory"))
        read(source, BEGIN, BEGIN + SPAN)
        assert len(fake.queries()) <= 5


def test_memory_is_bounded_by_an_answer_not_by_the_window() -> None:
    """However long the window: no answer holds more than twice what is wanted of one."""
    many = [container(MEMORY, TIMES, _bytes(n), f"shop/web-{n}/app") for n in range(10)]
    with serving(many) as fake:
        source = Prometheus(quick(fake.url, samples=1500, first=600.0), metrics=("memory",))
        most = 0
        for one in source.chunks(BEGIN, BEGIN + SPAN):
            most = max(most, len(one.times)) if isinstance(one, Chunk) else most
        whole = source.counts.bytes
        assert source.counts.samples == 10 * len(TIMES)
        assert max(fake.sent) < 2 * 1500 * whole / source.counts.samples < whole / 3
    assert most <= 2 * 1500 / 10


def test_too_many_samples_for_the_server_is_asked_again_in_halves() -> None:
    shop = _pair("shop/web-0/app")
    with serving(shop, most=100) as fake:
        source = Prometheus(quick(fake.url), metrics=("cpu", "memory"))
        found = read(source, BEGIN, BEGIN + SPAN)
    assert same(found.of("shop/web-0/app", "cpu"), shop[0])
    assert same(found.of("shop/web-0/app", "memory"), shop[1])
    assert not found.gaps
    assert 1 <= source.counts.halved <= 8
    assert source.counts.queries < 2 * SPAN / 30 / 50 + 20


def test_a_server_that_can_load_nothing_leaves_gaps_and_few_questions() -> None:
    with serving([*_pair("shop/web-0/app"), *_pair("b/web-0/app")], most=0) as fake:
        source = Prometheus(quick(fake.url), metrics=("cpu", "memory"))
        found = read(source, BEGIN, BEGIN + SPAN)
    assert not found.chunks
    assert {gap.namespace for gap in found.gaps} == {"shop", "b"}
    assert all("too many samples" in gap.why for gap in found.gaps)
    assert source.counts.queries < 80


def test_errors_of_the_moment_are_waited_for() -> None:
    shop = _pair("shop/web-0/app")
    waits: list[float] = []
    failing = iter([503, 500, 0, 502, 429, 0, 504, *[0] * 100])

    def instead(path: str, params: Mapping[str, str]) -> Reply | None:
        status = next(failing)
        return None if not status else error(status, "internal", "down", **{"Retry-After": "7"})

    with serving(shop) as fake:
        fake.instead = instead
        settings = quick(fake.url, sleep=waits.append, samples=300)
        source = Prometheus(settings, metrics=("cpu",))
        found = read(source, BEGIN, BEGIN + SPAN)
    assert same(found.of("shop/web-0/app", "cpu"), shop[0])
    assert source.counts.retries == 5
    assert waits == [7.0, 7.0, 7.0, 7.0]  # a gateway's time-out is no reason to wait


def test_a_server_that_stays_down_is_unreachable_after_a_few_tries() -> None:
    with serving([*_pair("a/web-0/app"), *_pair("b/web-0/app")]) as fake:

        def instead(path: str, params: Mapping[str, str]) -> Reply | None:
            if path == "query" and 'namespace="b"' in params["query"]:
                return error(500, "internal", "disk is gone")
            return None

        fake.instead = instead
        source = Prometheus(quick(fake.url), metrics=("cpu", "memory"))
        given: list[Chunk | Gap] = []
        with pytest.raises(Unreachable, match="did not answer") as raised:
            given.extend(source.chunks(BEGIN, BEGIN + SPAN))
        assert "disk is gone (5 tries)" in raised.value.why
        assert source.counts.finished == ["a"]
        assert source.counts.retries == 5
        assert len(given) >= 2


def test_nobody_listening_is_unreachable() -> None:
    with serving() as fake:
        pass
    source = Prometheus(quick(fake.url))
    with pytest.raises(Unreachable, match="cannot reach") as raised:
        read(source, BEGIN, BEGIN + SPAN)
    assert "5 tries)" in raised.value.why
    assert source.counts.queries == 5


def test_replicas_are_one_server() -> None:
    shifted = TIMES + 11.5
    here, there = TIMES < BEGIN + 6 * HOUR, shifted > BEGIN + 5 * HOUR
    hole = ~((TIMES > BEGIN + 2 * HOUR) & (TIMES < BEGIN + 2 * HOUR + 300))
    values = _counter(1)
    a = container(
        CPU, TIMES[here & hole], values[here & hole], "shop/web-0/app", prometheus_replica="a"
    )
    b_times = np.concatenate((shifted[:300], shifted[there]))
    b_values = np.concatenate((values[:300] + 0.01, values[there] + 0.01))
    b = container(CPU, b_times, b_values, "shop/web-0/app", prometheus_replica="b")
    with serving([a, b]) as fake:
        source = Prometheus(quick(fake.url, samples=200), metrics=("cpu",))
        found = read(source, BEGIN, BEGIN + SPAN)
    times, told = found.of("shop/web-0/app", "cpu")
    assert (np.diff(told) >= 0).all()
    # one server's rhythm, no twin of any scrape, and the hole is filled by the other one
    steps = np.diff(times)
    assert steps.max() <= 60
    assert (steps >= 15).all()
    assert abs(len(times) - len(TIMES)) <= 12
    assert np.isin(a.times, times).mean() > 0.8
    assert source.counts.dropped["of another replica"] > 300


def test_a_container_started_anew_is_another_series() -> None:
    half = len(TIMES) // 2
    first = container(CPU, TIMES[: half + 3], _counter(1, half + 3), "shop/web-0/app", id="/one")
    second = container(CPU, TIMES[half:], _counter(2, half), "shop/web-0/app", id="/two")
    with serving([first, second]) as fake:
        found = read(Prometheus(quick(fake.url), metrics=("cpu",)), BEGIN, BEGIN + SPAN)
    told = {key[4]: pair for key, pair in found.series().items()}
    assert same(told["/one"], first)
    assert same(told["/two"], second)


def test_sandboxes_and_whole_groups_are_no_containers() -> None:
    shop = _pair("shop/web-0/app")
    more = [
        container(CPU, TIMES, _counter(3), "shop/web-0/POD"),
        container(CPU, TIMES, _counter(4), "shop/web-0/"),
    ]
    with serving([*shop, *more]) as fake:
        found = read(Prometheus(quick(fake.url), metrics=("cpu",)), BEGIN, BEGIN + SPAN)
    assert {chunk.of.container for chunk in found.chunks} == {"app"}


def test_a_server_that_ignores_matchers_does_not_bring_them_back() -> None:
    body = (
        b'{"status":"success","data":{"resultType":"matrix","result":['
        b'{"metric":{"namespace":"shop","pod":"p","container":"POD"},"values":[[%d,"1"]]},'
        b'{"metric":{"namespace":"shop","pod":"p","container":"app"},"values":[[%d,"1"]]}]}}'
    ) % (BEGIN + 30, BEGIN + 30)

    def instead(path: str, params: Mapping[str, str]) -> Reply | None:
        return Reply(body=body) if path == "query" else None

    with serving(_pair("shop/p/app")) as fake:
        fake.instead = instead
        source = Prometheus(quick(fake.url), metrics=("cpu",))
        found = read(source, BEGIN, BEGIN + HOUR)
    assert [chunk.of.container for chunk in found.chunks] == ["app"]
    assert source.counts.dropped == {"of no container": 1}


def test_names_that_kubernetes_would_not_give_are_none() -> None:
    good = _pair("shop/web-0/app")[0]
    odd = ["shop/web\x1b[31m/app", "shop/web\n/app", f"shop/{'x' * 300}/app", "shop/-/app"]
    odd += ["shop/web-1/a b", "sh\x07op/web-0/app"]
    told = [container(CPU, TIMES, _counter(2), at) for at in odd]
    owner = series.owner("shop", "web-0", "Stateful\x1bSet", "db", TIMES)
    with serving([good, owner, *told]) as fake:
        source = Prometheus(quick(fake.url), metrics=("cpu",))
        found = read(source, BEGIN, BEGIN + SPAN)
    assert list(found.workloads.items()) == [(("shop", "web-0"), "")]
    assert found.namespaces == ["shop"]
    assert source.counts.dropped["of no container"] >= 5


def test_processors_and_devices_are_summed() -> None:
    at = "shop/web-0/app"
    one = container(CPU, TIMES, _counter(1), at, cpu="cpu00")
    two = container(CPU, TIMES, _counter(2), at, cpu="cpu01")
    total = container(CPU, TIMES, _counter(9), "shop/web-1/app", cpu="total")
    part = container(CPU, TIMES, _counter(8), "shop/web-1/app", cpu="cpu00")
    disk = "container_fs_usage_bytes"
    disks = [
        container(disk, TIMES, _bytes(5), at, device="/dev/sda"),
        container(disk, TIMES[10:], _bytes(6)[10:], at, device="/dev/sdb"),
    ]
    with serving([one, two, total, part, *disks]) as fake:
        found = read(Prometheus(quick(fake.url), metrics=("cpu", "disk")), BEGIN, BEGIN + SPAN)
    assert np.allclose(found.of(at, "cpu")[1], one.values + two.values, rtol=1e-15)
    assert same(found.of("shop/web-1/app", "cpu"), total)
    both = disks[0].values.copy()
    both[10:] += disks[1].values
    assert np.array_equal(found.of(at, "disk")[1], both)


def test_limits_and_endings_are_asked_at_steps() -> None:
    at = "shop/web-0/app"
    values = np.where(TIMES < BEGIN + HOUR, 2.5e8, 5e8)
    limit = truth(
        "kube_pod_container_resource_limits",
        TIMES,
        values,
        namespace="shop",
        pod="web-0",
        container="app",
        resource="memory",
        unit="byte",
        uid="u-1",
    )
    restarts = container("kube_pod_container_status_restarts_total", TIMES, TIMES * 0 + 3, at)
    with serving([*_pair(at), limit, restarts]) as fake:
        source = Prometheus(
            quick(fake.url), metrics=("cpu", "memory", "memory limit", "restarts", "killed")
        )
        found = read(source, BEGIN, BEGIN + SPAN)
        assert {params["step"] for path, params in fake.asked if path == "query_range"} == {
            "300.000"
        }
    times, told = found.of(at, "memory limit")
    assert np.array_equal(times, np.arange(BEGIN, BEGIN + SPAN, 300))
    assert np.array_equal(told, np.where(times < BEGIN + HOUR, 2.5e8, 5e8))
    (gap,) = found.gaps
    assert gap.what.startswith("kube_pod_container_status_last_terminated_reason{")


def test_older_names_of_series_are_known() -> None:
    at = "shop/web-0/app"
    old = container("kube_pod_container_resource_limits_cpu_cores", TIMES, TIMES * 0 + 0.5, at)
    pids = container("container_processes", TIMES, TIMES * 0 + 7, at)
    with serving([old, pids]) as fake:
        found = read(
            Prometheus(quick(fake.url), metrics=("cpu limit", "pids")), BEGIN, BEGIN + SPAN
        )
    assert set(found.of(at, "cpu limit")[1]) == {0.5}
    assert same(found.of(at, "pids"), pids)


def test_pods_are_joined_to_workloads_also_those_that_are_gone() -> None:
    early = TIMES[:100]
    told = [
        series.owner("shop", "web-1-a", "ReplicaSet", "web-1", early),
        series.of_set("shop", "web-1", "Deployment", "web", early),
        series.owner("shop", "db-0", "StatefulSet", "db", TIMES),
        series.owner("shop", "once-x", "Job", "nightly-29000000", TIMES),
        truth(
            "kube_job_owner",
            TIMES,
            TIMES * 0 + 1,
            namespace="shop",
            job_name="nightly-29000000",
            owner_kind="CronJob",
            owner_name="nightly",
        ),
        series.owner("shop", "alone", "<none>", "<none>", TIMES),
        series.owner("shop", "bare-9", "ReplicaSet", "bare", TIMES),
    ]
    pods = ["web-1-a", "db-0", "once-x", "alone", "bare-9", "nobody"]
    used = [container(MEMORY, TIMES, _bytes(3), f"shop/{pod}/app") for pod in pods]
    with serving([*told, *used]) as fake:
        found = read(Prometheus(quick(fake.url), metrics=("memory",)), BEGIN, BEGIN + SPAN)
    assert {pod: whose for (_, pod), whose in found.workloads.items()} == {
        "web-1-a": "deploy/web",
        "db-0": "sts/db",
        "once-x": "cronjob/nightly",
        "alone": "pod/alone",
        "bare-9": "rs/bare",
        "nobody": "",
    }


def test_a_container_without_one_of_its_series_is_a_gap_with_the_query() -> None:
    whole, half = _pair("shop/web-0/app"), _pair("shop/web-1/app", 2)
    with serving([*whole, half[1]]) as fake:
        found = read(Prometheus(quick(fake.url), metrics=("cpu", "memory")), BEGIN, BEGIN + SPAN)
    (gap,) = found.gaps
    assert gap.of == Owned("shop", "web-1", "app")
    assert gap.what == f'{CPU}{{namespace="shop",container!="",container!="POD"}}'
    assert "no such series" in gap.why


def test_pods_of_a_workload_that_lack_a_series_are_one_gap_at_most() -> None:
    pods = [f"web-{n}" for n in range(3)]
    told = [series.owner("shop", pod, "StatefulSet", "web", TIMES) for pod in pods]
    told += [series.owner("shop", f"db-{n}", "StatefulSet", "db", TIMES) for n in range(3)]
    used = [_pair(f"shop/{pod}/app")[1] for pod in (*pods, "db-0", "db-1", "db-2")]
    with serving([*told, *used, _pair("shop/web-1/app")[0]]) as fake:
        found = read(Prometheus(quick(fake.url), metrics=("cpu", "memory")), BEGIN, BEGIN + SPAN)
    (gap,) = found.gaps
    assert gap.of == Owned("shop", "db-0", "app", "sts/db")


def test_a_series_that_no_namespace_has_is_one_gap() -> None:
    with serving(_pair("shop/web-0/app")) as fake:
        source = Prometheus(quick(fake.url), metrics=("cpu", "kills"))
        found = read(source, BEGIN, BEGIN + SPAN)
        assert not [query for query in fake.queries() if "oom" in query]
    (gap,) = found.gaps
    assert gap.what == 'container_oom_events_total{container!="",container!="POD"}'
    assert gap.namespace == ""


def test_only_some_namespaces_pods_and_one_cluster_are_asked_for() -> None:
    ours = container(CPU, TIMES, _counter(1), "shop/web.1-a/app", cluster="prod")
    others = [
        container(CPU, TIMES, _counter(2), "shop/web.1-a/app", cluster="test", id="/x"),
        container(CPU, TIMES, _counter(3), "shop/webx1-a/app", cluster="prod"),
        container(CPU, TIMES, _counter(4), "b/web.1-a/app", cluster="prod"),
    ]
    with serving([ours, *others]) as fake:
        chosen = quick(fake.url, cluster=("cluster", "prod"))
        source = Prometheus(chosen, metrics=("cpu",), namespaces=["shop"], pods=["web.1-"])
        found = read(source, BEGIN, BEGIN + SPAN)
        assert 'pod=~"(?:web\\\\.1-).*",cluster="prod"' in fake.queries()[0]
    assert same(found.of("shop/web.1-a/app", "cpu"), ours)
    assert len(found.series()) == 1


def test_what_a_thanos_is_told() -> None:
    with serving(_pair("shop/web-0/app")) as fake:
        fake.warnings = ["a store is down: no\ndata of it"]
        found = read(Prometheus(quick(fake.url), metrics=("cpu",)), BEGIN, BEGIN + SPAN)
        _, params = fake.asked[-1]
    assert params["dedup"] == "true"
    assert params["partial_response"] == "false"
    assert params["max_source_resolution"] == "0s"
    assert params["timeout"] == "58s"
    (gap,) = found.gaps
    assert (gap.namespace, gap.why) == ("shop", "a store is down: no data of it")


def test_who_we_are_is_read_anew_and_headers_are_sent(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first-token\n")
    with serving(_pair("shop/web-0/app")) as fake:
        chosen = settings(fake.url, token_file=str(file), headers=["X-Scope-OrgID: team-a"])
        source = Prometheus(chosen, metrics=("cpu",))
        chunks = source.chunks(BEGIN, BEGIN + HOUR)
        next(chunks)
        file.write_text("second-token\n")
        list(chunks)
        read(Prometheus(chosen, metrics=("cpu",)), BEGIN, BEGIN + HOUR)
        sent = [headers["Authorization"] for headers in fake.headers]
        assert {headers["X-Scope-OrgID"] for headers in fake.headers} == {"team-a"}
    assert sent[0] == "Bearer first-token"
    assert sent[-1] == "Bearer second-token"


@pytest.mark.parametrize("status", [401, 403])
def test_a_server_that_does_not_want_us(status: int) -> None:
    with serving() as fake:
        fake.instead = lambda path, params: error(status, "auth", "no org id")
        source = Prometheus(quick(fake.url))
        with pytest.raises(NotPermitted) as raised:
            read(source, BEGIN, BEGIN + HOUR)
    assert "no org id" in str(raised.value)
    assert source.counts.queries == 1


def test_a_question_that_is_refused_is_a_gap() -> None:
    def instead(path: str, params: Mapping[str, str]) -> Reply | None:
        if path == "query" and "cpu" in params["query"]:
            return error(400, "bad_data", "no such function")
        return error(400, "bad_data", "series is off") if path == "series" else None

    with serving(_pair("shop/web-0/app")) as fake:
        fake.instead = instead
        source = Prometheus(quick(fake.url), metrics=("cpu", "memory"))
        found = read(source, BEGIN, BEGIN + SPAN)
    assert same(found.of("shop/web-0/app", "memory"), _pair("shop/web-0/app")[1])
    assert [gap.why for gap in found.gaps] == [
        "series is off",
        "series is off",
        "series is off",
        "no such function",
        "this container has no such series",
    ]


def test_no_number_and_clock_skew_are_counted_and_left_out() -> None:
    values = _bytes(1, 10)
    values[2], values[4], values[6] = np.nan, np.inf, -5.0
    one = container(MEMORY, TIMES[:10], values, "shop/web-0/app")
    with serving([one]) as fake:
        source = Prometheus(quick(fake.url), metrics=("memory",))
        found = read(source, BEGIN, BEGIN + HOUR)
    times, told = found.of("shop/web-0/app", "memory")
    kept = [0, 1, 3, 5, 7, 8, 9]
    assert np.array_equal(times, TIMES[:10][kept])
    assert np.array_equal(told, values[kept])
    assert source.counts.dropped == {"no number": 3}


def test_progress_is_told_after_every_answer() -> None:
    told: list[tuple[str, int]] = []
    with serving([*_pair("a/web-0/app"), *_pair("b/web-0/app")]) as fake:
        source = Prometheus(
            quick(fake.url),
            metrics=("cpu",),
            progress=lambda counts: told.append((counts.namespace, counts.samples)),
        )
        read(source, BEGIN, BEGIN + SPAN)
    assert told[0][0] == "a"
    assert told[-1] == ("b", 2 * len(TIMES))


def test_owners_that_are_handed_in_are_believed() -> None:
    with serving([_pair("shop/db-0/db")[1]]) as fake:
        owners = Owners()
        owners.learn("shop", [{"pod": "db-0", "owner_kind": "StatefulSet", "owner_name": "db"}])
        source = Prometheus(quick(fake.url), metrics=("memory",), owners=owners)
        found = read(source, BEGIN, BEGIN + HOUR)
    assert found.workloads == {("shop", "db-0"): "sts/db"}
