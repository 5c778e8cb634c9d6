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
    {"matchExpressions": [{"key": "none", "operator": "DoesNotExist"}]},
    {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["a", 3]}]},
    {"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "b", ["c"]]}]},
    {"matchExpressions": [{"key": "tier", "operator": "Exists", "values": []}]},
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


def test_several_namespaces() -> None:
    found = selection(_cluster())
    apps = found.across({"one", "two", "elsewhere"}, {"matchLabels": {"app": "a"}})
    assert [(w.namespace, w.resource.ref.name) for w in apps] == [
        ("one", "a"),
        ("one", "ax"),
        ("two", "a"),
    ]
    assert found.across(set(), {}) == ()


def test_a_fault_in_a_part_that_nothing_asks_for_is_a_fault() -> None:
    wrong = {"key": "app", "operator": "Near"}
    missing = {"key": "none", "operator": "Exists"}
    found = selection(_cluster())
    for selector in (
        {"matchLabels": {"app": "nobody"}, "matchExpressions": [wrong]},
        {"matchExpressions": [missing, wrong]},
    ):
        with pytest.raises(MalformedSelector):
            found.selected("one", selector)
        with pytest.raises(MalformedSelector):
            found.selected("elsewhere", selector)


def test_malformed_selectors_are_refused() -> None:
    found = selection(_cluster())
    with pytest.raises(MalformedSelector):
        found.selected("one", {"matchExpressions": [{"key": "app", "operator": "Near"}]})
    with pytest.raises(MalformedSelector):
        found.mapped("one", ["app"])
