"""NET-025: no network policy isolates a workload."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.workload import Workload
from martello.practices.network.lint.policies import isolation, on_host_network, unread


@check(
    "NET-025",
    severity="high",
    kinds=("workload",),
    params={
        "directions": {
            "type": "array",
            "items": {"type": "string", "enum": ["Ingress", "Egress"]},
            "default": ["Ingress"],
            "doc": "the directions in which every workload must be isolated",
        }
    },
    fix=("Add a default deny to the namespace, then a policy that allows what the workload needs."),
    frameworks={
        "cis-kubernetes": ["5.3.2"],
        "nsa-cisa": ["network-separation"],
        "mitre-attack": ["T1046"],
        "owasp-k8s": ["K07"],
    },
    aliases={
        "kube-linter": ("non-isolated-pod",),
        "checkov": ("CKV2_K8S_6",),
        "kubescape": ("C-0030", "C-0260"),
        "polaris": ("missingNetworkPolicy",),
    },
    examples=(
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {containers: []}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {matchLabels: {app: a}}, egress: [{}]}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {hostNetwork: true,
              containers: []}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {containers: []}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {}, policyTypes: [Egress], ingress: [{}]}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy,
              metadata: {name: p, namespace: other}, spec: {podSelector: {}}}
            """,
            at="metadata.labels",
        ),
        Example(
            False,
            """
            {apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {template: {
              metadata: {labels: {app: a}}, spec: {containers: []}}}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {matchLabels: {app: a}}, ingress: []}}
            """,
            at="spec.template.metadata.labels",
            params={"directions": ["Egress"]},
        ),
    ),
)
def unisolated_workload(
    workload: Workload, cluster: Cluster, *, params: Mapping[str, Any]
) -> Iterator[Hit]:
    """No network policy isolates a workload.

    Every pod of the cluster, and whatever reaches the pod network, can connect to each of its
    ports. One broken-into pod is then a way to all others. Pods on the network of their node
    are out of reach of policies and are not meant here.
    """
    if on_host_network(workload):
        return
    isolated = isolation(cluster)
    open_ways = [d for d in params["directions"] if not isolated.isolates(workload, d)]
    if not open_ways:
        return
    path = (*workload.metadata_path, "labels")
    reason = isolated.broken.get(workload.namespace, "")
    if unread(cluster) and not reason:
        from martello.practices.network.lint.together import isolated_otherwise

        sides = {"Ingress": "in", "Egress": "out"}
        told = {d: isolated_otherwise(cluster, workload.resource, sides[d]) for d in open_ways}
        open_ways = [d for d in open_ways if not told[d][0]]
        reason = next((told[d][1] for d in open_ways if told[d][1]), "")
        if not open_ways:
            return
    if reason:
        yield Hit(workload.resource, path, f"cannot tell: {reason}", unassessed=True)
        return
    ways = " or ".join(way.lower() for way in open_ways)
    yield Hit(workload.resource, path, f"no network policy restricts the {ways} of these pods")
