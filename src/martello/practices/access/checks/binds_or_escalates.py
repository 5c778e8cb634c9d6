"""ACC-012: somebody may bind roles or escalate them beyond his own rights."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.access.powers import KINDS, powerful


@check(
    "ACC-012",
    severity="critical",
    profile="default",
    kinds=KINDS,
    fix=(
        "Remove the verbs bind and escalate, or name the roles that may be bound under "
        "resourceNames."
    ),
    frameworks={
        "cis-kubernetes": ["5.1.8"],
        "nsa-cisa": ["authentication-authorization"],
        "mitre-attack": ["T1098.006"],
        "owasp-k8s": ["K03"],
    },
    aliases={
        "checkov": ("CKV_K8S_157", "CKV_K8S_158", "CKV2_K8S_1"),
        "trivy": ("KSV-0050", "KSV-0051", "KSV-0052", "KSV-0055"),
        "kubescape": ("C-0191",),
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
            {apiVersion: rbac.authorization.k8s.io/v1, kind: Role,
              metadata: {name: r, namespace: shop},
              rules: [{verbs: [bind], apiGroups: [rbac.authorization.k8s.io],
                resources: [clusterroles], resourceNames: [view]}]}
            ---
            {apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding,
              metadata: {name: b, namespace: shop},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r},
              subjects: [{kind: User, name: jo}]}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole,
              metadata: {name: r},
              rules: [{verbs: [create, update], apiGroups: [rbac.authorization.k8s.io],
                resources: [rolebindings]}]}
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
              rules: [{verbs: [escalate], apiGroups: [rbac.authorization.k8s.io],
                resources: [clusterroles]}]}
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
              rules: [{verbs: [bind], apiGroups: [rbac.authorization.k8s.io],
                resources: [roles]}]}
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
              rules: [{verbs: [bind], apiGroups: [rbac.authorization.k8s.io],
                resources: [clusterroles]}]}
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
              rules: [{verbs: [escalate], apiGroups: [rbac.authorization.k8s.io],
                resources: [roles]}]}
            """,
            at="rules[0]",
        ),
    ),
)
def binds_or_escalates(resource: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Somebody may bind roles or escalate them beyond his own rights.

    The API server lets nobody grant what he does not hold, but for those with the verbs bind
    and escalate. One such right in a namespace is all rights there, and on ClusterRoles with a
    ClusterRoleBinding it is the cluster.
    """
    yield from powerful("ACC-012", resource, cluster)
