"""RES-012: the quota of the namespace refuses pods."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.workload import Workload
from martello.practices.resources.amounts import Malformed, Need, needs, show, with_sidecars
from martello.practices.resources.limit_ranges import defaulted, orders, ranges
from martello.practices.resources.quotas import Quota, about, quotas, unsaid, usage
from martello.practices.resources.replicas import expected


@check(
    "RES-012",
    severity="medium",
    kinds=("workload",),
    fix="Give the containers requests and limits that fit, or raise the quota.",
    frameworks={"nsa-cisa": ["pod-security"], "owasp-k8s": ["K01"]},
    examples=(
        Example(
            True,
            """
            {apiVersion: v1, kind: ResourceQuota, metadata: {name: q, namespace: shop},
              spec: {hard: {limits.memory: 2Gi, pods: 2, count/configmaps: 1}}}
            ---
            {apiVersion: apps/v1, kind: Deployment, metadata: {name: a, namespace: shop},
              spec: {replicas: 2, template: {spec: {initContainers: [
                {name: i, resources: {limits: {memory: 1Gi}}}],
                containers: [{name: c, resources: {limits: {memory: 1Gi}}}]}}}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: ResourceQuota, metadata: {name: q, namespace: shop},
              spec: {hard: {requests.cpu: 1}, scopes: [Terminating]}}
            ---
            {apiVersion: v1, kind: ResourceQuota, metadata: {name: r, namespace: shop},
              spec: {hard: {memory: 1Gi}}}
            ---
            {apiVersion: v1, kind: LimitRange, metadata: {name: l, namespace: shop},
              spec: {limits: [{type: Container, default: {memory: 64Mi}}]}}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop},
              spec: {containers: [{name: c}]}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: ResourceQuota, metadata: {name: q, namespace: shop},
              spec: {hard: {limits.memory: 2Gi}}}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop}, spec: {containers: [
              {name: c, resources: {limits: {memory: 1Gi}}}, {name: d}]}}
            """,
            at="spec.containers[1]",
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: ResourceQuota, metadata: {name: q, namespace: shop},
              spec: {hard: {cpu: 1}}}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop}, spec: {containers: [
              {name: c, resources: {requests: {cpu: 1001m}}}]}}
            """,
            at="spec",
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: ResourceQuota, metadata: {name: q, namespace: shop},
              spec: {hard: {pods: 3}}}
            ---
            {apiVersion: apps/v1, kind: Deployment, metadata: {name: a, namespace: shop},
              spec: {replicas: 5, template: {spec: {containers: [{name: c}]}}}}
            """,
            at="spec.template.spec",
        ),
    ),
)
def quota_rejects_pod(workload: Workload, cluster: Cluster) -> Iterator[Hit]:
    """Quota of the namespace refuses the pods.

    The API server takes a Deployment whatever the quota says and refuses its pods, so that some
    or all replicas never appear. A quota is taken as in force, and as used by nobody else.
    """
    resource = workload.resource
    reason = cluster.unlisted.get("ResourceQuota") or cluster.unlisted.get("LimitRange")
    if reason is not None:
        message = f"quotas or LimitRanges could not be read: {reason}"
        yield Hit(resource, workload.path, message, unassessed=True)
        return
    try:
        found = quotas(cluster, workload.namespace)
        if not found:
            return
        if with_sidecars(workload):
            raise Malformed(workload.path, "how sidecars are added up differs between versions")
        given = ranges(cluster, workload.namespace)
        plain = needs(workload)
        hits = [
            list(_refused(workload, [defaulted(n, order) for n in plain], found, cluster))
            for order in orders(given)
        ]
    except Malformed as error:
        yield Hit(resource, workload.path, str(error), unassessed=True)
        return
    if len({bool(answer) for answer in hits}) > 1:
        message = "the LimitRanges contradict each other, and the server applies them in any order"
        yield Hit(resource, workload.path, message, unassessed=True)
        return
    yield from hits[0]


def _refused(
    workload: Workload, wanted: Sequence[Need], found: Sequence[Quota], cluster: Cluster
) -> Iterator[Hit]:
    for quota in found:
        if not about(quota, workload, wanted):
            continue
        where = f"ResourceQuota {quota.resource.ref.name}"
        silent = list(unsaid(quota, wanted))
        for need, what in silent:
            yield Hit(workload.resource, need.path, f"{what} must be given ({where})", need.name)
        if silent:
            continue
        least = expected(workload, cluster)
        count = 1 if least is None else least
        for key, amount in usage(quota, wanted).items():
            hard = quota.hard[key]
            fitting = hard // amount if amount else count
            if fitting < count:
                message = f"{key}: {fitting} of {count} pods fit into {show(hard)} ({where})"
                yield Hit(workload.resource, workload.path, message)
