"""Quotas as guards: objects that are added to a world to try what they bound."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, Resource, resource_of
from martello.practices.resources.blast.classes import closed
from martello.practices.resources.blast.objects import UNCOUNTED
from martello.practices.resources.node.model import Pod

OBJECTS: Final = 100  # of each kind that a namespace may hold
PODS: Final = "martello-pods"  # what bounded_pods makes
LEAST: Final = "martello-least"


def bounded_classes(cluster: Cluster, namespaces: Iterable[str], pods: Iterable[Pod]) -> Cluster:
    """No pod in these namespaces of a priority class above pods without one that none of theirs
    has: the system's, and those of the cluster.
    """
    used: dict[str, set[str]] = {}
    for pod in pods:
        name = pod.raw.get("spec", {}).get("priorityClassName")
        if isinstance(name, str):
            used.setdefault(pod.namespace, set()).add(name)
    specs = {space: closed(cluster, space, used.get(space, ())) for space in namespaces}
    return cluster.apply(
        _quota("martello-priority", space, spec, cluster.name)
        for space, spec in specs.items()
        if spec
    )


def counted(cluster: Cluster, kinds: Iterable[tuple[str, str, str]]) -> Cluster:
    """So many objects of each kind, or as many as there may be without filling half of etcd."""
    by_space: dict[str, list[str]] = {}
    for namespace, group, resource in sorted(set(kinds)):
        if namespace and "/" not in resource and (group, resource) not in UNCOUNTED:
            name = f"{resource}.{group}" if group else resource
            by_space.setdefault(namespace, []).append(name)
    total = sum(map(len, by_space.values())) or 1
    most = max(1, min(OBJECTS, 680 // total))
    return cluster.apply(
        _quota(
            "martello-objects",
            namespace,
            {"hard": {f"count/{name}": str(most) for name in names}},
            cluster.name,
        )
        for namespace, names in by_space.items()
    )


def bounded_pods(cluster: Cluster, namespaces: Iterable[str], pods: Iterable[Pod]) -> Cluster:
    """In each namespace half as much again as its pods ask for today, and limits of as much; a
    LimitRange whose minimum keeps limits of 0 out.
    """
    held = tuple(pods)
    spaces = {space: [pod for pod in held if pod.namespace == space] for space in namespaces}
    made: list[Resource] = []
    for space, own in spaces.items():
        cpu = max(200, sum(pod.request.get("cpu", 0) for pod in own) * 3 // 2)
        memory = max(2**28, sum(pod.request.get("memory", 0) for pod in own) * 3 // 2000)
        hard = {
            "pods": str(max(4, len(own) * 3 // 2)),
            "requests.cpu": f"{cpu}m",
            "requests.memory": str(memory),
            "limits.cpu": f"{2 * cpu}m",
            "limits.memory": str(memory),
            "limits.ephemeral-storage": str(max(4, len(own)) * 2**28),
        }
        made.append(_quota(PODS, space, {"hard": hard}, cluster.name))
        least = {"cpu": "1m", "memory": "4Mi", "ephemeral-storage": "1Mi"}
        spec = {"limits": [{"type": "Container", "min": least}]}
        made.append(_object("LimitRange", LEAST, space, spec, cluster.name))
    return cluster.apply(made)


def _quota(name: str, namespace: str, spec: dict[str, Any], cluster: str) -> Resource:
    return _object("ResourceQuota", name, namespace, spec, cluster)


def _object(kind: str, name: str, namespace: str, spec: dict[str, Any], cluster: str) -> Resource:
    raw = {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }
    return resource_of(raw, Nowhere(), cluster)
