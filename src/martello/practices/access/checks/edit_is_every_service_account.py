"""ACC-028: a binding to edit or admin is every service account of the namespace."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.access.bindings import BINDINGS
from martello.practices.access.grants import grants
from martello.practices.access.powers import gaining, people, spared


@check(
    "ACC-028",
    severity="medium",
    kinds=BINDINGS,
    fix=(
        "Bind a role that leaves out secrets, pods/exec, impersonation and the creation of "
        "workloads."
    ),
    frameworks={
        "nsa-cisa": ["authentication-authorization"],
        "mitre-attack": ["T1528"],
        "owasp-k8s": ["K03"],
    },
    examples=(
        Example(
            True,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding,
              metadata: {name: b, namespace: shop},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view},
              subjects: [{kind: User, name: jo}]}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding,
              metadata: {name: b, namespace: shop},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: edit},
              subjects: [{kind: User, name: jo}]}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding,
              metadata: {name: b, namespace: shop}, subjects: [],
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding,
              metadata: {name: b, namespace: shop},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit},
              subjects: [{kind: User, name: jo}]}
            """,
            at="roleRef",
        ),
        Example(
            False,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding,
              metadata: {name: b},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: admin},
              subjects: [{kind: Group, name: ops}]}
            """,
            at="roleRef",
        ),
    ),
)
def edit_is_every_service_account(resource: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Binding to edit or admin is every service account of the namespace.

    The default roles edit and admin read secrets, run commands in pods, create workloads and
    impersonate service accounts. Whoever holds one of them therefore also holds whatever any
    account of the namespace may do, in this namespace and elsewhere.
    """
    binding = grants(cluster).binding(resource)
    if spared(binding) or binding.role_kind != "ClusterRole":
        return
    if binding.role_name not in ("edit", "admin"):
        return
    where = "any namespace" if binding.cluster_wide else "the namespace"
    message = f"{people(gaining(binding))} may act as every service account of {where}"
    yield Hit(resource, ("roleRef",), f"{message}, through ClusterRole {binding.role_name}")
