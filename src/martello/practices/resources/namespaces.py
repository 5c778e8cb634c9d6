"""Namespaces in which workloads run and that lack an object that bounds them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from martello.core.check import Hit
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.core.selection import selection

SYSTEM: Final = frozenset(("kube-system", "kube-public", "kube-node-lease"))


def lacking(namespace: Resource, cluster: Cluster, kind: str, field: str) -> Iterator[Hit]:
    """A hit where the namespace has workloads and no object of the kind with anything in a field of
    its spec. The namespaces of the control plane and empty ones are left alone.
    """
    name = namespace.ref.name
    hidden = "" if selection(cluster).of(name) else cluster.hidden_workloads
    if name in SYSTEM or not (selection(cluster).of(name) or hidden):
        return
    if any(r.spec.get(field) for r in cluster.of_kind(kind, name)):
        return
    reason = cluster.unlisted.get(kind)
    path = ("metadata", "name")
    if reason is not None:
        yield Hit(namespace, path, f"{kind} could not be read: {reason}", unassessed=True)
    elif hidden:
        yield Hit(namespace, path, f"it may have workloads: {hidden}", unassessed=True)
    else:
        yield Hit(namespace, path, f"no {kind} bounds the workloads of this namespace")
