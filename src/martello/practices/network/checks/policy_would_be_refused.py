"""NET-039: a policy that the API server would refuse."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.path import show
from martello.core.resource import Resource
from martello.practices.network.lint.policies import OTHER, POLICY
from martello.practices.network.lint.together import policies_of


@check(
    "NET-039",
    severity="high",
    kinds=(POLICY, *OTHER),
    fix="Correct the part that is named, and apply the policy again.",
    frameworks={"nsa-cisa": ["network-separation"], "owasp-k8s": ["K07"]},
    examples=(
        Example(
            True,
            """
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}]}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {}, egress: [{ports: [{port: 80, endPort: 90}]}]}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/33}}]}]}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {}, ingress: [{from: [{}]}]}}
            """,
        ),
    ),
)
def policy_would_be_refused(policy: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Policy that the API server would refuse.

    It never takes effect: where it is applied by a pipeline, the old one stays in force, and on
    a new cluster nothing protects the pods. Whom it would select cannot be told.
    """
    for fault in policies_of(cluster).faults:
        if fault.resource is policy:
            because = ("NET-011", policy.ref) if "except" in fault.path else None
            message = f"{show(fault.path)}: {fault.reason}"
            yield Hit(policy, fault.path, message, because=because)
