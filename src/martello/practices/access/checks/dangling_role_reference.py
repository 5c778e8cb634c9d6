"""ACC-030: a binding refers to a role that does not exist."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.access.bindings import BINDINGS
from martello.practices.access.grants import grants
from martello.practices.access.powers import own_local_role, own_role
from martello.practices.access.rules import RBAC


@check(
    "ACC-030",
    severity="medium",
    kinds=BINDINGS,
    fix="Correct kind and name of the roleRef, add the role, or delete the binding.",
    frameworks={"nsa-cisa": ["authentication-authorization"], "owasp-k8s": ["K03"]},
    aliases={
        "polaris": (
            "clusterrolebindingPodExecAttach",
            "rolebindingClusterRolePodExecAttach",
            "rolebindingRolePodExecAttach",
        )
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
            {apiVersion: rbac.authorization.k8s.io/v1, kind: Role,
              metadata: {name: r, namespace: shop}, rules: []}
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
            {apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding,
              metadata: {name: b, namespace: kube-system},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role,
                name: extension-apiserver-authentication-reader},
              subjects: [{kind: User, name: jo}]}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: Role,
              metadata: {name: r, namespace: other}, rules: []}
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
              metadata: {name: r, namespace: shop}, rules: []}
            ---
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding,
              metadata: {name: b},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r},
              subjects: [{kind: User, name: jo}]}
            """,
            at="roleRef",
        ),
    ),
)
def dangling_role_reference(resource: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Binding refers to a role that does not exist.

    The binding grants nothing today. Whoever may create roles of that name later, by mistake or
    on purpose, gives its subjects rights that nobody reviewed.
    """
    binding = grants(cluster).binding(resource)
    if binding.role is not None:
        return
    if binding.broken and not binding.role_kind:
        yield Hit(resource, ("roleRef",), binding.broken, unassessed=True)
        return
    if binding.role_kind == "ClusterRole" and own_role(binding.role_name):
        return
    here = "" if binding.cluster_wide else resource.ref.namespace
    if binding.role_kind == "Role" and own_local_role(here, binding.role_name):
        return
    reason = cluster.unlisted.get(f"{binding.role_kind}.{RBAC}")
    if reason is not None:
        yield Hit(resource, ("roleRef",), f"roles could not be read: {reason}", unassessed=True)
        return
    missing = f"{binding.role_kind} {binding.role_name}"
    if binding.cluster_wide and binding.role_kind == "Role":
        message = f"a ClusterRoleBinding to the {missing} grants nothing"
    else:
        message = f"there is no {missing}" + ("" if cluster.complete else " within these files")
    yield Hit(resource, ("roleRef",), message, severity="" if cluster.complete else "low")
