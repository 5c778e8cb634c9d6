"""NET-001: a namespace without a default deny."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.core.selection import selection
from martello.practices.network.lint.policies import (
    INGRESS,
    POLICY,
    Malformed,
    directions,
    on_host_network,
    pod_selector,
    rules,
    selects_all,
    unread,
)

_SYSTEM: Final = frozenset(("kube-system", "kube-public", "kube-node-lease"))


@check(
    "NET-001",
    severity="medium",
    kinds=("Namespace",),
    fix="Add a NetworkPolicy with an empty podSelector and policyTypes: [Ingress, Egress].",
    frameworks={
        "cis-kubernetes": ["5.3.2"],
        "nsa-cisa": ["network-separation"],
        "mitre-attack": ["T1046"],
        "owasp-k8s": ["K07"],
    },
    aliases={"kubescape": ("C-0206",)},
    examples=(
        Example(
            True,
            """
            {apiVersion: v1, kind: Namespace, metadata: {name: shop}}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop},
              spec: {containers: []}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy,
              metadata: {name: deny, namespace: shop}, spec: {podSelector: {}}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: Namespace, metadata: {name: shop}}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop},
              spec: {hostNetwork: true, containers: []}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Namespace, metadata: {name: shop}}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop},
              spec: {containers: []}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy,
              metadata: {name: deny, namespace: other}, spec: {podSelector: {}}}
            """,
            at="metadata.name",
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Namespace, metadata: {name: shop}}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop},
              spec: {containers: []}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy,
              metadata: {name: some, namespace: shop}, spec: {podSelector: {matchLabels: {a: b}}}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy,
              metadata: {name: all, namespace: shop}, spec: {podSelector: {}, ingress: [{}]}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy,
              metadata: {name: out, namespace: shop},
              spec: {podSelector: {}, policyTypes: [Egress]}}
            """,
            at="metadata.name",
        ),
    ),
)
def namespace_without_default_deny(namespace: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Namespace without a default deny.

    Where no policy selects every pod, a new pod is reachable from all others until somebody
    thinks of it. A default deny turns that around: what is not allowed does not get through.
    """
    name = namespace.ref.name
    pods = selection(cluster).of(name)
    seen = not all(on_host_network(w) for w in pods)
    hidden = "" if seen else cluster.hidden_workloads
    if name in _SYSTEM or not (seen or hidden):
        return
    path = ("metadata", "name")
    broken = ""
    for policy in cluster.of_kind(POLICY, name):
        try:
            if _denies(policy):
                return
        except Malformed as error:
            broken = f"NetworkPolicy {policy.ref.name}: {error}"
    reason = broken
    if unread(cluster) and not reason:
        from martello.practices.network.lint.together import guarded_otherwise

        guarded, reason = guarded_otherwise(cluster, name)
        if guarded:
            return
    if hidden:
        reason = reason or f"it may have workloads: {hidden}"
    if reason:
        yield Hit(namespace, path, reason, unassessed=True)
        return
    message = "no policy isolates all pods of this namespace from what is not allowed"
    yield Hit(namespace, path, message)


def _denies(policy: Resource) -> bool:
    """Whether a policy isolates every pod and does not let everybody in again."""
    if not selects_all(pod_selector(policy)) or INGRESS not in directions(policy):
        return False
    return all(rule.peers or rule.ports for rule in rules(policy, INGRESS))
