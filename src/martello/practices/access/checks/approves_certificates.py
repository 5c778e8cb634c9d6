"""ACC-016: somebody may approve certificate requests."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.access.powers import KINDS, powerful


@check(
    "ACC-016",
    severity="high",
    profile="default",
    kinds=KINDS,
    fix=("Remove update and patch on certificatesigningrequests/approval, or approve on signers."),
    frameworks={
        "cis-kubernetes": ["5.1.11"],
        "nsa-cisa": ["authentication-authorization"],
        "mitre-attack": ["T1098"],
        "owasp-k8s": ["K03"],
    },
    aliases={
        "checkov": ("CKV_K8S_156",),
        "kubescape": ("C-0280",),
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
              rules: [{verbs: [update], apiGroups: [certificates.k8s.io],
                resources: [certificatesigningrequests/approval]}]}
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
              rules: [{verbs: [create], apiGroups: [certificates.k8s.io],
                resources: [certificatesigningrequests]}]}
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
              rules: [{verbs: [update], apiGroups: [certificates.k8s.io],
                resources: [certificatesigningrequests/approval]}]}
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
              rules: [{verbs: [update], apiGroups: [certificates.k8s.io],
                resources: [certificatesigningrequests/approval]},
                {verbs: [approve], apiGroups: [certificates.k8s.io], resources: [signers],
                resourceNames: [kubernetes.io/kube-apiserver-client]}]}
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
              rules: [{verbs: [patch], apiGroups: [certificates.k8s.io],
                resources: [certificatesigningrequests/approval]},
                {verbs: [approve], apiGroups: [certificates.k8s.io], resources: [signers],
                resourceNames: [kubernetes.io/kube-apiserver-client]}]}
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
              rules: [{verbs: [update], apiGroups: [certificates.k8s.io],
                resources: [certificatesigningrequests/approval]},
                {verbs: [approve], apiGroups: [certificates.k8s.io], resources: [signers],
                resourceNames: [kubernetes.io/kube-apiserver-client]}]}
            """,
            at="rules[0]",
        ),
    ),
)
def approves_certificates(resource: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Somebody may approve certificate requests.

    An approved request becomes a client certificate, which is an identity that outlives its
    owner and cannot be revoked one by one. Approval belongs to the controllers that check what
    they sign. It takes both: to change the approval of a request, and approve on its signer.
    """
    yield from powerful("ACC-016", resource, cluster)
