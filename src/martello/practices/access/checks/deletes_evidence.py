"""ACC-026: somebody may delete events."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.access.powers import KINDS, powerful


@check(
    "ACC-026",
    severity="medium",
    profile="strict",
    kinds=KINDS,
    fix="Remove delete and deletecollection on events.",
    frameworks={
        "nsa-cisa": ["authentication-authorization"],
        "mitre-attack": ["T1070"],
        "owasp-k8s": ["K03"],
    },
    aliases={
        "trivy": ("KSV-0042",),
        "kubescape": ("C-0031",),
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
              rules: [{verbs: [create, patch], apiGroups: [""],
                resources: [events]}]}
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
              rules: [{verbs: [delete], apiGroups: [""],
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
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole,
              metadata: {name: r},
              rules: [{verbs: [delete], apiGroups: [""],
                resources: [events]}]}
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
              metadata: {name: r, namespace: shop},
              rules: [{verbs: [deletecollection], apiGroups: [events.k8s.io],
                resources: [events]}]}
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
              metadata: {name: loose},
              rules: [{verbs: [delete], apiGroups: [""],
                resources: [events]}]}
            """,
            at="rules[0]",
        ),
    ),
)
def deletes_evidence(resource: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Somebody may delete events.

    Events tell what the cluster did: failed mounts, killed containers, refused images. Whoever
    deletes them removes the traces that an investigation starts from, and events age out by
    themselves.
    """
    yield from powerful("ACC-026", resource, cluster)
