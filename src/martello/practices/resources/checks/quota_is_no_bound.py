"""RES-010: a quota that leaves the use unbounded."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.resources.admission.bounds import bounds
from martello.practices.resources.amounts import Malformed


@check(
    "RES-010",
    severity="medium",
    profile="strict",
    kinds=("ResourceQuota",),
    fix="Bound limits.* too, or add a LimitRange with a maximum and defaults.",
    frameworks={"nsa-cisa": ["pod-security"], "mitre-attack": ["T1499"], "owasp-k8s": ["K01"]},
    examples=(
        Example(
            True,
            """
            {apiVersion: v1, kind: ResourceQuota, metadata: {name: q, namespace: shop},
              spec: {hard: {requests.memory: 1Gi, limits.memory: 2Gi, count/pods: 9, pods: 9}}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: ResourceQuota, metadata: {name: q, namespace: shop},
              spec: {hard: {memory: 1Gi, cpu: 1, ephemeral-storage: 1Gi, pods: 9}}}
            ---
            {apiVersion: v1, kind: LimitRange, metadata: {name: l, namespace: shop},
              spec: {limits: [{type: Container, default: {ephemeral-storage: 1Gi}},
                {type: Pod, max: {memory: 1Gi, cpu: 1}}]}}
            ---
            {apiVersion: batch/v1, kind: Job, metadata: {name: j, namespace: shop},
              spec: {ttlSecondsAfterFinished: 60, template: {spec: {containers: [{name: c}]}}}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: ResourceQuota, metadata: {name: q, namespace: shop},
              spec: {hard: {requests.memory: 1Gi}}}
            ---
            {apiVersion: v1, kind: ResourceQuota, metadata: {name: q, namespace: other},
              spec: {hard: {limits.memory: 1Gi}}}
            """,
            at="spec.hard",
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: ResourceQuota, metadata: {name: q, namespace: shop},
              spec: {hard: {pods: 9}}}
            ---
            {apiVersion: batch/v1, kind: Job, metadata: {name: j, namespace: shop},
              spec: {template: {spec: {containers: [{name: c}]}}}}
            """,
            at="spec.hard.pods",
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: ResourceQuota, metadata: {name: q, namespace: shop},
              spec: {hard: {requests.ephemeral-storage: 9Gi}}}
            ---
            {apiVersion: v1, kind: LimitRange, metadata: {name: l, namespace: shop},
              spec: {limits: [{type: Container, default: {memory: 1Gi}}]}}
            """,
            at="spec.hard",
        ),
    ),
)
def quota_is_no_bound(quota: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Quota leaves the use unbounded.

    A quota of requests is kept by asking for little and using much, `pods` counts no finished
    pods, and a quota of local storage forces nobody to say a limit. The namespace looks fenced
    in, and a single pod of it can still fill a node.
    """
    path = ("spec", "hard")
    try:
        found = bounds(cluster, quota.ref.namespace)
    except Malformed as error:
        yield Hit(quota, path, str(error), unassessed=True)
        return
    told: dict[str, Hit] = {}
    for bound in found:
        name = bound.resource.partition(" ")[0]
        for hole in bound.holes:
            if hole.quota is not quota:
                continue
            if hole.kind == "use" and name != "ephemeral-storage":
                words = f"bounds the requests of {name} and not what pods may use"
                told[name] = Hit(quota, path, words)
            elif hole.kind in ("use", "silent"):
                words = "bounds local storage, and no container has to give a limit"
                told[name] = Hit(quota, path, words)
            elif hole.kind == "finished" and _piles_up(quota.ref.namespace, cluster):
                words = "does not count finished pods, and Jobs that nothing removes leave them"
                told[name] = Hit(quota, (*path, "pods"), f"{words} behind")
    yield from told.values()


def _piles_up(namespace: str, cluster: Cluster) -> bool:
    return any(
        job.spec.get("ttlSecondsAfterFinished") is None and not job.metadata.get("ownerReferences")
        for job in cluster.of_kind("Job.batch", namespace)
    )
