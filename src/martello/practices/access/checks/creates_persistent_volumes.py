"""ACC-019: somebody may create persistent volumes."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.access.powers import KINDS, powerful


@check(
    "ACC-019",
    severity="medium",
    profile="default",
    kinds=KINDS,
    fix="Leave persistent volumes to the storage provisioner.",
    frameworks={
        "cis-kubernetes": ["5.1.9"],
        "nsa-cisa": ["authentication-authorization"],
        "mitre-attack": ["T1611"],
        "owasp-k8s": ["K03"],
    },
    aliases={
        "kubescape": ("C-0278",),
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
              rules: [{verbs: [create], apiGroups: [""],
                resources: [persistentvolumes]}]}
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
              rules: [{verbs: [get, list], apiGroups: [""],
                resources: [persistentvolumes]}]}
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
              rules: [{verbs: [create], apiGroups: [""],
                resources: [persistentvolumes]}]}
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
              rules: [{verbs: ["*"], apiGroups: [""],
                resources: [persistentvolumes]}]}
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
              rules: [{verbs: [create], apiGroups: [""],
                resources: [persistentvolumes]}]}
            """,
            at="rules[0]",
        ),
    ),
)
def creates_persistent_volumes(resource: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Somebody may create persistent volumes.

    A persistent volume may be a path of a node, whatever the pod security level says about
    hostPath in pods. Creating one is therefore a way to the files of any node.
    """
    yield from powerful("ACC-019", resource, cluster)
