"""What the outside can reach: load balancers, node ports, external addresses, host ports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.path import Path, look_up
from martello.core.resource import Resource
from martello.core.workload import template_path
from martello.practices.network.addresses import parse_address, parse_range
from martello.practices.network.model import Address, Endpoint, World
from martello.practices.network.outer.services import Target, targets
from martello.practices.network.ports import protocol_of

LOAD_BALANCER: Final = "load-balancer"
NODE_PORT: Final = "node-port"
EXTERNAL_IP: Final = "external-ip"
HOST_PORT: Final = "host-port"
_RANGES: Final = "service.beta.kubernetes.io/load-balancer-source-ranges"
# Annotations by which clouds give a load balancer an address of the private network only.
_INTERNAL: Final = {
    "cloud.google.com/load-balancer-type": ("internal",),
    "networking.gke.io/load-balancer-type": ("internal",),
    "service.beta.kubernetes.io/aws-load-balancer-internal": ("true", "0.0.0.0/0"),
    "service.beta.kubernetes.io/aws-load-balancer-scheme": ("internal",),
    "service.beta.kubernetes.io/azure-load-balancer-internal": ("true",),
    "service.beta.kubernetes.io/openstack-internal-load-balancer": ("true",),
    "service.kubernetes.io/ibm-load-balancer-cloud-provider-ip-type": ("private",),
}


class Opening(msgspec.Struct, frozen=True):
    """One way from outside to places: from `sources` (None: anyone) to `port` outside, which
    becomes `target` at the endpoints.

    `hides_client`: the endpoints see the address of a node, so that blocks of source addresses may
    not match (S3). `internal`: only the private network of the cloud is let in.
    """

    resource: Resource
    path: Path
    kind: str
    sources: tuple[Address, ...] | None
    endpoints: tuple[Endpoint, ...]
    protocol: str
    port: int  # 0: the server will choose it
    target: int
    hides_client: bool
    internal: bool = False


def openings(world: World, cluster: Cluster) -> tuple[Opening, ...]:
    """Every way in from outside the cluster (S5), Services first."""
    found = [one for service in cluster.of_kind("Service") for one in _of(world, cluster, service)]
    return (*found, *_host_ports(world))


def _of(world: World, cluster: Cluster, service: Resource) -> Iterator[Opening]:
    spec = service.spec
    kind, external = spec.get("type"), _external(spec.get("externalIPs"))
    if kind not in ("LoadBalancer", "NodePort") and not external:
        return
    hides = spec.get("externalTrafficPolicy") != "Local"
    for one in _grouped(targets(world, cluster, service).targets):
        places = tuple(t.place for t in one if isinstance(t.place, Endpoint))
        if not places:
            continue
        first = one[0]
        raw = look_up(service.raw, first.path) or {}
        inner = (first.protocol, first.number)
        if kind == "LoadBalancer":
            yield Opening(
                service,
                first.path,
                LOAD_BALANCER,
                _sources(service),
                places,
                first.protocol,
                first.port,
                first.number,
                hides,
                _internal(service),
            )
        if external:
            path: Path = ("spec", "externalIPs")
            yield Opening(
                service, path, EXTERNAL_IP, None, places, inner[0], first.port, inner[1], hides
            )
        if kind == "NodePort" or (kind == "LoadBalancer" and _has_node_port(spec, raw)):
            number = raw.get("nodePort")
            outer = number if isinstance(number, int) else 0
            yield Opening(
                service, first.path, NODE_PORT, None, places, inner[0], outer, inner[1], hides
            )


def _grouped(found: tuple[Target, ...]) -> Iterator[list[Target]]:
    """Targets of one port of the Service and one number at the places."""
    groups: dict[tuple[Path, str, int], list[Target]] = {}
    for target in found:
        if target.port:
            groups.setdefault((target.path, target.protocol, target.number), []).append(target)
    yield from groups.values()


def _has_node_port(spec: dict[str, Any], port: dict[str, Any]) -> bool:
    return bool(port.get("nodePort")) or spec.get("allocateLoadBalancerNodePorts") is not False


def _external(value: object) -> bool:
    listed = value if isinstance(value, list) else ()
    return any(isinstance(text, str) and parse_address(text) for text in listed)


def _sources(service: Resource) -> tuple[Address, ...] | None:
    """The ranges that may come in; None for anyone, also where none of them can be read."""
    listed = service.spec.get("loadBalancerSourceRanges")
    if not listed:
        listed = [part.strip() for part in service.annotations.get(_RANGES, "").split(",")]
    if not isinstance(listed, list):
        return None
    found = [parse_range(text) for text in listed if isinstance(text, str) and text]
    return tuple(sorted(Address(*one) for one in found if one is not None)) or None


def _internal(service: Resource) -> bool:
    return any(
        service.annotations.get(key, "").lower() in values for key, values in _INTERNAL.items()
    )


def _host_ports(world: World) -> Iterator[Opening]:
    for endpoint in world.endpoints:
        path = (*(template_path(endpoint.resource) or ()), "spec")
        spec = look_up(endpoint.resource.raw, path)
        if isinstance(spec, dict):
            for key in ("containers", "initContainers"):
                containers = spec.get(key)
                if isinstance(containers, list):
                    yield from _declared(endpoint, containers, (*path, key))


def _declared(endpoint: Endpoint, containers: list[Any], path: Path) -> Iterator[Opening]:
    for at, container in enumerate(containers):
        ports = container.get("ports") if isinstance(container, dict) else None
        for index, port in enumerate(ports if isinstance(ports, list) else ()):
            if not isinstance(port, dict):
                continue
            inner = port.get("containerPort")
            # on the network of the node the server writes hostPort itself: each port is the node's
            outer = port.get("hostPort", inner if endpoint.host_network else None)
            if not isinstance(outer, int):
                continue
            if not 0 < outer < 65536 or not isinstance(inner, int) or _local(port.get("hostIP")):
                continue
            where = (*path, at, "ports", index)
            yield Opening(
                endpoint.resource,
                where,
                HOST_PORT,
                None,
                (endpoint,),
                protocol_of(port),
                outer,
                inner,
                False,
            )


def _local(text: object) -> bool:
    """Whether an address is the node's own loopback."""
    found = parse_address(text) if isinstance(text, str) else None
    return found is not None and (found == (6, 1) or (found[0] == 4 and found[1] >> 24 == 127))
