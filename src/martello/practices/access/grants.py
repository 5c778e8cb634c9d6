"""The roles and bindings of one cluster, read once and joined."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.access.aggregate import read_roles, role_key
from martello.practices.access.bindings import BINDINGS, Binding, Subject, read_binding
from martello.practices.access.rules import Role, read_role


class Grants:
    """The roles and bindings of one cluster."""

    __slots__ = ("_bound", "_by_name", "_by_object", "_by_subject", "bindings", "roles")

    def __init__(self, cluster: Cluster) -> None:
        self.roles = read_roles(cluster)
        self.bindings = tuple(
            read_binding(resource, self.roles)
            for kind in BINDINGS
            for resource in sorted(cluster.of_kind(kind), key=_place)
        )
        self._bound = frozenset(role_key(b.role.resource) for b in self.bindings if b.role)
        self._by_object = {id(b.resource): b for b in self.bindings}
        self._by_name: dict[str, list[Binding]] = {}
        self._by_subject: dict[Subject, list[Binding]] = {}
        for binding in self.bindings:
            for subject in dict.fromkeys(binding.subjects):
                self._by_subject.setdefault(subject, []).append(binding)
                if subject.kind == "ServiceAccount" and subject.namespace:
                    self._by_name.setdefault(subject.name, []).append(binding)

    def binding(self, resource: Resource) -> Binding:
        """The binding that this object is."""
        return self._by_object[id(resource)]

    def bound(self, resource: Resource) -> bool:
        """Whether some binding names the role that this object is, or another one of its name."""
        return role_key(resource) in self._bound

    def role(self, resource: Resource) -> Role:
        """The role that this object is."""
        found = self.roles.get(role_key(resource))
        return found if found and found.resource is resource else read_role(resource)

    def of_account(self, namespace: str, name: str) -> Iterator[Binding]:
        """The bindings that grant a service account something in any namespace, by its own name or
        by a group that every account is in. Where files do not say the namespace, any account of
        that name may be meant.
        """
        if not namespace and name != "default":
            yield from self._by_name.get(name, ())
        for subject in (
            Subject("ServiceAccount", name, namespace),
            Subject("Group", "system:serviceaccounts"),
            Subject("Group", f"system:serviceaccounts:{namespace}"),
            Subject("Group", "system:authenticated"),
        ):
            yield from self._by_subject.get(subject, ())


@lru_cache(maxsize=2)
def grants(cluster: Cluster) -> Grants:
    """The grants of a cluster, read once: a Cluster never changes."""
    return Grants(cluster)


def _place(resource: Resource) -> tuple[str, str]:
    """The order in which bindings are named, whatever the order in which they were read."""
    return (resource.ref.namespace, resource.ref.name)
