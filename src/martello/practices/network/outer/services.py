"""What a Service stands for: the places behind its ports after translation, and what it opens to
the outside.

Sources: Kubernetes' endpoint slice controller (`FindPort`: the first container port of that name
and protocol), and the API of Service (source ranges bind the load balancer only, never node ports).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.labels import Labelled
from martello.core.path import Path
from martello.core.resource import Resource
from martello.core.selector import MalformedSelector
from martello.practices.network.addresses import parse_address
from martello.practices.network.model import Address, Endpoint, World
from martello.practices.network.ports import protocol_of, service_ports

DEFAULT_NAMESPACE: Final = "default"
_SLICE: Final = "EndpointSlice.discovery.k8s.io"
_OWNER: Final = "kubernetes.io/service-name"


class Target(msgspec.Struct, frozen=True):
    """One place behind one port of a Service: what a policy at the place sees is `number`."""

    place: Endpoint | Address
    protocol: str
    port: int  # the Service's own; 0 where it has none (headless)
    number: int  # at the place
    name: str = ""  # of the Service's port
    path: Path = ()


class Backends(msgspec.Struct, frozen=True):
    """What is behind a Service. `kind` is `cluster`, `headless` (clients go to the places
    themselves), `external` (a DNS name) or `unknown`; `because` says why it is one of these two.
    """

    kind: str
    targets: tuple[Target, ...] = ()
    because: str = ""


def targets(world: World, cluster: Cluster, service: Resource) -> Backends:
    """The places behind each port of a Service, in the order of its ports: what its selector
    selects, and what EndpointSlices and Endpoints of its name hold. A named target port is looked
    up in each pod; a pod that does not declare it is not behind that port.
    """
    spec = service.spec
    if spec.get("type") == "ExternalName":
        return Backends("external", because=f"it stands for the name {spec.get('externalName')}")
    kind = "headless" if spec.get("clusterIP") == "None" else "cluster"
    selected = _selected(world, service)
    written = tuple(_written(world, cluster, service))
    if selected is None and not written:
        reason = f"Service {service.ref.local} has no selector, and its endpoints are not here"
        return Backends("unknown", because=reason)
    found = [
        target
        for path, port in service_ports(service)
        for endpoint in selected or ()
        for target in _target(endpoint, port, path)
    ]
    return Backends(kind, tuple(dict.fromkeys((*found, *written))))


def service_addresses(cluster: Cluster) -> dict[tuple[int, int], Resource]:
    """The cluster addresses, (version, number), and whose they are. What an ipBlock over one of
    them does is not defined: translation may come first or last (S2).
    """
    found: dict[tuple[int, int], Resource] = {}
    for service in cluster.of_kind("Service"):
        listed = service.spec.get("clusterIPs")
        for text in listed if isinstance(listed, list) else [service.spec.get("clusterIP")]:
            address = parse_address(text) if isinstance(text, str) else None
            if address is not None:
                found[address] = service
    return found


def _selected(world: World, service: Resource) -> tuple[Endpoint, ...] | None:
    """The endpoints that the selector selects; None without a selector."""
    wanted = service.spec.get("selector")
    if not wanted:
        return None
    inside = _inside(world).get(service.ref.namespace or DEFAULT_NAMESPACE)
    try:
        return inside.mapped(wanted) if inside is not None else ()
    except MalformedSelector:
        return ()


@lru_cache(maxsize=2)
def _inside(world: World) -> dict[str, Labelled[Endpoint]]:
    """The endpoints by namespace, indexed by label."""
    found: dict[str, list[tuple[dict[str, str], Endpoint]]] = {}
    for endpoint in world.endpoints:
        found.setdefault(endpoint.namespace, []).append((endpoint.labels, endpoint))
    return {namespace: Labelled(pairs) for namespace, pairs in found.items()}


@lru_cache(maxsize=2)
def _addressed(world: World) -> dict[tuple[int, int], Endpoint]:
    """The endpoints by address; not those on the network of a node, which share it."""
    return {a: e for e in world.endpoints if not e.host_network for a in e.addresses}


def _target(endpoint: Endpoint, port: dict[str, Any], path: Path) -> Iterator[Target]:
    number, own = resolved(endpoint, port), port.get("port")
    if number and isinstance(own, int):
        yield Target(endpoint, protocol_of(port), own, number, _label(port), path)


def _label(port: dict[str, Any]) -> str:
    name = port.get("name")
    return name if isinstance(name, str) else ""


def resolved(endpoint: Endpoint, port: dict[str, Any]) -> int:
    """The number at a pod that a port of a Service goes to; 0 where the pod has no such port."""
    wanted = port.get("targetPort")
    if wanted is None or wanted == 0:
        wanted = port.get("port")
    if isinstance(wanted, int):
        return wanted
    protocol = protocol_of(port)
    for declared in endpoint.ports:
        if declared.name == wanted and declared.protocol == protocol:
            return declared.number
    return 0


def _written(world: World, cluster: Cluster, service: Resource) -> Iterator[Target]:
    """What EndpointSlices and Endpoints name: proxies take every slice that carries the name of the
    Service, whoever wrote it.
    """
    by_name = {_label(port): (path, port) for path, port in service_ports(service)}
    ref = service.ref
    for one in _slices(cluster).get((ref.namespace or DEFAULT_NAMESPACE, ref.name), ()):
        for port in _mappings(one.raw.get("ports")):
            for endpoint in _mappings(one.raw.get("endpoints")):
                listed = endpoint.get("addresses")
                for text in listed if isinstance(listed, list) else ():
                    yield from _place(world, text, port, by_name)
    written = cluster.get("Endpoints", ref.namespace, ref.name)
    for subset in _mappings(written.raw.get("subsets")) if written is not None else ():
        for port in _mappings(subset.get("ports")):
            for key in ("addresses", "notReadyAddresses"):
                for address in _mappings(subset.get(key)):
                    yield from _place(world, address.get("ip"), port, by_name)


def _place(
    world: World,
    text: object,
    port: dict[str, Any],
    by_name: dict[str, tuple[Path, dict[str, Any]]],
) -> Iterator[Target]:
    address = parse_address(text) if isinstance(text, str) else None
    number, name = port.get("port"), _label(port)
    if address is None or not isinstance(number, int):
        return
    path, own = by_name.get(name, ((), {}))
    place = _addressed(world).get(address) or Address(address[0], address[1], address[1])
    outer = own.get("port")
    yield Target(
        place,
        protocol_of(port),
        outer if isinstance(outer, int) else 0,
        number,
        name,
        path,
    )


@lru_cache(maxsize=2)
def _slices(cluster: Cluster) -> dict[tuple[str, str], list[Resource]]:
    """The EndpointSlices of each Service, by namespace and name."""
    found: dict[tuple[str, str], list[Resource]] = {}
    for one in cluster.of_kind(_SLICE):
        key = (one.ref.namespace or DEFAULT_NAMESPACE, one.labels.get(_OWNER, ""))
        found.setdefault(key, []).append(one)
    return found


def _mappings(value: object) -> Iterator[dict[str, Any]]:
    for element in value if isinstance(value, list) else ():
        if isinstance(element, dict):
            yield element
