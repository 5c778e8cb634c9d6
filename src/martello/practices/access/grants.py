"""Who is granted what, through which binding and rule: roles and bindings read once, exactly.

Rules follow the RBAC authorizer of Kubernetes: `*` is the only wildcard of verbs and groups, `*` as
a resource takes every subresource along, `*/sub` is that subresource of any resource, names are
literal. A RoleBinding grants in its namespace only; a ClusterRoleBinding to a Role grants nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.labels import Labelled
from martello.core.resource import Resource
from martello.core.selector import MalformedSelector

RBAC: Final = "rbac.authorization.k8s.io"
ROLE: Final = f"Role.{RBAC}"
CLUSTER_ROLE: Final = f"ClusterRole.{RBAC}"
ROLE_BINDING: Final = f"RoleBinding.{RBAC}"
CLUSTER_ROLE_BINDING: Final = f"ClusterRoleBinding.{RBAC}"
ROLES: Final = (CLUSTER_ROLE, ROLE)
BINDINGS: Final = (CLUSTER_ROLE_BINDING, ROLE_BINDING)
_ACCOUNT: Final = "system:serviceaccount:"


class Rule(msgspec.Struct, frozen=True):
    """One rule, with the role and the position it was written at."""

    verbs: tuple[str, ...]
    groups: tuple[str, ...]
    resources: tuple[str, ...]
    names: tuple[str, ...]
    urls: tuple[str, ...]
    role: Resource
    index: int

    def permits(
        self, verb: str, group: str, resource: str, subresource: str = "", name: str = ""
    ) -> bool:
        """Whether this rule allows a request for a resource."""
        return (
            ("*" in self.verbs or verb in self.verbs)
            and ("*" in self.groups or group in self.groups)
            and self.covers(resource, subresource)
            and (not self.names or name in self.names)
        )

    def covers(self, resource: str, subresource: str = "") -> bool:
        """Whether the resource is one of the rule's, whatever the verb."""
        if "*" in self.resources:
            return True
        if not subresource:
            return resource in self.resources
        return f"{resource}/{subresource}" in self.resources or f"*/{subresource}" in self.resources


class Role(msgspec.Struct, frozen=True):
    """A Role or ClusterRole with its effective rules. `broken` is why not all could be read."""

    resource: Resource
    rules: tuple[Rule, ...]
    broken: str = ""


class Subject(msgspec.Struct, frozen=True):
    """Somebody who is bound: `namespace` is that of a ServiceAccount and empty for all others."""

    kind: str
    name: str
    namespace: str = ""

    def __str__(self) -> str:
        if self.kind == "ServiceAccount" and self.namespace:
            return f"ServiceAccount {self.namespace}/{self.name}"
        return f"{self.kind} {self.name}"


