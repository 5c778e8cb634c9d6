"""A snapshot of metrics-server through the API server: a sample each, gaps for what is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.http import Answer, serve
from tests.support.resources.sampled import read

from martello.adapters.cluster.credentials import Credentials
from martello.adapters.cluster.kubeconfig import Access
from martello.adapters.usage import csv_file, snapshot
from martello.adapters.usage.files import Files
from martello.adapters.usage.owners import Owners
from martello.core.errors import NotPermitted, Unreachable

AT = 1_767_225_600.0


def _pod(name: str, namespace: str = "shop", **usage: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": namespace},
        "timestamp": "2026-01-01T00:00:00Z",
        "window": "15s",
        "containers": [{"name": "app", "usage": usage or {"cpu": "12345678n", "memory": "64Mi"}}],
    }


def _take(
    answer: Callable[[str], Answer], *namespaces: str, owners: Owners | None = None
) -> tuple[snapshot.Snapshot, list[str]]:
    with serve(answer) as server:
        access = Access("c", server.url, Credentials())
        return snapshot.take(access, namespaces, owners=owners), server.asked


def _items(*items: Any) -> Answer:
    return 200, {"kind": "PodMetricsList", "metadata": {}, "items": list(items)}


def test_one_sample_of_each_container_and_metric(tmp_path: Path) -> None:
    owners = Owners()
    owners.learn("shop", [{"pod": "web", "owner_kind": "StatefulSet", "owner_name": "db"}])
    taken, asked = _take(lambda path: _items(_pod("web"), _pod("x", "a")), owners=owners)
    assert asked == ["/apis/metrics.k8s.io/v1beta1/pods?limit=1000"]
    found = read(taken, 0, 1e11)
    assert found.namespaces == ["a", "shop"]
    cores = found.of("shop/web/app", "cores")
    memory = found.of("shop/web/app", "memory")
    assert (cores[0].tolist(), cores[1].tolist()) == ([AT], [0.012345678])
    assert memory[1].tolist() == [64.0 * (1 << 20)]
    assert found.workloads["shop", "web"] == "sts/db"
    assert taken.counts.samples == 4
    assert taken.counts.finished == ["a", "shop"]
    assert not read(taken, 0, AT).chunks

    csv_file.append(tmp_path / "use.csv", taken.samples)
    kept = read(Files([tmp_path / "use.csv"]), 0, 1e11)
    assert kept.of("shop/web/app", "cores")[1].tolist() == [0.012345678]
    assert kept.workloads == found.workloads


@pytest.mark.parametrize(
    "item",
    [
        None,
        [],
        {},
        {"metadata": []},
        {**_pod("web"), "metadata": {"name": 7, "namespace": "shop"}},
        {**_pod("web"), "timestamp": None},
        {**_pod("web"), "timestamp": "yesterday"},
        {**_pod("web"), "containers": {"app": 1}},
        {**_pod("web"), "containers": [7]},
        {**_pod("web"), "containers": [{"name": "app", "usage": []}]},
        _pod("web", memory="64Mi"),
        _pod("web", cpu="many", memory="64Mi"),
        _pod("web", cpu="-1", memory="64Mi"),
        _pod("web", cpu=1, memory="64Mi"),
    ],
    ids=range(14),
)
def test_what_is_no_use_is_a_gap(item: Any) -> None:
    taken, _ = _take(lambda path: _items(item, _pod("good")))
    assert len(taken.gaps) == 1
    assert {chunk.of.pod for chunk in taken.samples} <= {"good", "web"}
    assert [chunk.metric for chunk in taken.samples if chunk.of.pod == "good"] == [
        "cores",
        "memory",
    ]


def test_a_namespace_that_is_refused_is_a_gap() -> None:
    def answer(path: str) -> Answer:
        if "/namespaces/secret/" in path:
            return 403, {"message": 'User "me" cannot list resource "pods" in API group'}
        return _items(_pod("web"))

    taken, asked = _take(answer, "shop", "secret", "shop")
    assert len(asked) == 2
    (gap,) = taken.gaps
    assert gap.namespace == "secret"
    assert "me holds no rule for it" in gap.why
    assert len(taken.samples) == 2


@pytest.mark.parametrize(
    ("status", "error", "next"),
    [
        (403, NotPermitted, "ask for the right"),
        (404, Unreachable, "install metrics-server"),
        (503, Unreachable, "install metrics-server"),
        (418, Unreachable, "try again"),
    ],
)
def test_a_cluster_without_it(status: int, error: type[Exception], next: str) -> None:
    with pytest.raises(error, match="cannot read what containers use") as raised:
        _take(lambda path: (status, {"message": "no"}))
    assert next in str(raised.value)
