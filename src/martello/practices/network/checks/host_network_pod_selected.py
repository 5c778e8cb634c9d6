"""NET-024: a policy that selects pods on the network of their node."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.selector import MalformedSelector, matches
from martello.core.workload import Workload
from martello.practices.network.lint.policies import (
    POLICY,
    on_host_network,
    pod_selector,
    selects_all,
)


@check(
    "NET-024",
    severity="medium",
    kinds=("workload",),
    fix="Take the pods off the network of their node, or guard the node by a firewall.",
    frameworks={"nsa-cisa": ["network-separation"], "owasp-k8s": ["K07"]},
    examples=(
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {containers: []}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {matchLabels: {app: a}}}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {hostNetwork: true, containers: []}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {}}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: q},
              spec: {podSelector: {matchLabels: {app: b}}}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {hostNetwork: true, containers: []}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {matchLabels: {app: a}}}}
            """,
            at="spec.hostNetwork",
        ),
        Example(
            False,
            """
            {apiVersion: apps/v1, kind: DaemonSet, metadata: {name: a, namespace: x}, spec: {
              template: {metadata: {labels: {app: a}}, spec: {hostNetwork: true,
                containers: []}}}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy,
              metadata: {name: p, namespace: x},
              spec: {podSelector: {matchExpressions: [{key: app, operator: Exists}]}}}
            """,
            at="spec.template.spec.hostNetwork",
        ),
    ),
)
def host_network_pod_selected(workload: Workload, cluster: Cluster) -> Iterator[Hit]:
    """Policy selects pods on the network of their node.

    Policies are about pods with an address of their own. These share the address of their node,
    so every network plugin leaves them out, and whoever wrote the policy believes otherwise.
    """
    if not on_host_network(workload):
        return
    for policy in cluster.of_kind(POLICY, workload.namespace):
        selector = pod_selector(policy)
        try:
            meant = not selects_all(selector) and matches(selector, workload.labels)
        except MalformedSelector:
            continue
        if meant:
            message = f"policy {policy.ref.name} selects these pods, and does nothing to them"
            yield Hit(workload.resource, (*workload.path, "hostNetwork"), message)
