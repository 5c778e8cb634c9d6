"""ACC-029: the pods of a workload hold a token with dangerous rights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.workload import Workload
from martello.practices.access.bindings import Binding, Subject
from martello.practices.access.powers import EVERYTHING, held_by, unread
from martello.practices.access.tokens import held, mounted, unlisted

# The rights that lead from a pod to its node, its namespace or the cluster. The right to create
# pods joins them where it holds in every namespace, that of the control plane among them.
_SEVERE: Final = (
    "ACC-012",
    "ACC-013",
    "ACC-015",
    "ACC-008",
    "ACC-010",
    "ACC-014",
    "ACC-016",
    "ACC-017",
    "ACC-018",
    "ACC-020",
    "ACC-021",
)


@check(
    "ACC-029",
    severity="high",
    kinds=("workload",),
    fix="Narrow the role of the account, or give the pods an account of their own without it.",
    frameworks={
        "nsa-cisa": ["authentication-authorization"],
        "mitre-attack": ["T1528"],
        "owasp-k8s": ["K03"],
    },
    aliases={"kubescape": ("C-0053", "C-0267")},
    examples=(
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop},
              spec: {serviceAccountName: web, containers: [{name: c, image: "web:1"}]}}
            ---
            {apiVersion: rbac.authorization.k8s.io/v1, kind: Role,
              metadata: {name: r, namespace: shop},
              rules: [{verbs: [get], apiGroups: [""], resources: [configmaps]}]}
            ---
            {apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding,
              metadata: {name: b, namespace: shop},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r},
              subjects: [{kind: ServiceAccount, name: web}]}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop},
              spec: {serviceAccountName: web, automountServiceAccountToken: false,
                containers: [{name: c, image: "web:1"}]}}
            ---
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding,
              metadata: {name: b},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole,
                name: cluster-admin},
              subjects: [{kind: ServiceAccount, name: web, namespace: shop}]}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop},
              spec: {serviceAccountName: web, containers: [{name: c, image: "web:1"}]}}
            ---
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: r},
              rules: [{verbs: [create], apiGroups: [batch], resources: [jobs]}]}
            ---
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding,
              metadata: {name: b},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: r},
              subjects: [{kind: ServiceAccount, name: web, namespace: shop}]}
            """,
            at="spec.serviceAccountName",
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop},
              spec: {serviceAccountName: web, containers: [{name: c, image: "web:1"}]}}
            ---
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding,
              metadata: {name: b},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole,
                name: cluster-admin},
              subjects: [{kind: ServiceAccount, name: web, namespace: shop}]}
            """,
            at="spec.serviceAccountName",
        ),
        Example(
            False,
            """
            {apiVersion: apps/v1, kind: Deployment, metadata: {name: a, namespace: shop},
              spec: {template: {spec: {containers: [{name: c, image: "web:1"}]}}}}
            ---
            {apiVersion: rbac.authorization.k8s.io/v1, kind: Role,
              metadata: {name: r, namespace: shop},
              rules: [{verbs: [list], apiGroups: [""], resources: [secrets]}]}
            ---
            {apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding,
              metadata: {name: b, namespace: shop},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r},
              subjects: [{kind: Group, name: "system:serviceaccounts:shop"}]}
            """,
            at="spec.template.spec",
        ),
    ),
)
def powerful_workload(workload: Workload, cluster: Cluster) -> Iterator[Hit]:
    """Pods hold a token with dangerous rights.

    Whoever breaks into a container reads its token and acts as its account. With rights such as
    these the step from one container to the namespace, a node or the cluster takes one request.
    """
    if mounted(workload, cluster) is None:
        return
    resource = workload.resource
    path = (*workload.path, "serviceAccountName")
    reason = unlisted(workload, cluster)
    if reason:
        yield Hit(resource, path, f"the grants could not be read: {reason}", unassessed=True)
        return
    account = Subject("ServiceAccount", workload.service_account, workload.namespace)
    for binding in held(workload, cluster):
        reason = reason or unread(binding, cluster)
        found = _worst(binding, account, cluster)
        if found is not None:
            named, right = found
            ref = binding.resource.ref
            message = f"its token may {right}, through {ref.kind} {ref.name}"
            evidence = (str(binding.resource.locate()),)
            yield Hit(resource, path, message, evidence=evidence, because=(named, ref))
            return
    if reason:
        yield Hit(resource, path, f"the role could not be read: {reason}", unassessed=True)


def _worst(binding: Binding, account: Subject, cluster: Cluster) -> tuple[str, str] | None:
    """The check that names the binding, and the right in words."""
    if binding.role_kind == "ClusterRole" and binding.role_name == "cluster-admin":
        return EVERYTHING, "do everything"
    for check_id in (*_SEVERE, "ACC-009") if binding.cluster_wide else _SEVERE:
        found = held_by(check_id, binding, cluster, account)
        if found is not None:
            return check_id, found[1]
    return None
