"""LimitRange defaults, as the admission plug-in fills them in."""

from __future__ import annotations

from typing import Any

import pytest

from martello.core.cluster import Cluster
from martello.core.limits import effective, filled_in
from martello.core.resource import Nowhere, resource_of
from martello.core.workload import workload_of


def cluster(*items: dict[str, Any]) -> Cluster:
    made = [
        {
            "apiVersion": "v1",
            "kind": "LimitRange",
            "metadata": {"name": f"r{n}", "namespace": "shop"},
            "spec": {"limits": [item]},
        }
        for n, item in enumerate(items)
    ]
    return Cluster(resource_of(raw, Nowhere()) for raw in made)


@pytest.mark.parametrize(
    ("item", "limits", "requests"),
    [
        ({"default": {"memory": "1Gi"}}, {"memory": "1Gi"}, {"memory": "1Gi"}),
        ({"max": {"memory": "2Gi"}}, {"memory": "2Gi"}, {"memory": "2Gi"}),
        ({"max": {"cpu": 2}, "default": {"cpu": 1}}, {"cpu": "1"}, {"cpu": "1"}),
        ({"defaultRequest": {"cpu": "1"}}, {}, {"cpu": "1"}),
        ({"min": {"cpu": "1"}}, {}, {"cpu": "1"}),
        (
            {"min": {"cpu": "1"}, "max": {"cpu": "4"}, "defaultRequest": {"cpu": "2"}},
            {"cpu": "4"},
            {"cpu": "2"},
        ),
    ],
)
def test_derived_defaults(
    item: dict[str, Any], limits: dict[str, str], requests: dict[str, str]
) -> None:
    found = filled_in(cluster({"type": "Container", **item}), "shop")
    assert found is not None
    assert (found.limits, found.requests) == (limits, requests)


@pytest.mark.parametrize("item", [{"type": "Pod", "max": {"cpu": "1"}}, {"type": "Container"}, {}])
def test_nothing_is_filled_in(item: dict[str, Any]) -> None:
    assert filled_in(cluster(item), "shop") is None
    assert filled_in(cluster({"type": "Container", "default": {"cpu": 1}}), "ci") is None


def test_own_values_win_and_ephemeral_containers_get_nothing() -> None:
    raw = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {
            "containers": [{"name": "a", "resources": {"limits": {"memory": "5Gi"}}}],
            "initContainers": [{"name": "b"}],
            "ephemeralContainers": [{"name": "c"}],
        },
    }
    workload = workload_of(resource_of(raw, Nowhere()))
    given = {"type": "Container", "default": {"memory": "1Gi", "cpu": "1"}}
    filled = filled_in(cluster(given), "shop")
    assert workload is not None
    assert filled is not None
    seen = effective(workload, filled)
    limits = {c.name: c.raw["resources"].get("limits") for c in seen.containers}
    assert limits == {
        "a": {"memory": "5Gi", "cpu": "1"},
        "b": {"memory": "1Gi", "cpu": "1"},
        "c": None,
    }
    assert seen.pod["containers"][0] is seen.containers[0].raw
    assert workload.containers[1].raw["resources"] == {}
