"""What containers use, in the daemon: learned, kept, told once a day; and a real Prometheus and
metrics-server's API as sources.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyarrow")

import numpy as np
from tests.support.http import Answer, serve
from tests.support.monitor.kept import Kept, kubeconfig
from tests.support.resources.guarded import thing

from martello.adapters.sensors.shape import Place
from martello.cli.monitor.using import Asked, Using, asked
from martello.core.cluster import Cluster
from martello.core.errors import BadInput, Unreachable
from martello.core.resource import Nowhere, resource_of
from martello.core.usage import Chunk, Counts, Gap, Owned
from martello.practices.resources.usage.beyond import Usual
from martello.store import usual
from martello.store.state import State, open_state

DAY = 86_400
NOW = 20_000 * DAY + 6 * 3600.0 + 100
WEB = Owned("shop", "web-1", "app", "deploy/web")
QUIET: dict[str, Any] = {
    "prometheus": "",
    "metrics_server": False,
    "context": "",
    "kubeconfig": "",
    "prometheus_token": "",
    "prometheus_user": "",
    "prometheus_header": (),
    "ca": "",
    "cert": "",
    "key": "",
    "insecure": False,
    "cluster_label": "",
    "own": None,
}


class Means(Asked):
    """Means that are at hand, one pod's, and what was asked for."""

    def __init__(self, cores: float = 0.3) -> None:
        super().__init__({**QUIET, "prometheus": "http://127.0.0.1:1"})
        self.counts = Counts()
        self.windows: list[tuple[float, float]] = []
        self.cores = cores
        self.gaps: list[Gap] = []

    def source(self) -> Any:
        return self

    def chunks(self, since: float, until: float) -> Iterator[Chunk | Gap]:
        self.windows.append((since, until))
        times = np.arange(np.ceil(since / 900) * 900, until, 900)
        values = np.where(times > NOW - 3600, self.cores, 0.3)
        yield from self.gaps
        yield Chunk(WEB, "cores", times, values)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with open_state(f"sqlite:///{tmp_path / 'state.db'}") as opened:
        yield opened


def watching(state: State, kept: Kept, where: Asked, now: list[float]) -> Using:
    return Using(where, kept, Place("live", "n1"), state, lambda: now[0])


def test_a_miner_is_told_once_a_day(state: State) -> None:
    kept, where, now = Kept(), Means(1.9), [NOW]
    watched = watching(state, kept, where, now)
    watched.look()
    assert where.windows == [(NOW - 14 * DAY, NOW - 60)]
    (event,) = kept.events
    assert event["log_text"] == (
        "processor time: 1.9 cores over 15 minutes, at most 300m in the 14 days before"
    )
    told = ("k8s_ns", "pod_name", "pod_workload", "container_name", "cluster", "ev_reason")
    assert [event[name] for name in told] == [
        "shop", "web-1", "deploy/web", "app", "live", "UsageBeyondUsual",
    ]  # fmt: skip
    assert "node" not in event
    now[0] += 300
    watched.look()
    assert len(where.windows) == 1  # no further quarter of an hour has ended
    now[0] += 900
    watched.look()
    assert where.windows[1:] == [(NOW - 60, now[0] - 60)]
    assert len(kept.events) == 1


def test_what_was_found_before_the_source_went_away_is_told(state: State) -> None:
    """It is not found once more: a quarter of an hour is judged once."""

    class Half(Means):
        def chunks(self, since: float, until: float) -> Iterator[Chunk | Gap]:
            yield from super().chunks(since, until)
            raise Unreachable("the server is away")

    kept, where, now = Kept(), Half(1.9), [NOW]
    watched = watching(state, kept, where, now)
    for kept.full, where.cores in ((True, 1.9), (False, 0.3)):
        with pytest.raises(Unreachable):
            watched.look()
        now[0] += 900
    (event,) = kept.events
    assert event["time"] < NOW * 10**9


def test_what_there_is_no_room_for_is_said(state: State) -> None:
    kept, now = Kept(), [NOW]
    watched = watching(state, kept, Means(), now)
    watched.usual = Usual(most=0)
    with pytest.raises(Unreachable, match="not all") as told:
        watched.look()
    assert told.value.why == "there is room for no more: 1 series are left out"


