"""ACC-013: somebody may impersonate users, groups or accounts."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.access.powers import KINDS, powerful


@check(
    "ACC-013",
    severity="critical",
    profile="default",
    kinds=KINDS,
    fix=("Remove the verb impersonate, or name who may be impersonated under resourceNames."),
    frameworks={
        "cis-kubernetes": ["5.1.8"],
        "nsa-cisa": ["authentication-authorization"],
        "mitre-attack": ["T1078"],
        "owasp-k8s": ["K03"],
    },
    aliases={
        "checkov": ("CKV2_K8S_3",),
        "trivy": ("KSV-0043",),
        "kubescape": ("C-0065", "C-0191"),
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
              rules: [{verbs: [impersonate], apiGroups: [""],
                resources: [users]}]}
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
              rules: [{verbs: [get], apiGroups: [""],
                resources: [users, groups, serviceaccounts]}]}
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
              rules: [{verbs: [impersonate], apiGroups: [""],
                resources: [groups]}]}
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
              rules: [{verbs: [impersonate], apiGroups: [""],
                resources: [users]}]}
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
              rules: [{verbs: [impersonate], apiGroups: [""],
                resources: [serviceaccounts]}]}
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
              rules: [{verbs: [impersonate], apiGroups: [""],
                resources: [groups], resourceNames: [ops]}]}
            ---
            {apiVersion: rbac.authorization.k8s.io/v1, kind: Role,
              metadata: {name: as, namespace: shop},
              rules: [{verbs: [impersonate], apiGroups: [""], resources: [serviceaccounts]}]}
            ---
            {apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding,
              metadata: {name: as, namespace: shop},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: as},
              subjects: [{kind: Group, name: "system:masters"}, {kind: User, name: jo}]}
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
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole,
              metadata: {name: loose},
              rules: [{verbs: [impersonate], apiGroups: [""],
                resources: [groups, users]}]}
            """,
            at="rules[0]",
        ),
    ),
)
def impersonates(resource: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Somebody may impersonate users, groups or accounts.

    A request that impersonates carries all rights of whom it names, up to system:masters where
    groups are open. The audit log then shows two names and most readers look at the wrong one.
    Groups are impersonated beside a user or an account only: alone that right is worth nothing.
    """
    yield from powerful("ACC-013", resource, cluster)
