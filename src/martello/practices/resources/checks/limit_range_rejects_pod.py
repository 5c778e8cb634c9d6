"""RES-011: the LimitRange of the namespace refuses the pods."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.workload import Workload
from martello.practices.resources.admission.limit_ranges import ranges
from martello.practices.resources.admission.pipeline import folded, pods_outcomes
from martello.practices.resources.admission.pods import pod_from
from martello.practices.resources.amounts import Malformed


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
        answers = pods_outcomes(cluster, workload.namespace, pod_from(workload), workload.path, ())
    except Malformed as error:
        yield Hit(resource, workload.path, str(error), unassessed=True)
        return
    answer = folded(answers, found)
    if answer.verdict == "unassessed" or answer.code == 400:
        reason = answer.reason or answer.messages[0].text
        yield Hit(resource, workload.path, reason, unassessed=True)
        return
    paths = {c.path: c.name for c in workload.containers}
    for told in answer.messages:
        if answer.code == 422 or told.by in [group[0].owner for group in found if group]:
            cut = len(workload.path) + 2
            name = paths.get(told.path[:cut], "")
            path = told.path[: cut + 1] if name else told.path or workload.path
            yield Hit(resource, path, told.text, name)
