"""RES-009: a namespace without default limits."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.resources.namespaces import lacking


@check(
    "RES-009",
    severity="low",
    profile="strict",
    kinds=("Namespace",),
    fix="Add a LimitRange with default and defaultRequest for containers.",
    frameworks={
        "cis-kubernetes": ["5.7.1"],
        "nsa-cisa": ["pod-security"],
        "mitre-attack": ["T1499"],
        "owasp-k8s": ["K01"],
    },
    aliases={"trivy": ("KSV-0039",)},
    examples=(
        Example(
            True,
            """
            {apiVersion: v1, kind: Namespace, metadata: {name: shop}}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop},
              spec: {containers: []}}
            ---
            {apiVersion: v1, kind: LimitRange, metadata: {name: l, namespace: shop},
              spec: {limits: [{type: Container, default: {memory: 1Gi}}]}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: Namespace, metadata: {name: kube-public}}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: kube-public},
              spec: {containers: []}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Namespace, metadata: {name: shop}}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop},
              spec: {containers: []}}
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
            {apiVersion: v1, kind: LimitRange, metadata: {name: l, namespace: shop},
              spec: {limits: []}}
            """,
            at="metadata.name",
        ),
    ),
)
def namespace_without_limit_range(namespace: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Namespace without default limits.

    A container that says nothing about memory or CPU gets no bound here, and one forgotten line
    in a manifest is enough to let it take the node.
    """
    yield from lacking(namespace, cluster, "LimitRange", "limits")
