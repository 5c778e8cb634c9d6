"""ACC-008: somebody may read every secret of a namespace or of the cluster."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.access.powers import KINDS, powerful


@check(
    "ACC-008",
    severity="high",
    profile="default",
    kinds=KINDS,
    fix=(
        "Name the secrets that are needed under resourceNames, or mount them instead of reading"
        " them through the API."
    ),
    frameworks={
        "cis-kubernetes": ["5.1.2"],
        "nsa-cisa": ["authentication-authorization"],
        "mitre-attack": ["T1552.007"],
        "owasp-k8s": ["K03"],
    },
    aliases={
        "kube-linter": ("access-to-secrets",),
        "checkov": ("CKV2_K8S_5",),
        "trivy": ("KSV-0041", "KSV-0113"),
        "kubescape": ("C-0186", "C-0015"),
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
              rules: [{verbs: [get], apiGroups: [""],
                resources: [secrets], resourceNames: [db]}]}
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
              rules: [{verbs: [create], apiGroups: [""],
                resources: [secrets]}]}
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
              rules: [{verbs: [get], apiGroups: [""],
                resources: [secrets]}]}
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
              rules: [{verbs: ["*"], apiGroups: ["*"],
                resources: ["*"]}]}
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
              rules: [{verbs: [list], apiGroups: [""],
                resources: [secrets]}]}
            """,
            at="rules[0]",
        ),
    ),
)
def reads_secrets(resource: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Somebody may read every secret of a namespace or of the cluster.

    Secrets hold database passwords, signing keys and, as tokens, the rights of other accounts,
    so whoever reads them all holds what they open. A list or watch returns the values as
    get does. Rules that name single secrets are not meant here.
    """
    yield from powerful("ACC-008", resource, cluster)
