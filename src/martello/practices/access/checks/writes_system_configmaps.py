"""ACC-023: somebody may write ConfigMaps of kube-system."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.access.powers import KINDS, powerful


@check(
    "ACC-023",
    severity="high",
    profile="default",
    kinds=KINDS,
    fix="Name the ConfigMap under resourceNames, or keep the rule out of kube-system.",
    frameworks={
        "nsa-cisa": ["authentication-authorization"],
        "mitre-attack": ["T1557"],
        "owasp-k8s": ["K03"],
    },
    aliases={
        "trivy": ("KSV-0049", "KSV-0115"),
        "kubescape": ("C-0037",),
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
              rules: [{verbs: [update], apiGroups: [""],
                resources: [configmaps]}]}
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
            {apiVersion: rbac.authorization.k8s.io/v1, kind: Role,
              metadata: {name: r, namespace: kube-system},
              rules: [{verbs: [update], apiGroups: [""],
                resources: [configmaps], resourceNames: [own]}]}
            ---
            {apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding,
              metadata: {name: b, namespace: kube-system},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r},
              subjects: [{kind: User, name: jo}]}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: Role,
              metadata: {name: r, namespace: kube-system},
              rules: [{verbs: [update], apiGroups: [""],
                resources: [configmaps]}]}
            ---
            {apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding,
              metadata: {name: b, namespace: kube-system},
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
              rules: [{verbs: [patch], apiGroups: [""],
                resources: [configmaps]}]}
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
              metadata: {name: loose, namespace: kube-system},
              rules: [{verbs: [create], apiGroups: [""],
                resources: [configmaps]}]}
            """,
            at="rules[0]",
        ),
    ),
)
def writes_system_configmaps(resource: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Somebody may write ConfigMaps of kube-system.

    ConfigMaps of kube-system configure the cluster DNS, kube-proxy and, on some platforms, who
    is an administrator. A changed DNS entry sends the traffic of every pod elsewhere.
    """
    yield from powerful("ACC-023", resource, cluster)
