"""ACC-015: somebody may talk to kubelets through nodes/proxy."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.access.powers import KINDS, powerful


@check(
    "ACC-015",
    severity="critical",
    profile="default",
    kinds=KINDS,
    fix=(
        "Replace nodes/proxy by the subresources that are needed, such as nodes/metrics or "
        "nodes/stats."
    ),
    frameworks={
        "cis-kubernetes": ["5.1.10"],
        "nsa-cisa": ["authentication-authorization"],
        "mitre-attack": ["T1609"],
        "owasp-k8s": ["K03"],
    },
    aliases={
        "checkov": ("CKV2_K8S_2",),
        "trivy": ("KSV-0047",),
        "kubescape": ("C-0279",),
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
                resources: [nodes/proxy]}]}
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
                resources: [nodes/metrics]}]}
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
                resources: [nodes/proxy]}]}
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
              metadata: {name: r},
              rules: [{verbs: [create], apiGroups: [""],
                resources: [nodes/proxy]}]}
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
              rules: [{verbs: [get], apiGroups: [""],
                resources: [nodes/proxy]}]}
            """,
            at="rules[0]",
        ),
    ),
)
def node_proxy(resource: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Somebody may talk to kubelets through nodes/proxy.

    The proxy of a node is its kubelet, which runs commands in every pod of that node. The right
    get alone does it, because the connection is upgraded from a GET, and the API server audits
    none of what happens inside.
    """
    yield from powerful(
        "ACC-015", resource, cluster, "get alone executes commands in every pod of the node"
    )