def test_what_was_not_kept_is_told_again(state: State) -> None:
    kept, where, now = Kept(), Means(1.9), [NOW]
    watched = watching(state, kept, where, now)
    kept.full = True
    with pytest.raises(Unreachable, match="no room"):
        watched.look()
    kept.full = False
    now[0] += 900
    watched.look()
    assert len(kept.events) == 1


def test_what_is_known_outlives_the_daemon_and_is_one_clusters(state: State) -> None:
    kept, now = Kept(), [NOW]
    watching(state, kept, Means(), now).look()
    assert kept.events == []
    rows = usual.load(state, "live")
    assert {(row.workload, row.metric, row.most) for row in rows} == {("deploy/web", "cores", 0.3)}
    assert [row.seconds for row in rows].count(900) == 15
    assert [row.seconds for row in rows].count(DAY) == 13
    assert usual.load(state, "another") == ()

    again = Means(1.9)
    watching(state, kept, again, now).look()
    assert again.windows == [(20_000 * DAY, NOW - 60)]  # the last day once more
    assert len(kept.events) == 1

    now[0] += 10 * DAY
    watching(state, kept, Means(), now).look()
    assert min(row.day for row in usual.load(state, "live")) == 20_010 - 14


def test_what_cannot_be_read_is_trouble_and_the_rest_is_learned(state: State) -> None:
    kept, where, now = Kept(), Means(1.9), [NOW]
    where.gaps = [Gap("container_cpu_usage_seconds_total{}", "it is refused", "secret")]
    with pytest.raises(Unreachable, match="not all") as raised:
        watching(state, kept, where, now).look()
    assert "it is refused" in raised.value.why
    assert len(kept.events) == 1
    where.gaps = [Gap("memory", "this container has no such series", "shop", WEB)]
    now[0] += 900
    watching(state, kept, where, now).look()


def test_metrics_server_is_read_with_the_owners_that_the_cluster_tells(
    state: State, tmp_path: Path
) -> None:
    now, cores = [NOW], ["300m"]

    def answer(path: str) -> Answer:
        at = datetime.fromtimestamp(now[0] - 5, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        used = {"cpu": cores[0], "memory": "64Mi"}
        pod = {
            "metadata": {"name": "web-1", "namespace": "shop"},
            "timestamp": at,
            "containers": [{"name": "app", "usage": used}],
        }
        return 200, {"kind": "PodMetricsList", "metadata": {}, "items": [pod]}

    rows = [usual.Row("shop", "sts/web", "app", "cores", 900, 19_990 + n, 0.3) for n in range(10)]
    usual.save(state, "live", rows, 0)
    of = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "uid": "u"}
    owner = [{**of, "controller": True}]
    web = thing("StatefulSet", "web", "shop", {})
    web["metadata"]["uid"] = "u"
    pod = thing("Pod", "web-1", "shop", {"containers": []})
    pod["metadata"]["ownerReferences"] = owner
    kept = Kept()
    with serve(answer) as server:
        config = tmp_path / "config"
        config.write_text(json.dumps(kubeconfig(server.url)))
        where = asked({**QUIET, "metrics_server": True, "kubeconfig": str(config)})
        assert where is not None
        assert where.every == 60
        where.hear(
            Cluster([resource_of(one, Nowhere(), "live") for one in (pod, web)], name="live")
        )
        watched = watching(state, kept, where, now)
        for minute in range(60):
            cores[0] = "1900m" if minute >= 29 else "300m"
            watched.look()
            now[0] += 60
    (event,) = kept.events
    assert event["pod_workload"] == "sts/web"
    assert event["log_text"].startswith("processor time: 1.9 cores over 15 minutes, at most 300m")
    assert event["time"] == int((NOW - 100 + 2700) * 1e9)  # when the quarter had ended
    assert event["seen"] == int((NOW + 44 * 60) * 1e9)


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        ({"prometheus": "http://127.0.0.1:1", "metrics_server": True}, "two sources"),
        ({"metrics_server": True}, "no cluster was named"),
        ({"prometheus_token": "token"}, "--prometheus-token speaks of a Prometheus"),
        ({"cluster_label": "cluster=a"}, "--cluster-label speaks of a Prometheus"),
        ({"prometheus": "nowhere"}, "no URL"),
    ],
)
def test_flags_that_cannot_be_followed_are_refused(flags: dict[str, Any], what: str) -> None:
    with pytest.raises(BadInput, match=what):
        asked({**QUIET, **flags})


def test_without_flags_nothing_is_read() -> None:
    assert asked(QUIET) is None
