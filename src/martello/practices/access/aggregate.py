"""What a ClusterRole with an aggregationRule gathers: computed in files, taken as stored in a live
cluster, where the controller has already written it into `rules`. What was exported into files is
both: its parts may have stayed behind, or have been written anew.
"""

from __future__ import annotations

from martello.core.cluster import Cluster
from martello.core.labels import Labelled
from martello.core.resource import Resource
from martello.core.selector import MalformedSelector
from martello.practices.access.rules import (
    CLUSTER_ROLE,
    ROLE,
    Role,
    Rule,
    read_role,
    stands,
    stored,
)

RoleKey = tuple[str, str, str]  # kind, namespace (empty for ClusterRoles), name


def role_key(resource: Resource) -> RoleKey:
    """What a role is called, in its namespace where it lies in one."""
    ref = resource.ref
    return (ref.kind, ref.namespace if ref.kind == "Role" else "", ref.name)


def read_roles(cluster: Cluster) -> dict[RoleKey, Role]:
    """Every role with its effective rules; the last one of a name."""
    roles: dict[RoleKey, Role] = {}
    for resource in cluster.of_kind(ROLE):
        roles[role_key(resource)] = read_role(resource)
    own = {r.ref.name: r for r in cluster.of_kind(CLUSTER_ROLE)}
    index = Labelled((resource.labels, name) for name, resource in own.items())
    read = {name: read_role(resource) for name, resource in own.items()}
    for name in own:
        roles[("ClusterRole", "", name)] = _aggregated(name, read, index)
    return roles


def _aggregated(name: str, read: dict[str, Role], index: Labelled[str]) -> Role:
    """The union over all roles that match any selector, their own rules being those they gather in
    turn. What an aggregating role itself has under `rules` is overwritten.
    """
    resource = read[name].resource
    if resource.raw.get("aggregationRule") is None or resource.ref.cluster:
        return read[name]
    reached, broken = _reach(name, read, index)
    rules: dict[object, Rule] = {}
    if stored(resource):
        rules.update(((id(resource), rule.index), rule) for rule in read[name].rules)
    for member in reached:
        role = read[member]
        broken = broken or role.broken
        for rule in role.rules if stands(role) else ():
            rules.setdefault((id(rule.role), rule.index), rule)
    return Role(resource, tuple(rules.values()), broken)


def _reach(start: str, read: dict[str, Role], index: Labelled[str]) -> tuple[list[str], str]:
    """The roles whose written rules end up in an aggregating one; aggregation may be nested and may
    run in a circle.
    """
    leaves: list[str] = []
    seen = {start}
    queue = [start]
    broken = ""
    while queue:
        aggregation = read[queue.pop()].resource.raw.get("aggregationRule")
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
            if read[name].resource.raw.get("aggregationRule") is None:
                leaves.append(name)
    return leaves, broken
