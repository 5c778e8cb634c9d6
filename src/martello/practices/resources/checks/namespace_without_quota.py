"""RES-008: a namespace without a resource quota."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.resources.namespaces import lacking


@check(
    "RES-008",
    severity="low",
    profile="strict",
    kinds=("Namespace",),
    fix="Add a ResourceQuota that bounds requests, limits and the number of objects.",
    frameworks={
        "cis-kubernetes": ["5.7.1"],
        "nsa-cisa": ["pod-security"],
        "mitre-attack": ["T1499"],
        "owasp-k8s": ["K01"],
    },
    aliases={"trivy": ("KSV-0040",)},
    examples=(
        Example(
            True,
            """
            {apiVersion: v1, kind: Namespace, metadata: {name: shop}}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop},
              spec: {containers: []}}
            ---
            {apiVersion: v1, kind: ResourceQuota, metadata: {name: q, namespace: shop},
              spec: {hard: {pods: 10}}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: Namespace, metadata: {name: kube-system}}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: kube-system},
              spec: {containers: []}}
            ---
            {apiVersion: v1, kind: Namespace, metadata: {name: empty}}
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
            {apiVersion: v1, kind: ResourceQuota, metadata: {name: q, namespace: other},
              spec: {hard: {pods: 10}}}
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
            {apiVersion: v1, kind: ResourceQuota, metadata: {name: q, namespace: shop}}
            """,
            at="metadata.name",
        ),
    ),
)
def namespace_without_quota(namespace: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Namespace without a resource quota.

    Whoever may create objects here may create as many as the cluster can hold: pods until the
    nodes are full, and objects until etcd is.
    """
    yield from lacking(namespace, cluster, "ResourceQuota", "hard")
