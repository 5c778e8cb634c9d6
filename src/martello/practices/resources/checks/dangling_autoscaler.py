"""RES-026: an autoscaler that scales nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.path import look_up
from martello.core.resource import Resource
from martello.practices.resources.replicas import AUTOSCALER, target

_BUILT_IN: Final = frozenset(("Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"))


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
            True,
            """
            {apiVersion: autoscaling/v1, kind: HorizontalPodAutoscaler, metadata: {name: h}, spec: {
              maxReplicas: 9, scaleTargetRef: {apiVersion: apps/v1beta2, kind: Deployment,
              name: a}}}
            ---
            {apiVersion: apps/v1, kind: Deployment, metadata: {name: a},
              spec: {template: {spec: {containers: [{name: c}]}}}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: h}, spec: {
              maxReplicas: 9, scaleTargetRef: {kind: Deployment, name: a}}}
            ---
            {apiVersion: apps/v1, kind: Deployment, metadata: {name: a},
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
    """Autoscaler scales nothing.

    Its target was renamed or is gone, or is looked for in the wrong API group, so the workload
    that it was written for no longer grows with its load. Targets of a kind that is not built in
    are judged where such objects are here.
    """
    aim = target(scaler)
    path = ("spec", "scaleTargetRef")
    if aim is None:
        yield Hit(scaler, path, "scaleTargetRef names no kind and name", unassessed=True)
        return
    namespace, kind, name = aim
    group = _group(scaler)
    meant = f"{kind}.{group}" if group else kind
    if any(cluster.meant(meant, namespace, name)):
        return
    built_in = kind in _BUILT_IN and "." not in group
    if not built_in and meant not in cluster.kinds:
        return
    where = "" if cluster.complete else " within these files"
    yield Hit(scaler, path, f"there is no {meant} {name}{where}")


def _group(scaler: Resource) -> str:
    """The API group that the target is looked for in; its version does not matter."""
    version = look_up(scaler.spec, ("scaleTargetRef", "apiVersion"))
    group = version.rpartition("/")[0] if isinstance(version, str) else ""
    return "apps" if group == "extensions" else group
