"""ACC-022: somebody may write the status of services."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.access.powers import KINDS, powerful


@check(
    "ACC-022",
    severity="medium",
    profile="strict",
    kinds=KINDS,
    fix="Remove update and patch on services/status.",
    frameworks={
        "nsa-cisa": ["authentication-authorization"],
        "mitre-attack": ["T1557"],
        "owasp-k8s": ["K03"],
    },
    aliases={
        "checkov": ("CKV2_K8S_4",),
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
              rules: [{verbs: [patch], apiGroups: [""],
                resources: [services]}]}
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
              rules: [{verbs: [get], apiGroups: [""],
                resources: [services/status]}]}
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
              rules: [{verbs: [patch], apiGroups: [""],
                resources: [services/status]}]}
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
              rules: [{verbs: [update], apiGroups: [""],
                resources: [services/status]}]}
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
            {apiVersion: rbac.authorization.k8s.io/v1, kind: Role,
              metadata: {name: loose, namespace: shop},
              rules: [{verbs: [update], apiGroups: [""],
                resources: [services/status]}]}
            """,
            at="rules[0]",
        ),
    ),
)
def writes_service_status(resource: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Somebody may write the status of services.

    The status of a Service names its load balancer addresses, and nodes send traffic for these
    addresses to the Service. Whoever writes them intercepts connections to any address.
    """
    yield from powerful("ACC-022", resource, cluster)
