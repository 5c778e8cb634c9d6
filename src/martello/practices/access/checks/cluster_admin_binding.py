"""ACC-001: a binding gives somebody every right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.access.bindings import BINDINGS, Binding
from martello.practices.access.defaults import PLATFORM
from martello.practices.access.grants import grants
from martello.practices.access.powers import gaining, people, unread
from martello.practices.access.rules import Rule

_ALL: Final = frozenset(("get", "list", "watch", "create", "update", "patch", "delete"))


@check(
    "ACC-001",
    severity="high",
    kinds=BINDINGS,
    fix="Bind a role that lists the verbs and resources that are needed.",
    frameworks={
        "cis-kubernetes": ["5.1.1"],
        "nsa-cisa": ["authentication-authorization"],
        "mitre-attack": ["T1078"],
        "owasp-k8s": ["K03"],
    },
    aliases={
        "kube-linter": ("cluster-admin-role-binding",),
        "trivy": ("KSV-0111",),
        "kubescape": ("C-0185", "C-0035", "C-0272"),
        "polaris": (
            "clusterrolebindingClusterAdmin",
            "rolebindingClusterAdminClusterRole",
            "rolebindingClusterAdminRole",
        ),
    },
    examples=(
        Example(
            True,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding,
              metadata: {name: cluster-admin},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole,
                name: cluster-admin},
              subjects: [{kind: Group, name: "system:masters"}]}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: r},
              rules: [{verbs: [get, list], apiGroups: ["*"], resources: ["*"]},
                {verbs: ["*"], apiGroups: [""], resources: ["*"]}]}
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
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding,
              metadata: {name: "system:made-by-the-server"},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole,
                name: cluster-admin},
              subjects: [{kind: User, name: "system:kube-something"}]}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding,
              metadata: {name: cluster-admin},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole,
                name: cluster-admin},
              subjects: [{kind: Group, name: "system:masters"}, {kind: User, name: jo}]}
            """,
            at="roleRef",
        ),
        Example(
            False,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: Role,
              metadata: {name: r, namespace: shop},
              rules: [{verbs: [get, list, watch, create, update, patch, delete], apiGroups: ["*"],
                resources: ["*"]}]}
            ---
            {apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding,
              metadata: {name: b, namespace: shop},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r},
              subjects: [{kind: ServiceAccount, name: ci}]}
            """,
            at="roleRef",
        ),
    ),
)
def cluster_admin_binding(resource: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Somebody is given every right.

    The role cluster-admin, and every role that is as wide, holds all that the API server has:
    each secret, each node, each role. A leaked credential of such a subject is the loss of the
    cluster, or of the namespace where a RoleBinding gives it.
    """
    binding = grants(cluster).binding(resource)
    subjects = gaining(binding)
    if resource.ref.name.startswith(PLATFORM) or not subjects:  # such names: ACC-039
        return
    if not (_is_admin(binding) or _everything(binding.rules)):
        reason = unread(binding, cluster)
        if reason:
            message = f"the role could not be read: {reason}"
            yield Hit(resource, ("roleRef",), message, unassessed=True)
        return
    where = "the cluster" if binding.cluster_wide else "the namespace"
    message = f"{people(subjects)} may do everything in {where}"
    yield Hit(resource, ("roleRef",), f"{message}, through {binding.role_kind} {binding.role_name}")


def _is_admin(binding: Binding) -> bool:
    return binding.role_kind == "ClusterRole" and binding.role_name == "cluster-admin"


def _everything(rules: tuple[Rule, ...]) -> bool:
    """Whether the rules together give every verb on whatever there is."""
    wide = [r for r in rules if "*" in r.groups and "*" in r.resources and not r.names]
    verbs = {verb for rule in wide for verb in rule.verbs}
    return "*" in verbs or _ALL.issubset(verbs)