class Binding(msgspec.Struct, frozen=True):
    """A RoleBinding or ClusterRoleBinding, joined with its role where that is here."""

    resource: Resource
    subjects: tuple[Subject, ...]
    role_kind: str
    role_name: str
    role: Role | None
    broken: str = ""

    @property
    def cluster_wide(self) -> bool:
        """Whether it grants in every namespace and outside of all."""
        return self.resource.ref.kind == "ClusterRoleBinding"

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules it grants."""
        return self.role.rules if self.role else ()


class Grants:
    """The roles and bindings of one cluster."""

    __slots__ = ("_bound", "_by_name", "_by_object", "_by_subject", "bindings", "roles")

    def __init__(self, cluster: Cluster) -> None:
        self.roles = _roles(cluster)
        self.bindings = tuple(
            _binding(resource, self.roles)
            for kind in BINDINGS
            for resource in sorted(cluster.of_kind(kind), key=_place)
        )
        self._bound = frozenset(_key(b.role.resource) for b in self.bindings if b.role)
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
        return _key(resource) in self._bound

    def role(self, resource: Resource) -> Role:
        """The role that this object is."""
        found = self.roles.get(_key(resource))
        return found if found and found.resource is resource else _role(resource)

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


def _key(resource: Resource) -> tuple[str, str, str]:
    """What a role is called, in its namespace where it lies in one."""
    ref = resource.ref
    return (ref.kind, ref.namespace if ref.kind == "Role" else "", ref.name)


def _place(resource: Resource) -> tuple[str, str]:
    """The order in which bindings are named, whatever the order in which they were read."""
    return (resource.ref.namespace, resource.ref.name)


def _roles(cluster: Cluster) -> dict[tuple[str, str, str], Role]:
    roles: dict[tuple[str, str, str], Role] = {}
    for resource in cluster.of_kind(ROLE):
        roles[("Role", resource.ref.namespace, resource.ref.name)] = _role(resource)
    own = {r.ref.name: r for r in cluster.of_kind(CLUSTER_ROLE)}
    index = Labelled((resource.labels, name) for name, resource in own.items())
    done: dict[str, Role] = {}
    for name in own:
        roles[("ClusterRole", "", name)] = _aggregated(name, own, index, done)
    return roles


def _aggregated(
    name: str, own: dict[str, Resource], index: Labelled[str], done: dict[str, Role]
) -> Role:
    """A ClusterRole with what its aggregationRule gathers. In a live cluster the controller has
    already written that into `rules`; in files it is computed: the union over all roles that
    match any selector, their own rules being those they gather in turn.
    """
    resource = own[name]
    aggregation = resource.raw.get("aggregationRule")
    if aggregation is None or resource.ref.cluster:
        return done.setdefault(name, _role(resource))
    reached, broken = _reach(name, own, index)
    rules: list[Rule] = []
    for member in reached:
        role = _role(own[member])
        rules.extend(role.rules)
        broken = broken or role.broken
    return done.setdefault(name, Role(resource, tuple(rules), broken))


def _reach(start: str, own: dict[str, Resource], index: Labelled[str]) -> tuple[list[str], str]:
    """The roles whose written rules end up in an aggregating one; aggregation may be nested and may
    run in a circle. What an aggregating role itself has under `rules` is overwritten.
    """
    leaves: list[str] = []
    seen = {start}
    queue = [start]
    broken = ""
    while queue:
        aggregation = own[queue.pop()].raw.get("aggregationRule")
        if aggregation is None:
            continue
        selectors = (
            aggregation.get("clusterRoleSelectors") if isinstance(aggregation, dict) else None
        )
        if not isinstance(selectors, list):
            broken = "aggregationRule names no list of selectors"
            continue
        found: dict[str, None] = {}
        try:
            for selector in selectors:
                found.update(dict.fromkeys(index.selected(selector)))
        except MalformedSelector as error:
            broken = f"aggregationRule: {error}"
        for name in found:
            if name in seen:
                continue
            seen.add(name)
            queue.append(name)
            if own[name].raw.get("aggregationRule") is None:
                leaves.append(name)
    return leaves, broken


def _role(resource: Resource) -> Role:
    written = resource.raw.get("rules")
    if written is None:
        return Role(resource, ())
    if not isinstance(written, list):
        return Role(resource, (), "rules is no list")
    rules: list[Rule] = []
    broken = ""
    for index, raw in enumerate(written):
        parts = _parts(raw)
        if parts is None:
            broken = broken or f"rules[{index}] is no rule that the API server would store"
        else:
            verbs, groups, resources, names, urls = parts
            rules.append(Rule(verbs, groups, resources, names, urls, resource, index))
    return Role(resource, tuple(rules), broken)


_FIELDS: Final = ("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs")


def _parts(raw: Any) -> list[tuple[str, ...]] | None:
    if not isinstance(raw, dict):
        return None
    parts: list[tuple[str, ...]] = []
    for field in _FIELDS:
        values = raw.get(field)
        if values is None:
            values = []
        if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
            return None
        parts.append(tuple(values))
    return parts


def _binding(resource: Resource, roles: dict[tuple[str, str, str], Role]) -> Binding:
    reference = resource.raw.get("roleRef")
    kind = reference.get("kind") if isinstance(reference, dict) else None
    name = reference.get("name") if isinstance(reference, dict) else None
    subjects, broken = _subjects(resource)
    if not isinstance(kind, str) or not isinstance(name, str):
        return Binding(resource, subjects, "", "", None, "roleRef names no kind and name")
    role: Role | None = None
    if kind == "ClusterRole":
        role = roles.get(("ClusterRole", "", name))
    elif kind == "Role" and resource.ref.kind == "RoleBinding":
        role = roles.get(("Role", resource.ref.namespace, name))
    return Binding(resource, subjects, kind, name, role, broken)


def _subjects(resource: Resource) -> tuple[tuple[Subject, ...], str]:
    written = resource.raw.get("subjects")
    if written is None:
        return (), ""
    if not isinstance(written, list):
        return (), "subjects is no list"
    home = resource.ref.namespace if resource.ref.kind == "RoleBinding" else ""
    subjects: list[Subject] = []
    broken = ""
    for index, raw in enumerate(written):
        kind = raw.get("kind") if isinstance(raw, dict) else None
        name = raw.get("name") if isinstance(raw, dict) else None
        if not isinstance(kind, str) or not isinstance(name, str):
            broken = broken or f"subjects[{index}] names no kind and name"
            continue
        subjects.append(_subject(kind, name, raw.get("namespace"), home))
    return tuple(subjects), broken


def _subject(kind: str, name: str, namespace: Any, home: str) -> Subject:
    """A User spelled like a service account is that account."""
    if kind == "User" and name.startswith(_ACCOUNT) and name.count(":") == 3:
        space, _, account = name.removeprefix(_ACCOUNT).partition(":")
        return Subject("ServiceAccount", account, space)
    if kind == "ServiceAccount":
        return Subject(kind, name, namespace if isinstance(namespace, str) and namespace else home)
    return Subject(kind, name)
