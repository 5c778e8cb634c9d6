"""Fleets of small clusters for tests: raw objects a cluster, ranges, exports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, Resource, resource_of
from martello.practices.network.engine.reach import reach
from martello.practices.network.fleets.file import members
from martello.practices.network.fleets.fleet import Fleet
from martello.practices.network.profiles import profile

Raw = dict[str, Any]
PODS = {"a": ["10.1.0.0/16"], "b": ["10.2.0.0/16"], "c": ["10.3.0.0/16"]}


def resources(raws: Sequence[Raw]) -> list[Resource]:
    """Raw objects as resources."""
    return [resource_of(raw, Nowhere()) for raw in raws]


def fleet(
    objects: Mapping[str, Sequence[Raw]],
    *,
    pods: Mapping[str, Sequence[str]] = PODS,
    exports: Mapping[str, Sequence[Raw]] | None = None,
    extra: Mapping[str, Raw] | None = None,
) -> Fleet:
    """A fleet whose clusters hold these objects and a namespace `shop`."""
    raw: dict[str, Raw] = {
        name: {
            "files": name,
            "pods": list(pods[name]),
            "exports": list((exports or {}).get(name, ())),
            **(extra or {}).get(name, {}),
        }
        for name in objects
    }
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    reaches = {
        name: reach(Cluster(resources([space, *held])), profile("martello", tuple(pods[name])))
        for name, held in objects.items()
    }
    return Fleet(members({"clusters": raw}), reaches)


def pod_object(name: str, *addresses: str, node: str = "n1") -> Raw:
    """A running pod of namespace shop, labelled by its name."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": "shop", "name": name, "labels": {"app": name}},
        "spec": {"nodeName": node, "containers": [{"name": "c", "image": "i"}]},
        "status": {
            "phase": "Running",
            "podIP": addresses[0] if addresses else "",
            "podIPs": [{"ip": one} for one in addresses],
        },
    }


def service_object(name: str, port: int, target: int) -> Raw:
    """A Service over the pod of its name."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": "shop", "name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": port, "targetPort": target}]},
    }


def network_policy(name: str, way: str, rules: Sequence[Raw]) -> Raw:
    """A NetworkPolicy of one direction for the pod of its name."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"namespace": "shop", "name": name},
        "spec": {
            "podSelector": {"matchLabels": {"app": name}},
            "policyTypes": [way],
            way.lower(): list(rules),
        },
    }
