"""ACC-017: somebody may write admission webhooks."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.access.powers import KINDS, powerful


@check(
    "ACC-017",
    severity="high",
    profile="default",
    kinds=KINDS,
    fix=(
        "Leave webhook configurations to the installer of the webhook; name its own one under "
        "resourceNames."
    ),
    frameworks={
        "cis-kubernetes": ["5.1.12"],
        "nsa-cisa": ["authentication-authorization"],
        "mitre-attack": ["T1562"],
        "owasp-k8s": ["K03"],
    },
    aliases={
        "checkov": ("CKV_K8S_155",),
        "trivy": ("KSV-0114",),
        "kubescape": ("C-0281", "C-0036", "C-0039"),
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
              rules: [{verbs: [create], apiGroups: [admissionregistration.k8s.io],
                resources: [mutatingwebhookconfigurations]}]}
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
                resources: [mutatingwebhookconfigurations]}]}
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
                resources: [mutatingwebhookconfigurations]}]}
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
              rules: [{verbs: [patch], apiGroups: [admissionregistration.k8s.io],
                resources: [validatingwebhookconfigurations]}]}
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
              rules: [{verbs: [update], apiGroups: [admissionregistration.k8s.io],
                resources: [validatingwebhookconfigurations]}]}
            """,
            at="rules[0]",
        ),
    ),
)
def writes_webhooks(resource: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Somebody may write admission webhooks.

    An admission webhook sees every object that is written, secrets among them, and a mutating
    one changes them on their way. Whoever writes its configuration can also switch off the
    checks that stand there.
    """
    yield from powerful("ACC-017", resource, cluster)
