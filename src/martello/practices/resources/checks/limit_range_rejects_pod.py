"""RES-011: the LimitRange of the namespace refuses the pods."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.workload import Workload
from martello.practices.resources.amounts import Malformed, needs, with_sidecars
from martello.practices.resources.limit_ranges import complaints, defaulted, orders, ranges


@check(
    "RES-011",
    severity="medium",
    kinds=("workload",),
    fix="Change requests and limits to what the LimitRange allows, or the LimitRange.",
    frameworks={"nsa-cisa": ["pod-security"], "owasp-k8s": ["K01"]},
    examples=(
        Example(
            True,
            """
            {apiVersion: v1, kind: LimitRange, metadata: {name: l, namespace: shop},
              spec: {limits: [{type: Container, max: {memory: 1Gi}, min: {memory: 64Mi}}]}}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop},
              spec: {containers: [{name: c}, {name: d, resources: {limits: {memory: 64Mi}}}]}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: LimitRange, metadata: {name: l, namespace: other},
              spec: {limits: [{type: Container, max: {memory: 1Mi}}]}}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop},
              spec: {containers: [{name: c, resources: {limits: {memory: 64Mi}}}]}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: LimitRange, metadata: {name: l, namespace: shop},
              spec: {limits: [{type: Container, max: {memory: 1Gi}}]}}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop},
              spec: {containers: [{name: c, resources: {limits: {memory: 2Gi}}}]}}
            """,
            at="spec.containers[0].resources",
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: LimitRange, metadata: {name: l, namespace: shop},
              spec: {limits: [{type: Container, default: {memory: 1Gi}}]}}
            ---
            {apiVersion: apps/v1, kind: Deployment, metadata: {name: a, namespace: shop},
              spec: {template: {spec: {containers: [
                {name: c, resources: {requests: {memory: 2Gi}}}]}}}}
            """,
            at="spec.template.spec.containers[0].resources",
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: LimitRange, metadata: {name: l, namespace: shop},
              spec: {limits: [{type: Pod, max: {cpu: 1}}]}}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop}, spec: {containers: [
              {name: c, resources: {limits: {cpu: 600m}}}, {name: d,
                resources: {limits: {cpu: 0.5}}}]}}
            """,
            at="spec",
        ),
    ),
)
def limit_range_rejects_pod(workload: Workload, cluster: Cluster) -> Iterator[Hit]:
    """LimitRange of the namespace refuses the pods.

    The API server takes the Deployment and refuses each of its pods, so that the rollout stands
    still and only the events say why. Defaults are filled in first, and may be what makes a pod
    invalid.
    """
    resource = workload.resource
    reason = cluster.unlisted.get("LimitRange")
    if reason is not None:
        message = f"LimitRanges could not be read: {reason}"
        yield Hit(resource, workload.path, message, unassessed=True)
        return
    try:
        found = ranges(cluster, workload.namespace)
        if not any(found):
            return
        if with_sidecars(workload) and any(i.type == "Pod" for group in found for i in group):
            raise Malformed(workload.path, "how sidecars are added up differs between versions")
        wanted = needs(workload)
        answers = []
        for order in orders(found):
            answers.append(complaints([defaulted(need, order) for need in wanted], order))
    except Malformed as error:
        yield Hit(resource, workload.path, str(error), unassessed=True)
        return
    if len({bool(answer) for answer in answers}) > 1:
        message = "the LimitRanges contradict each other, and the server applies them in any order"
        yield Hit(resource, workload.path, message, unassessed=True)
        return
    names = {need.path: need.name for need in wanted}
    for complaint in answers[0]:
        path = complaint.path or workload.path
        yield Hit(resource, path, complaint.text, names.get(complaint.path, ""))
