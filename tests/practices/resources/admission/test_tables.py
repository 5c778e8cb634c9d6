"""LimitRange and ResourceQuota by tables: what the admission plug-ins fill in, refuse and count."""

from __future__ import annotations

from typing import Any

import pytest

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, Resource, resource_of
from martello.core.workload import Workload, workload_of
from martello.practices.resources.amounts import Malformed, Need, amounts, needs
from martello.practices.resources.limit_ranges import (
    Item,
    complaints,
    defaulted,
    items,
    orders,
)
from martello.practices.resources.quotas import about, quotas, unsaid, usage


def _object(kind: str, spec: dict[str, Any]) -> Resource:
    metadata = {"name": "x", "namespace": "shop"}
    raw = {"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec}
    return resource_of(raw, Nowhere())


def _workload(spec: dict[str, Any]) -> Workload:
    found = workload_of(_object("Pod", spec))
    assert found is not None
    return found


def _pod(*resources: Any, init: tuple[Any, ...] = ()) -> list[Need]:
    containers = [{"name": f"c{i}", "resources": r} for i, r in enumerate(resources)]
    starters = [{"name": f"i{i}", "resources": r} for i, r in enumerate(init)]
    return list(needs(_workload({"containers": containers, "initContainers": starters})))


def _range(**item: Any) -> tuple[Item, ...]:
    return items(_object("LimitRange", {"limits": [{"type": "Container", **item}]}))


@pytest.mark.parametrize(
    ("written", "milli"),
    [
        ("1", 1000),
        (1, 1000),
        (0.5, 500),
        ("100m", 100),
        ("1e-10", 1),
        ("1n", 1),
        ("1Ki", 1_024_000),
        ("0", 0),
    ],
)
def test_amounts_are_rounded_up_to_milli(written: Any, milli: int) -> None:
    assert amounts({"cpu": written}) == {"cpu": milli}


@pytest.mark.parametrize("written", ["-1", "1 Gi", "", None, True, [1]])
def test_bad_amounts_are_refused(written: Any) -> None:
    with pytest.raises(Malformed):
        amounts({"cpu": written})


@pytest.mark.parametrize(
    ("item", "limits", "requests"),
    [
        ({"default": {"cpu": "2"}}, 2000, 2000),
        ({"max": {"cpu": "3"}}, 3000, 3000),
        ({"max": {"cpu": "3"}, "default": {"cpu": "2"}}, 2000, 2000),
        ({"default": {"cpu": "2"}, "defaultRequest": {"cpu": "1"}}, 2000, 1000),
        ({"min": {"cpu": "1"}}, None, 1000),
        ({"min": {"cpu": "1"}, "default": {"cpu": "2"}}, 2000, 2000),
        ({"defaultRequest": {"cpu": "1"}}, None, 1000),
    ],
)
def test_defaults(item: dict[str, Any], limits: int | None, requests: int | None) -> None:
    (need,) = _pod({})
    filled = defaulted(need, [_range(**item)])
    assert filled.limits.get("cpu") == limits
    assert filled.requests.get("cpu") == requests


def test_what_is_written_stays_and_the_first_range_wins() -> None:
    (need,) = _pod({"limits": {"cpu": "5"}})
    filled = defaulted(need, [_range(default={"cpu": "2"}, defaultRequest={"cpu": "1"})])
    assert (filled.limits, filled.requests) == ({"cpu": 5000}, {"cpu": 5000})
    (bare,) = _pod({})
    order = [_range(default={"cpu": "2"}), _range(default={"cpu": "9"})]
    assert defaulted(bare, order).limits == {"cpu": 2000}


@pytest.mark.parametrize(
    ("item", "resources", "refused"),
    [
        ({"min": {"cpu": "1"}}, {"requests": {"cpu": "1"}}, False),
        ({"min": {"cpu": "1"}}, {"requests": {"cpu": "999m"}}, True),
        ({"min": {"cpu": "1"}}, {"limits": {"cpu": "1"}, "requests": {"cpu": "0"}}, True),
        ({"max": {"cpu": "1"}}, {"limits": {"cpu": "1"}}, False),
        ({"max": {"cpu": "1"}}, {"limits": {"cpu": "1001m"}}, True),
        ({"max": {"cpu": "1"}}, {"requests": {"cpu": "2"}}, True),
        ({"default": {"cpu": "1"}}, {"requests": {"cpu": "2"}}, True),
        (
            {"maxLimitRequestRatio": {"cpu": "2"}},
            {"limits": {"cpu": "2"}, "requests": {"cpu": "1"}},
            False,
        ),
        (
            {"maxLimitRequestRatio": {"cpu": "2"}},
            {"limits": {"cpu": "2001m"}, "requests": {"cpu": "1"}},
            True,
        ),
        ({"maxLimitRequestRatio": {"cpu": "2"}}, {"requests": {"cpu": "1"}}, True),
    ],
)
def test_containers(item: dict[str, Any], resources: dict[str, Any], refused: bool) -> None:
    order = [_range(**item)]
    for pod in (_pod(resources), _pod({"limits": {"cpu": "1"}}, init=(resources,))):
        found = complaints([defaulted(need, order) for need in pod], order)
        assert bool(found) is refused


@pytest.mark.parametrize(
    ("pod", "refused"),
    [
        (_pod({"limits": {"cpu": "1"}}, {"limits": {"cpu": "1"}}), False),
        (_pod({"limits": {"cpu": "1"}}, {"limits": {"cpu": "1001m"}}), True),
        (_pod({"limits": {"cpu": "1"}}, {}), True),
        (_pod({"limits": {"cpu": "1"}}, init=({"limits": {"cpu": "2"}},)), False),
        (_pod({"limits": {"cpu": "1"}}, init=({"limits": {"cpu": "3"}},)), True),
        (_pod({}, init=({"limits": {"cpu": "2"}},)), False),
    ],
)
def test_pods(pod: list[Need], refused: bool) -> None:
    order = [_range(type="Pod", max={"cpu": "2"})]
    assert bool(complaints(pod, order)) is refused


def test_orders_are_all_tried_up_to_a_bound() -> None:
    one = _range(default={"cpu": "1"})
    assert len(list(orders([one, one, one]))) == 6
    assert list(orders([])) == [()]
    with pytest.raises(Malformed):
        list(orders([one] * 5))


def _quota(**spec: Any) -> Any:
    (found,) = quotas(Cluster([_object("ResourceQuota", spec)]), "shop")
    return found


@pytest.mark.parametrize(
    ("key", "resources", "silent"),
    [
        ("cpu", {}, True),
        ("cpu", {"requests": {"cpu": "0"}}, False),
        ("requests.memory", {"limits": {"memory": "1"}}, False),
        ("limits.cpu", {"requests": {"cpu": "1"}}, True),
        ("limits.memory", {"limits": {"memory": "1"}}, False),
        ("requests.ephemeral-storage", {}, False),
        ("pods", {}, False),
    ],
)
def test_six_keys_force_every_container(key: str, resources: Any, silent: bool) -> None:
    quota = _quota(hard={key: "5"})
    assert bool(list(unsaid(quota, _pod(resources)))) is silent
    filled = {"limits": {"cpu": "1", "memory": "1"}}
    assert bool(list(unsaid(quota, _pod(filled, init=(resources,))))) is silent


@pytest.mark.parametrize(
    ("key", "cost"),
    [
        ("pods", 1000),
        ("count/pods", 1000),
        ("cpu", 3000),
        ("requests.cpu", 3000),
        ("limits.cpu", 5000),
        ("requests.example.com/gpu", 2000),
        ("hugepages-2Mi", 4000),
        ("count/secrets", None),
        ("services", None),
        ("example.com/gpu", None),
    ],
)
def test_what_one_pod_costs(key: str, cost: int | None) -> None:
    first = {"requests": {"cpu": "1"}, "limits": {"cpu": "2", "example.com/gpu": "2"}}
    second = {"requests": {"cpu": "2"}, "limits": {"cpu": "2", "hugepages-2Mi": "4"}}
    starter = {"requests": {"cpu": "1"}, "limits": {"cpu": "5"}}
    quota = _quota(hard={key: "9"})
    assert usage(quota, _pod(first, second, init=(starter,))).get(key) == cost


@pytest.mark.parametrize(
    ("spec", "pod", "inside"),
    [
        ({}, {}, True),
        ({"scopes": ["Terminating"]}, {"activeDeadlineSeconds": 5}, True),
        ({"scopes": ["Terminating"]}, {}, False),
        ({"scopes": ["NotTerminating"]}, {}, True),
        ({"scopes": ["BestEffort"]}, {}, True),
        ({"scopes": ["NotBestEffort"]}, {}, False),
        ({"scopes": ["BestEffort", "Terminating"]}, {}, False),
    ],
)
def test_scopes(spec: dict[str, Any], pod: dict[str, Any], inside: bool) -> None:
    workload = _workload({"containers": [{"name": "c"}], **pod})
    assert about(_quota(hard={}, **spec), workload, needs(workload)) is inside


@pytest.mark.parametrize(
    ("operator", "values", "name", "inside"),
    [
        ("In", ["high"], "high", True),
        ("In", ["high"], "low", False),
        ("NotIn", ["high"], "", True),
        ("NotIn", ["high"], "high", False),
        ("Exists", None, "high", True),
        ("Exists", None, "", False),
        ("DoesNotExist", None, "", True),
    ],
)
def test_priority_scopes(operator: str, values: Any, name: str, inside: bool) -> None:
    expression = {"scopeName": "PriorityClass", "operator": operator, "values": values}
    quota = _quota(hard={}, scopeSelector={"matchExpressions": [expression]})
    workload = _workload({"containers": [], "priorityClassName": name})
    assert about(quota, workload, ()) is inside


def test_unknown_scopes_are_not_judged() -> None:
    workload = _workload({"containers": []})
    with pytest.raises(Malformed):
        about(_quota(hard={}, scopes=["CrossNamespacePodAffinity"]), workload, ())
