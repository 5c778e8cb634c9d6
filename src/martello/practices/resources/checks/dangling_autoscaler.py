"""RES-026: an autoscaler that scales nothing."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.resources.replicas import AUTOSCALER, target


@check(
    "RES-026",
    severity="low",
    profile="strict",
    kinds=(AUTOSCALER,),
    needs=("workload",),
    fix="Correct kind and name of the scaleTargetRef, or delete the autoscaler.",
    frameworks={"nsa-cisa": ["pod-security"], "mitre-attack": ["T1499"], "owasp-k8s": ["K01"]},
    aliases={"kube-linter": ("dangling-horizontalpodautoscaler",), "kubescape": ("C-0300",)},
    examples=(
        Example(
            True,
            """
            {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: h}, spec: {
              maxReplicas: 9, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: a}}}
            ---
            {apiVersion: apps/v1, kind: Deployment, metadata: {name: a},
              spec: {template: {spec: {containers: [{name: c}]}}}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: h}, spec: {
              maxReplicas: 9, scaleTargetRef: {apiVersion: example.com/v1, kind: Farm, name: a}}}
            ---
            {apiVersion: apps/v1, kind: Deployment, metadata: {name: b},
              spec: {template: {spec: {containers: [{name: c}]}}}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler,
              metadata: {name: h, namespace: shop}, spec: {
              maxReplicas: 9, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: a}}}
            ---
            {apiVersion: apps/v1, kind: Deployment, metadata: {name: a, namespace: other},
              spec: {template: {spec: {containers: [{name: c}]}}}}
            """,
            at="spec.scaleTargetRef",
        ),
        Example(
            False,
            """
            {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: h}, spec: {
              maxReplicas: 9, scaleTargetRef: {apiVersion: apps/v1, kind: StatefulSet, name: a}}}
            ---
            {apiVersion: apps/v1, kind: Deployment, metadata: {name: a},
              spec: {template: {spec: {containers: [{name: c}]}}}}
            """,
            at="spec.scaleTargetRef",
        ),
    ),
)
def dangling_autoscaler(scaler: Resource, cluster: Cluster) -> Iterator[Hit]:
    """An autoscaler that scales nothing.

    Its target was renamed or is gone, so the workload that it was written for no longer grows
    with its load. Targets of a kind that is not built in are judged where such objects are
    here.
    """
    aim = target(scaler)
    path = ("spec", "scaleTargetRef")
    if aim is None:
        yield Hit(scaler, path, "scaleTargetRef names no kind and name", unassessed=True)
        return
    namespace, kind, name = aim
    kinds = [k for k in cluster.kinds if k.partition(".")[0] == kind]
    if any(cluster.get(k, namespace, name) is not None for k in kinds):
        return
    built_in = kind in ("Deployment", "StatefulSet", "ReplicaSet", "ReplicationController")
    if not built_in and not kinds:
        return
    where = "" if cluster.complete else " within these files"
    yield Hit(scaler, path, f"there is no {kind} {name}{where}")
