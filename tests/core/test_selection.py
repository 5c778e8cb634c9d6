"""The index by label answers what a walk over every workload answers."""

from __future__ import annotations

from typing import Any

import pytest

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, resource_of
from martello.core.selection import selection
from martello.core.selector import MalformedSelector, matches

_SELECTORS: tuple[Any, ...] = (
    None,
    {},
    {"matchLabels": {"app": "a"}},
    {"matchLabels": {"app": "a", "tier": "x"}},
    {"matchLabels": {"app": "nobody"}},
    {"matchLabels": {"app": 1}},
    {"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]},
    {"matchLabels": {"app": "b"}, "matchExpressions": [{"key": "tier", "operator": "Exists"}]},
)


def _pod(namespace: str, name: str, labels: dict[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": namespace, "name": name, "labels": labels},
        "spec": {"containers": [{"name": "c"}]},
    }


def _cluster() -> Cluster:
    pods = [
        _pod("one", "a", {"app": "a"}),
        _pod("one", "ax", {"app": "a", "tier": "x"}),
        _pod("one", "bx", {"app": "b", "tier": "x"}),
        _pod("two", "a", {"app": "a"}),
        _pod("", "none", {}),
    ]
    return Cluster(resource_of(pod, Nowhere()) for pod in pods)


@pytest.mark.parametrize("selector", _SELECTORS)
@pytest.mark.parametrize("namespace", ["one", "two", "", "elsewhere"])
def test_index_equals_walk(namespace: str, selector: Any) -> None:
    cluster = _cluster()
    walked = tuple(w for w in cluster.workloads(namespace) if matches(selector, w.labels))
    found = selection(cluster)
    assert found.selected(namespace, selector) == walked
    assert found.selected(namespace, selector) is found.selected(namespace, selector)


def test_plain_maps_and_namespaces() -> None:
    found = selection(_cluster())
    assert [w.resource.ref.name for w in found.mapped("one", {"tier": "x"})] == ["ax", "bx"]
    assert found.namespaces == ("", "one", "two")
    assert len(found.of("one")) == 3


def test_malformed_selectors_are_refused() -> None:
    found = selection(_cluster())
    with pytest.raises(MalformedSelector):
        found.selected("one", {"matchExpressions": [{"key": "app", "operator": "Near"}]})
    with pytest.raises(MalformedSelector):
        found.mapped("one", ["app"])
