"""ACC-032: a default service account is given rights."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.access.bindings import BINDINGS
from martello.practices.access.born import of_platform
from martello.practices.access.grants import grants


@check(
    "ACC-032",
    severity="medium",
    kinds=BINDINGS,
    fix="Give the workload an account of its own and bind that one.",
    frameworks={
        "cis-kubernetes": ["5.1.5"],
        "nsa-cisa": ["authentication-authorization"],
        "mitre-attack": ["T1078.001"],
        "owasp-k8s": ["K03"],
    },
    aliases={"checkov": ("CKV_K8S_42",), "kubescape": ("C-0189",)},
    examples=(
        Example(
            True,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding,
              metadata: {name: b, namespace: shop},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view},
              subjects: [{kind: ServiceAccount, name: web}, {kind: User, name: default}]}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding,
              metadata: {name: "system:some"},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view},
              subjects: [{kind: ServiceAccount, name: default, namespace: kube-system}]}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding,
              metadata: {name: b, namespace: shop},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view},
              subjects: [{kind: User, name: jo}, {kind: ServiceAccount, name: default}]}
            """,
            at="subjects[1]",
        ),
        Example(
            False,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding,
              metadata: {name: b},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view},
              subjects: [{kind: User, name: "system:serviceaccount:shop:default"}]}
            """,
            at="subjects[0]",
        ),
    ),
)
def default_account_bound(resource: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Default service account is given rights.

    Every pod of the namespace that names no account runs as `default`. A right that one
    workload needs is thereby given to all of them, also to those that are added later.
    """
    binding = grants(cluster).binding(resource)
    if of_platform(binding):
        return
    if binding.broken:
        yield Hit(resource, ("subjects",), binding.broken, unassessed=True)
        return
    for index, subject in enumerate(binding.subjects):
        if subject.kind == "ServiceAccount" and subject.name == "default":
            where = f"namespace {subject.namespace}" if subject.namespace else "the namespace"
            message = f"every pod of {where} without an account of its own gets this role"
            yield Hit(resource, ("subjects", index), message)
