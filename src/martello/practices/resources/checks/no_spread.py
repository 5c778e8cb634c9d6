"""RES-022: nothing keeps the replicas of a workload apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.path import look_up
from martello.core.selector import MalformedSelector, matches
from martello.core.workload import Workload
from martello.practices.resources.replicas import expected

_ANTI: Final = ("affinity", "podAntiAffinity")
_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"


@check(
    "RES-022",
    severity="low",
    profile="opt-in",
    kinds=("workload",),
    fix="Add a topology spread constraint, or an anti-affinity to the workload's own labels.",
    frameworks={"nsa-cisa": ["pod-security"], "mitre-attack": ["T1499"], "owasp-k8s": ["K01"]},
    aliases={"kube-linter": ("no-anti-affinity",), "polaris": ("topologySpreadConstraint",)},
    examples=(
        Example(
            True,
            """
            {apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {replicas: 3,
              template: {spec: {containers: [{name: c}], topologySpreadConstraints: [
                {maxSkew: 1, topologyKey: kubernetes.io/hostname}]}}}}
            ---
            {apiVersion: apps/v1, kind: Deployment, metadata: {name: one}, spec: {replicas: 1,
              template: {spec: {containers: [{name: c}]}}}}
            ---
            {apiVersion: apps/v1, kind: Deployment, metadata: {name: one-by-default},
              spec: {template: {spec: {containers: [{name: c}]}}}}
            ---
            {apiVersion: apps/v1, kind: DaemonSet, metadata: {name: d},
              spec: {template: {spec: {containers: [{name: c}]}}}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: apps/v1, kind: StatefulSet, metadata: {name: a}, spec: {replicas: 2,
              template: {metadata: {labels: {app: a}}, spec: {containers: [{name: c}],
                affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [
                  {topologyKey: zone, labelSelector: {matchLabels: {app: other}}},
                  {topologyKey: zone, labelSelector: {matchLabels: {app: a}}}]}}}}}}
            ---
            {apiVersion: apps/v1, kind: Deployment, metadata: {name: b}, spec: {replicas: 2,
              template: {metadata: {labels: {app: b}}, spec: {containers: [{name: c}],
                affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [
                  {weight: 1, podAffinityTerm: {topologyKey: kubernetes.io/hostname,
                    labelSelector: {matchExpressions: [{key: app, operator: Exists}]}}}]}}}}}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {replicas: 2,
              template: {spec: {containers: [{name: c}], topologySpreadConstraints: [],
                affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: []}}}}}}
            """,
            at="spec.template.spec.affinity",
        ),
        Example(
            False,
            """
            {apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {replicas: 3,
              template: {metadata: {labels: {app: a}}, spec: {containers: [{name: c}],
                affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [
                  {topologyKey: kubernetes.io/hostname,
                    labelSelector: {matchLabels: {app: other}}}]}}}}}}
            """,
            at="spec.template.spec.affinity.podAntiAffinity",
        ),
        Example(
            False,
            """
            {apiVersion: apps/v1, kind: Deployment, metadata: {name: a, namespace: shop}, spec: {
              template: {metadata: {labels: {app: a}}, spec: {containers: [{name: c}],
                affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [
                  {topologyKey: kubernetes.io/hostname, namespaces: [elsewhere],
                    labelSelector: {matchLabels: {app: a}}}]}}}}}}
            ---
            {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler,
              metadata: {name: h, namespace: shop}, spec: {minReplicas: 2, maxReplicas: 9,
                scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: a}}}
            """,
            at="spec.template.spec.affinity.podAntiAffinity",
        ),
    ),
)
def no_spread(workload: Workload, cluster: Cluster) -> Iterator[Hit]:
    """Replicas may all land on one node.

    Nothing says where the replicas belong, so the scheduler may put them side by side, and one
    node that fails takes the whole service with it. A topology spread constraint keeps them
    apart, or an anti-affinity to pods with their own labels. A node affinity does not: it says
    which nodes will do, and one of these may get them all.
    """
    count = expected(workload, cluster)
    if count is None or count < 2 or workload.pod.get("topologySpreadConstraints"):
        return
    path = (*workload.path, *_ANTI)
    try:
        if any(_keeps_apart(term, workload) for term in _terms(workload)):
            return
    except MalformedSelector as error:
        yield Hit(workload.resource, path, f"an anti-affinity is none: {error}", unassessed=True)
        return
    message = f"nothing keeps its {count} replicas apart"
    yield Hit(workload.resource, path, message)


def _terms(workload: Workload) -> Iterator[dict[str, Any]]:
    rules = look_up(workload.pod, _ANTI)
    if not isinstance(rules, dict):
        return
    yield from _mappings(rules.get(_REQUIRED))
    for weighted in _mappings(rules.get(_PREFERRED)):
        yield from _mappings([weighted.get("podAffinityTerm")])


def _mappings(value: Any) -> list[dict[str, Any]]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def _keeps_apart(term: dict[str, Any], workload: Workload) -> bool:
    """Whether a term of an anti-affinity is about the pods of the workload itself."""
    spaces = term.get("namespaces")
    if isinstance(spaces, list) and spaces and workload.namespace not in spaces:
        return term.get("namespaceSelector") is not None  # may be its own: not ours to tell
    return matches(term.get("labelSelector"), workload.labels)
