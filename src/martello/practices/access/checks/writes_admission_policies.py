"""ACC-018: somebody may write admission policies."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.access.powers import KINDS, powerful


@check(
    "ACC-018",
    severity="high",
    profile="default",
    kinds=KINDS,
    fix=("Leave admission policies and their bindings to the administrators of the cluster."),
    frameworks={
        "cis-kubernetes": ["5.1.12"],
        "nsa-cisa": ["authentication-authorization"],
        "mitre-attack": ["T1562"],
        "owasp-k8s": ["K03"],
    },
    aliases={},
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
              rules: [{verbs: [delete], apiGroups: [admissionregistration.k8s.io],
                resources: [validatingadmissionpolicies]}]}
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
              rules: [{verbs: [get, list], apiGroups: [admissionregistration.k8s.io],
                resources: [validatingadmissionpolicybindings]}]}
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
              rules: [{verbs: [create], apiGroups: [admissionregistration.k8s.io],
                resources: [validatingadmissionpolicies]}]}
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
              rules: [{verbs: [delete], apiGroups: [admissionregistration.k8s.io],
                resources: [mutatingadmissionpolicybindings]}]}
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
              rules: [{verbs: [patch], apiGroups: [admissionregistration.k8s.io],
                resources: [validatingadmissionpolicybindings]}]}
            """,
            at="rules[0]",
        ),
    ),
)
def writes_admission_policies(resource: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Somebody may write admission policies.

    Policies inside the API server decide what may be stored at all. Whoever changes or deletes
    them, or their bindings, opens the door for everything that they kept out.
    """
    yield from powerful("ACC-018", resource, cluster)
