"""ACC-039: a binding bears a name of the platform and binds somebody else."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.access.bindings import BINDINGS
from martello.practices.access.born import outsiders
from martello.practices.access.defaults import PLATFORM
from martello.practices.access.grants import grants
from martello.practices.access.powers import people


@check(
    "ACC-039",
    severity="high",
    kinds=BINDINGS,
    fix="Give the binding a name of its own, so that it is judged like any other.",
    frameworks={
        "nsa-cisa": ["authentication-authorization"],
        "mitre-attack": ["T1036"],
        "owasp-k8s": ["K03"],
    },
    examples=(
        Example(
            True,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding,
              metadata: {name: "system:node-proxier"},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole,
                name: "system:node-proxier"},
              subjects: [{kind: User, name: "system:kube-proxy"}]}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding,
              metadata: {name: "eks:node-manager"},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole,
                name: "eks:node-manager"},
              subjects: [{kind: User, name: "eks:node-manager"}]}
            """,
        ),
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
            False,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding,
              metadata: {name: "system:node-proxier-2"},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole,
                name: cluster-admin},
              subjects: [{kind: User, name: "system:kube-proxy"}, {kind: User, name: jo}]}
            """,
            at="metadata.name",
        ),
        Example(
            False,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding,
              metadata: {name: "gce:x", namespace: shop},
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit},
              subjects: [{kind: ServiceAccount, name: web}]}
            """,
            at="metadata.name",
        ),
    ),
)
def borrowed_platform_name(resource: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Binding bears a name of the platform and binds somebody else.

    Names that begin with `system:`, `gce:` or `eks:` are those of the API server and its platform,
    and other checks pass over them, here as in other tools. Whoever may write bindings may choose
    such a name, so a right that hides behind it is told whatever it is.
    """
    if not resource.ref.name.startswith(PLATFORM):
        return
    binding = grants(cluster).binding(resource)
    others = outsiders(binding)
    if others:
        message = f"{people(others)} is given {binding.role_kind} {binding.role_name}"
        yield Hit(resource, ("metadata", "name"), f"{message} under a name of the platform")
