"""RES-019: several replicas and no disruption budget."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.workload import Workload
from martello.practices.resources.budgets import BUDGET, guarded
from martello.practices.resources.replicas import expected


@check(
    "RES-019",
    severity="low",
    profile="opt-in",
    kinds=("workload",),
    fix="Add a PodDisruptionBudget with maxUnavailable: 1 that selects these pods.",
    frameworks={"nsa-cisa": ["pod-security"], "mitre-attack": ["T1499"], "owasp-k8s": ["K01"]},
    aliases={"polaris": ("missingPodDisruptionBudget",)},
    examples=(
        Example(
            True,
            """
            {apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {replicas: 2,
              template: {metadata: {labels: {app: a}}, spec: {containers: [{name: c}]}}}}
            ---
            {apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: b},
              spec: {maxUnavailable: 1, selector: {matchLabels: {app: a}}}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {replicas: 1,
              template: {metadata: {labels: {app: a}}, spec: {containers: [{name: c}]}}}}
            ---
            {apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: r}, spec: {replicas: 3,
              template: {metadata: {labels: {app: r}}, spec: {containers: [{name: c}]}}}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: apps/v1, kind: StatefulSet, metadata: {name: a}, spec: {replicas: 3,
              template: {metadata: {labels: {app: a}}, spec: {containers: [{name: c}]}}}}
            ---
            {apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: b},
              spec: {maxUnavailable: 1, selector: {matchLabels: {app: b}}}}
            """,
            at="metadata.name",
        ),
        Example(
            False,
            """
            {apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {
              template: {metadata: {labels: {app: a}}, spec: {containers: [{name: c}]}}}}
            ---
            {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: h}, spec: {
              minReplicas: 2, maxReplicas: 9,
              scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: a}}}
            """,
            at="metadata.name",
        ),
    ),
)
def disruption_budget_missing(workload: Workload, cluster: Cluster) -> Iterator[Hit]:
    """Several replicas and no disruption budget.

    While nodes are drained for an upgrade nothing keeps the last replicas from being evicted at
    the same time. A budget makes the drain wait for the new pods.
    """
    resource = workload.resource
    if resource.ref.kind not in ("Deployment", "StatefulSet", "DeploymentConfig"):
        return
    count = expected(workload, cluster)
    if count is None or count < 2 or id(resource) in guarded(cluster):
        return
    path = ("metadata", "name")
    reason = cluster.unlisted.get(BUDGET)
    if reason is not None:
        yield Hit(resource, path, f"budgets could not be read: {reason}", unassessed=True)
        return
    message = f"no PodDisruptionBudget covers these {count} replicas"
    yield Hit(resource, path, message)
