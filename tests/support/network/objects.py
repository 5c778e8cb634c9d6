"""Kubernetes objects of the network in a few words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, Resource, resource_of

Object = dict[str, Any]


def cluster(objects: Iterable[Object]) -> Cluster:
    """A live-like cluster of raw objects."""
    return Cluster(resources(objects))


def resources(objects: Iterable[Object]) -> list[Resource]:
    """Raw objects as the engines take them."""
    return [resource_of(raw, Nowhere()) for raw in objects]


def pod(
    space: str,
    name: str,
    labels: Mapping[str, str],
    ips: Sequence[str],
    ports: Sequence[Object],
    where: str = "",
) -> Object:
    """A running pod."""
    status: Object = {"phase": "Running", "podIPs": [{"ip": ip} for ip in ips]}
    if ips:
        status["podIP"] = ips[0]
    else:
        status = {"phase": "Pending"}
    containers = [{"name": "main", "image": "example.com/a:1", "ports": list(ports)}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": space, "labels": dict(labels)},
        "spec": {"nodeName": where, "containers": containers},
        "status": status,
    }


def namespace(name: str, labels: Mapping[str, str]) -> Object:
    """A namespace, without the label that the API server adds."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": dict(labels)},
    }


def node(name: str, ips: Sequence[str], labels: Mapping[str, str]) -> Object:
    """A node with its addresses."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": dict(labels)},
        "status": {"addresses": [{"type": "InternalIP", "address": ip} for ip in ips]},
    }


def policy(version: str, kind: str, name: str, spec: Object, space: str = "") -> Object:
    """A policy object, of a namespace where one is given."""
    metadata = {"name": name, **({"namespace": space} if space else {})}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}
