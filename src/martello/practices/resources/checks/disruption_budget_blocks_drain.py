"""RES-020: a disruption budget that never lets a pod go."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.core.selector import MalformedSelector
from martello.practices.resources.budgets import BUDGET, covered, share
from martello.practices.resources.replicas import expected


@check(
    "RES-020",
    severity="medium",
    kinds=(BUDGET,),
    fix="Use maxUnavailable: 1, or a minAvailable below the number of replicas.",
    frameworks={"nsa-cisa": ["pod-security"], "mitre-attack": ["T1499"], "owasp-k8s": ["K01"]},
    aliases={
        "kube-linter": ("pdb-max-unavailable", "pdb-min-available"),
        "polaris": ("pdbDisruptionsIsZero", "pdbMinAvailableGreaterThanHPAMinReplicas"),
    },
    examples=(
        Example(
            True,
            """
            {apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: b},
              spec: {minAvailable: 2, selector: {matchLabels: {app: a}}}}
            ---
            {apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {replicas: 3,
              template: {metadata: {labels: {app: a}}, spec: {containers: [{name: c}]}}}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: b},
              spec: {maxUnavailable: 1%, selector: {matchLabels: {app: a}}}}
            ---
            {apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: d},
              spec: {minAvailable: 5, selector: {matchLabels: {app: a}}}}
            ---
            {apiVersion: apps/v1, kind: DaemonSet, metadata: {name: a}, spec: {
              template: {metadata: {labels: {app: a}}, spec: {containers: [{name: c}]}}}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: b},
              spec: {minAvailable: 1, selector: {matchLabels: {app: a}}}}
            ---
            {apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {replicas: 0,
              template: {metadata: {labels: {app: a}}, spec: {containers: [{name: c}]}}}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: b},
              spec: {maxUnavailable: 0%, selector: {matchLabels: {app: a}}}}
            """,
            at="spec.maxUnavailable",
        ),
        Example(
            False,
            """
            {apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: b},
              spec: {minAvailable: 100%, selector: {matchLabels: {app: a}}}}
            """,
            at="spec.minAvailable",
        ),
        Example(
            False,
            """
            {apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: b},
              spec: {minAvailable: 67%, selector: {matchLabels: {app: a}}}}
            ---
            {apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {replicas: 3,
              template: {metadata: {labels: {app: a}}, spec: {containers: [{name: c}]}}}}
            """,
            at="spec.minAvailable",
        ),
        Example(
            False,
            """
            {apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: b},
              spec: {minAvailable: 2, selector: {matchLabels: {app: a}}}}
            ---
            {apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {replicas: 9,
              selector: {matchLabels: {app: a}}, template: {spec: {containers: [{name: c}]}}}}
            ---
            {apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: k},
              spec: {minReplicaCount: 2, scaleTargetRef: {name: a}}}
            """,
            at="spec.minAvailable",
        ),
    ),
)
def disruption_budget_blocks_drain(budget: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Disruption budget never lets a pod go.

    A node with such a pod cannot be drained, so that upgrades stop there or somebody forces
    them and every pod goes at once. An autoscaler counts with the least number that it may
    scale down to.
    """
    most, least = budget.spec.get("maxUnavailable"), budget.spec.get("minAvailable")
    if most is not None:
        yield from _limit(budget, most)
        return
    if least is None:
        return
    path = ("spec", "minAvailable")
    if share(least, 0) is None:
        message = "minAvailable is neither a number nor a percentage"
        yield Hit(budget, path, message, unassessed=True)
        return
    if isinstance(least, str) and int(least[:-1]) >= 100:
        yield Hit(budget, path, f"all pods must stay: minAvailable is {least}")
        return
    try:
        counts = [expected(w, cluster) for w in covered(budget, cluster)]
    except MalformedSelector as error:
        yield Hit(budget, ("spec", "selector"), str(error), unassessed=True)
        return
    known = [count for count in counts if count is not None]
    total = sum(known)
    needed = share(least, total)
    if len(known) < len(counts) or not total or needed is None or needed < total:
        return
    pods = "the only pod" if total == 1 else f"all {total} pods"
    yield Hit(budget, path, f"{pods} must stay: minAvailable is {least}")


def _limit(budget: Resource, most: object) -> Iterator[Hit]:
    path = ("spec", "maxUnavailable")
    allowed = share(most, 100)
    if allowed is None:
        message = "maxUnavailable is neither a number nor a percentage"
        yield Hit(budget, path, message, unassessed=True)
    elif allowed <= 0:
        yield Hit(budget, path, f"no pod may go: maxUnavailable is {most}")
