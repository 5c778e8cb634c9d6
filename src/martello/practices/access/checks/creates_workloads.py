"""ACC-009: somebody may create workloads."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.access.powers import KINDS, powerful


@check(
    "ACC-009",
    severity="medium",
    profile="strict",
    kinds=KINDS,
    fix=(
        "Leave creation to the deployment pipeline, and enforce a pod security level on the "
        "namespace."
    ),
    frameworks={
        "cis-kubernetes": ["5.1.4"],
        "nsa-cisa": ["authentication-authorization"],
        "mitre-attack": ["T1610"],
        "owasp-k8s": ["K03"],
    },
    aliases={
        "kube-linter": ("access-to-create-pods",),
        "trivy": ("KSV-0048",),
        "kubescape": ("C-0188",),
    },
    examples=(
        Example(
            True,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole,
              metadata: {name: r},
              rules: [{verbs: [get, list], apiGroups: [""],
                resources: [pods]}]}
            ---
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding,
              metadata: {name: b},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: r},
              subjects: [{kind: User, name: jo}]}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole,
              metadata: {name: r},
              rules: [{verbs: [update], apiGroups: [""],
                resources: [pods]}]}
            ---
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding,
              metadata: {name: b},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: r},
              subjects: [{kind: User, name: jo}]}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: Role,
              metadata: {name: r, namespace: shop},
              rules: [{verbs: [create], apiGroups: [""],
                resources: [pods]}]}
            ---
            {apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding,
              metadata: {name: b, namespace: shop},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r},
              subjects: [{kind: User, name: jo}]}
            """,
            at="roleRef",
        ),
        Example(
            False,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole,
              metadata: {name: r},
              rules: [{verbs: [create], apiGroups: [apps],
                resources: [deployments]}]}
            ---
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding,
              metadata: {name: b},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: r},
              subjects: [{kind: User, name: jo}]}
            """,
            at="roleRef",
        ),
        Example(
            False,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: Role,
              metadata: {name: loose, namespace: shop},
              rules: [{verbs: [create], apiGroups: [batch],
                resources: [jobs]}]}
            """,
            at="rules[0]",
        ),
    ),
)
def creates_workloads(resource: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Somebody may create workloads.

    Whoever creates pods, directly or through a controller, runs code as any service account of
    the namespace and mounts any of its secrets. With no pod security level in the way the pod
    can also take the node it lands on.
    """
    yield from powerful("ACC-009", resource, cluster, "a pod runs as any account of its namespace")
