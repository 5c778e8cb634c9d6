"""The roles and bindings that every cluster is born with, for files that name them without having
them: `cluster-admin`, `edit`, the roles of the control plane.

Source: plugin/pkg/auth/authorizer/rbac/bootstrappolicy in Kubernetes; written to
data/default-roles.json by tools/make_default_roles.py.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.path import Path as Place
from martello.core.resource import Comment, Duplicate, Location, Resource, resource_of
from martello.practices.access.bindings import BINDINGS
from martello.practices.access.rules import CLUSTER_ROLE

_DATA: Final = Path(__file__).parent / "data" / "default-roles.json"
WHERE: Final = "bootstrap"
LABEL: Final = "kubernetes.io/bootstrapping"
# The edges of the system that people bind too: what holds them is no noise.
# Names of the server's own roles, bindings and users, and of its platform's (GKE, EKS).
PLATFORM: Final = ("system:", "gce:", "eks:")
FOR_PEOPLE: Final = ("system:authenticated", "system:unauthenticated", "system:serviceaccounts")


class Bootstrap:
    """The origin of what no file says because the API server makes it by itself."""

    where = WHERE

    def locate(self, path: Place) -> Location:
        """There is no text."""
        return Location(WHERE)

    def comments(self) -> tuple[Comment, ...]:
        """None."""
        return ()

    def duplicates(self) -> tuple[Duplicate, ...]:
        """None."""
        return ()


@functools.cache
def default_objects() -> tuple[Resource, ...]:
    """The default ClusterRoles and ClusterRoleBindings, read once."""
    raws: list[dict[str, Any]] = msgspec.json.decode(_DATA.read_bytes(), type=list[dict[str, Any]])
    return tuple(resource_of(raw, Bootstrap()) for raw in raws)


@functools.lru_cache(maxsize=4)
def with_defaults(cluster: Cluster) -> Cluster:
    """A cluster of files, with the default roles and bindings that they do not hold themselves. A
    live cluster is taken as it is: what is missing there was removed.
    """
    if cluster.name:
        return cluster
    held = {
        (r.ref.kind, r.ref.name)
        for kind in (CLUSTER_ROLE, *BINDINGS)
        for r in cluster.of_kind(kind)
        if r.ref.kind != "RoleBinding"
    }
    more = [r for r in default_objects() if (r.ref.kind, r.ref.name) not in held]
    return Cluster(
        (*cluster.resources, *more),
        name=cluster.name,
        unlisted=cluster.unlisted,
        complete=cluster.complete,
        kubernetes=cluster.kubernetes,
        read=cluster.read,
    )


def is_default(resource: Resource) -> bool:
    """Whether the API server itself made a role or a binding."""
    return resource.origin.where == WHERE or resource.labels.get(LABEL) == "rbac-defaults"


def of_control_plane(kind: str, name: str, namespace: str = "") -> bool:
    """Whether a subject is a part of the control plane: users and groups of the server and its
    platform, and the accounts of controllers in kube-system. `system:authenticated` and its like
    are people and workloads.
    """
    if kind == "ServiceAccount":
        return namespace == "kube-system" and name in _controllers()
    return name.startswith(PLATFORM) and not name.startswith(FOR_PEOPLE)


# Bound by the server in kube-system and kube-public only (bootstrappolicy/namespace_policy.go).
_OF_NAMESPACES: Final = frozenset(
    (
        *("bootstrap-signer", "cloud-provider", "token-cleaner"),
        *("kube-controller-manager", "kube-scheduler"),
    )
)


@functools.cache
def _controllers() -> frozenset[str]:
    bound = frozenset(
        subject["name"]
        for resource in default_objects()
        for subject in resource.raw.get("subjects", ())
        if subject["kind"] == "ServiceAccount"
    )
    return bound | _OF_NAMESPACES
