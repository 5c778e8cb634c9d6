"""Disruption budgets and replica counts, as the controllers compute them."""

from __future__ import annotations

from typing import Any

import pytest

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, Resource, resource_of
from martello.practices.resources.budgets import covered, guarded, share
from martello.practices.resources.guards.most import at_most
from martello.practices.resources.replicas import expected, wanted


def _object(version: str, kind: str, spec: dict[str, Any], name: str = "a") -> Resource:
    metadata = {"name": name, "namespace": "shop"}
    raw = {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}
    return resource_of(raw, Nowhere())


def _deployment(**spec: Any) -> Resource:
    template = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": []}}
    return _object("apps/v1", "Deployment", {"template": template, **spec})


@pytest.mark.parametrize(
    ("value", "of", "pods"),
    [
        (0, 9, 0),
        (3, 9, 3),
        ("50%", 3, 2),
        ("67%", 3, 3),
        ("1%", 3, 1),
        ("0%", 3, 0),
        ("100%", 3, 3),
        ("150%", 10, 15),
        ("50", 3, None),
        ("-1%", 3, None),
        ("x%", 3, None),
        (True, 3, None),
        (None, 3, None),
        ("5%\n", 3, None),
    ],
)
def test_percentages_round_up(value: Any, of: int, pods: int | None) -> None:
    assert share(value, of) == pods


def _count(*world: Resource) -> int | None:
    cluster = Cluster(world)
    return expected(next(cluster.workloads()), cluster)


def test_replicas() -> None:
    assert _count(_deployment(replicas=3)) == 3
    assert _count(_deployment()) is None
    assert _count(_deployment(replicas="3")) is None
    assert _count(_deployment(replicas=True)) is None
    assert _count(_object("v1", "Pod", {"containers": []})) == 1
    template: dict[str, Any] = {"spec": {"containers": []}}
    assert _count(_object("apps/v1", "DaemonSet", {"template": template})) is None


def test_autoscalers_count_by_their_minimum() -> None:
    target = {"kind": "Deployment", "name": "a"}
    hpa = {"scaleTargetRef": target, "maxReplicas": 9}
    assert _count(_deployment(replicas=5), _scaler(hpa)) == 1
    assert _count(_deployment(), _scaler({**hpa, "minReplicas": 4})) == 4
    other = {**hpa, "scaleTargetRef": {"kind": "StatefulSet", "name": "a"}}
    assert _count(_deployment(replicas=5), _scaler(other)) == 5
    keda = {"scaleTargetRef": {"name": "a"}, "minReplicaCount": 2}
    assert _count(_deployment(), _object("keda.sh/v1alpha1", "ScaledObject", keda)) == 2
    keda = {"scaleTargetRef": {"name": "a"}}
    assert _count(_deployment(), _object("keda.sh/v1alpha1", "ScaledObject", keda)) == 0


def test_an_autoscaler_leaves_a_workload_that_is_set_to_nothing() -> None:
    target = {"kind": "Deployment", "name": "a"}
    hpa = {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 9}
    for spec, least, most in ((hpa, 0, 0), ({**hpa, "minReplicas": 0}, 0, 9)):
        cluster = Cluster([_deployment(replicas=0), _scaler(spec)])
        workload = next(cluster.workloads())
        assert (expected(workload, cluster), wanted(workload, cluster)) == (least, least)
        assert at_most(workload, cluster) == (most and most + 3)  # and maxSurge
    keda = {"scaleTargetRef": target, "minReplicaCount": 1, "maxReplicaCount": 4}
    cluster = Cluster([_deployment(replicas=0), _object("keda.sh/v1alpha1", "ScaledObject", keda)])
    workload = next(cluster.workloads())
    assert (expected(workload, cluster), at_most(workload, cluster)) == (1, 5)


def _scaler(spec: dict[str, Any]) -> Resource:
    return _object("autoscaling/v2", "HorizontalPodAutoscaler", spec)


def test_which_workloads_a_budget_covers() -> None:
    selector = {"matchLabels": {"app": "a"}}
    budget = _object("policy/v1", "PodDisruptionBudget", {"selector": selector})
    unlabelled = _object(
        "apps/v1", "StatefulSet", {"selector": selector, "template": {"spec": {"containers": []}}}
    )
    labelled = _deployment()
    cluster = Cluster([budget, labelled, unlabelled])
    assert [w.resource for w in covered(budget, cluster)] == [labelled, unlabelled]
    assert guarded(cluster) == {id(labelled), id(unlabelled)}
    everything = _object("policy/v1", "PodDisruptionBudget", {"selector": {}})
    assert len(covered(everything, Cluster([everything, labelled]))) == 1
    nothing = _object("policy/v1", "PodDisruptionBudget", {})
    assert covered(nothing, Cluster([nothing, labelled])) == []
