"""NET-012: two policies of equal priority that say different things of the same pods."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.network.lint.together import conflicts


@check(
    "NET-012",
    severity="high",
    kinds=(
        "ClusterNetworkPolicy.policy.networking.k8s.io",
        "AdminNetworkPolicy.policy.networking.k8s.io",
    ),
    fix="Give one of the two policies another priority: the lower number is asked first.",
    frameworks={"nsa-cisa": ["network-separation"], "owasp-k8s": ["K07"]},
    examples=(
        Example(
            True,
            """
            {apiVersion: v1, kind: Namespace, metadata: {name: shop}}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop},
              spec: {containers: []}}
            ---
            {apiVersion: policy.networking.k8s.io/v1alpha2, kind: ClusterNetworkPolicy,
              metadata: {name: one}, spec: {tier: Admin, priority: 10, subject: {namespaces: {}},
                ingress: [{action: Deny, from: [{namespaces: {}}]}]}}
            ---
            {apiVersion: policy.networking.k8s.io/v1alpha2, kind: ClusterNetworkPolicy,
              metadata: {name: two}, spec: {tier: Admin, priority: 11, subject: {namespaces: {}},
                ingress: [{action: Accept, from: [{namespaces: {}}]}]}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: Namespace, metadata: {name: shop}}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop},
              spec: {containers: []}}
            ---
            {apiVersion: policy.networking.k8s.io/v1alpha2, kind: ClusterNetworkPolicy,
              metadata: {name: one}, spec: {tier: Admin, priority: 10, subject: {namespaces: {}},
                ingress: [{action: Deny, from: [{namespaces: {}}],
                  protocols: [{tcp: {destinationPort: {number: 22}}}]}]}}
            ---
            {apiVersion: policy.networking.k8s.io/v1alpha2, kind: ClusterNetworkPolicy,
              metadata: {name: two}, spec: {tier: Admin, priority: 10, subject: {namespaces: {}},
                ingress: [{action: Accept, from: [{namespaces: {}}],
                  protocols: [{tcp: {destinationPort: {number: 80}}}]}]}}
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
            {apiVersion: policy.networking.k8s.io/v1alpha2, kind: ClusterNetworkPolicy,
              metadata: {name: one}, spec: {tier: Admin, priority: 10, subject: {namespaces: {}},
                ingress: [{action: Deny, from: [{namespaces: {}}]}]}}
            ---
            {apiVersion: policy.networking.k8s.io/v1alpha2, kind: ClusterNetworkPolicy,
              metadata: {name: two}, spec: {tier: Admin, priority: 10, subject: {namespaces: {}},
                ingress: [{action: Accept, from: [{namespaces: {}}]}]}}
            """,
            at="spec.priority",
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Namespace, metadata: {name: shop}}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop},
              spec: {containers: []}}
            ---
            {apiVersion: policy.networking.k8s.io/v1alpha1, kind: AdminNetworkPolicy,
              metadata: {name: one}, spec: {priority: 3, subject: {namespaces: {}},
                egress: [{action: Allow, to: [{namespaces: {}}],
                  ports: [{portRange: {protocol: TCP, start: 1, end: 99}}]}]}}
            ---
            {apiVersion: policy.networking.k8s.io/v1alpha1, kind: AdminNetworkPolicy,
              metadata: {name: two}, spec: {priority: 3, subject: {namespaces: {}},
                egress: [{action: Deny, to: [{namespaces: {}}],
                  ports: [{portNumber: {protocol: TCP, port: 80}}]}]}}
            """,
            at="spec.priority",
        ),
    ),
)
def equal_priorities_conflict(policy: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Two policies of equal priority say different things of the same pods.

    Which of them wins is not defined: it may differ between network plugins, and after a restart.
    What is meant as a deny then lets traffic through on some days.
    """
    for conflict in conflicts(cluster):
        one, other = conflict.policy.resource, conflict.other.resource
        if other is policy:
            rules = f"{_named(conflict.other_rule.action)} here, {_named(conflict.rule.action)} in"
            message = f"{rules} {one.ref.name}, for {conflict.subject.name} among others"
            yield Hit(policy, ("spec", "priority"), message)


def _named(action: str) -> str:
    return {"accept": "accepted", "deny": "denied", "pass": "passed on"}[action]
