"""RES-012: the quota of the namespace refuses pods."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.workload import Workload
from martello.practices.resources.admission.charges import unsaid
from martello.practices.resources.admission.quotas import fresh, quotas
from martello.practices.resources.admission.workloads import made
from martello.practices.resources.amounts import Malformed


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
        held = [fresh(quota) for quota in quotas(cluster, workload.namespace)]
        if not held:
            return
        answer = made(cluster, workload, held)
    except Malformed as error:
        yield Hit(resource, workload.path, str(error), unassessed=True)
        return
    if answer.verdict == "unassessed" or answer.code == 400:
        reason = answer.reason or answer.messages[0].text
        yield Hit(resource, workload.path, reason, unassessed=True)
        return
    for told in answer.messages:
        by = told.by
        if by is None or by.ref.kind != "ResourceQuota":
            continue
        where = f"ResourceQuota {by.ref.name}"
        needs = answer.treated.needs if answer.treated is not None else ()
        quota = next(q for q in held if q.resource is by)
        silent = unsaid(quota.keys("pods"), needs) if "must specify" in told.text else {}
        for what, those in silent.items():
            for need in those:
                yield Hit(
                    resource,
                    (*answer.prefix, *need.path),
                    f"{what} must be given ({where})",
                    need.name,
                )
        if not silent:
            count = f"{answer.fitting} of {answer.wanted} pods fit"
            yield Hit(resource, workload.path, f"{count}: {told.text}")
