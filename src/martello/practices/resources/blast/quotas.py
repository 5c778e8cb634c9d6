"""Quotas as guards: objects that are added to a world to try what they bound."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, Resource, resource_of
from martello.practices.resources.blast.room import BUILT_IN

OBJECTS = 100  # of each kind that a namespace may hold


def bounded_classes(cluster: Cluster, namespaces: Iterable[str]) -> Cluster:
    """No pod of a system priority class in these namespaces."""
    scope = {
        "scopeName": "PriorityClass",
        "operator": "In",
        "values": [cls.name for cls in BUILT_IN],
    }
    return cluster.apply(
        _quota(
            "system-priority",
            namespace,
            {"hard": {"pods": "0"}, "scopeSelector": {"matchExpressions": [scope]}},
            cluster.name,
        )
        for namespace in namespaces
        if namespace != "kube-system"
    )


def counted(cluster: Cluster, kinds: Iterable[tuple[str, str, str]]) -> Cluster:
    """So many objects of each kind, or as many as there may be without filling half of etcd."""
    by_space: dict[str, list[str]] = {}
    for namespace, group, resource in sorted(set(kinds)):
        if namespace and "/" not in resource:
            name = f"{resource}.{group}" if group else resource
            by_space.setdefault(namespace, []).append(name)
    total = sum(map(len, by_space.values())) or 1
    most = max(1, min(OBJECTS, 680 // total))
    return cluster.apply(
        _quota(
            "objects",
            namespace,
            {"hard": {f"count/{name}": str(most) for name in names}},
            cluster.name,
        )
        for namespace, names in by_space.items()
    )


def _quota(name: str, namespace: str, spec: dict[str, Any], cluster: str) -> Resource:
    raw = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": f"martello-{name}", "namespace": namespace},
        "spec": spec,
    }
    return resource_of(raw, Nowhere(), cluster)
