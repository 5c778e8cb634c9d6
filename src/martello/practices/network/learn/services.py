"""Where a Service sent its connections, by its state at a time: EndpointSlices, Endpoints, or its
selector.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.path import look_up
from martello.core.resource import Resource, strings
from martello.practices.network.addresses import parse_address
from martello.practices.network.model import Endpoint
from martello.practices.network.ports import protocol_of, service_ports

SLICE: Final = "EndpointSlice.discovery.k8s.io"
SLICE_OF: Final = "kubernetes.io/service-name"
_HEADLESS: Final = "None"


class ServiceIndex(msgspec.Struct, frozen=True, eq=False):
    """The Services of one state by address, and by node port."""

    by_address: dict[tuple[int, int], Resource]
    by_node_port: dict[tuple[str, int], Resource]
    slices: dict[tuple[str, str], list[Resource]]


def service_numbers(cluster: Cluster) -> Iterator[tuple[int, int]]:
    """Every cluster address of a Service."""
    for service in cluster.of_kind("Service"):
        yield from _cluster_addresses(service)


@lru_cache(maxsize=8)
def index(cluster: Cluster) -> ServiceIndex:
    """The Services of a cluster, indexed once."""
    by_address: dict[tuple[int, int], Resource] = {}
    by_node_port: dict[tuple[str, int], Resource] = {}
    slices: dict[tuple[str, str], list[Resource]] = {}
    for service in cluster.of_kind("Service"):
        for number in (*_cluster_addresses(service), *_outer_addresses(service)):
            by_address.setdefault(number, service)
        for _, port in service_ports(service):
            node_port = port.get("nodePort")
            if isinstance(node_port, int):
                by_node_port[(protocol_of(port), node_port)] = service
    for one in cluster.of_kind(SLICE):
        name = one.labels.get(SLICE_OF)
        if name:
            slices.setdefault((one.ref.namespace, name), []).append(one)
    return ServiceIndex(by_address, by_node_port, slices)


def _cluster_addresses(service: Resource) -> Iterator[tuple[int, int]]:
    spec = service.spec
    listed = spec.get("clusterIPs")
    texts = listed if isinstance(listed, list) and listed else [spec.get("clusterIP")]
    yield from _numbers(text for text in texts if text != _HEADLESS)


def _outer_addresses(service: Resource) -> Iterator[tuple[int, int]]:
    external = service.spec.get("externalIPs")
    yield from _numbers(external if isinstance(external, list) else ())
    given = look_up(service.raw, ("status", "loadBalancer", "ingress"))
    for one in given if isinstance(given, list) else ():
        if isinstance(one, dict):
            yield from _numbers((one.get("ip"),))


def _numbers(texts: Iterable[Any]) -> Iterator[tuple[int, int]]:
    for text in texts:
        number = parse_address(text) if isinstance(text, str) else None
        if number is not None:
            yield number


class Target(msgspec.Struct, frozen=True, eq=False):
    """One place a Service sends to: an address and port, or an endpoint without an address."""

    number: tuple[int, int] | None
    port: int
    endpoint: Endpoint | None = None


def port_of(
    service: Resource, protocol: str, port: int, key: str = "port"
) -> dict[str, Any] | None:
    """The entry of a Service's ports for a port number (`port`) or a `nodePort`."""
    for _, entry in service_ports(service):
        if entry.get(key) == port and protocol_of(entry) == protocol:
            return entry
    return None


def targets(
    service: Resource, entry: dict[str, Any], cluster: Cluster, endpoints: Iterable[Endpoint]
) -> tuple[Target, ...]:
    """Where one port of a Service leads: by EndpointSlices, else Endpoints, else by its selector
    over `endpoints` and the target port that each declares. Endpoints that are not ready count:
    evidence may be older than their trouble.
    """
    ref = service.ref
    found: dict[tuple[tuple[int, int], int], Target] = {}
    slices = index(cluster).slices.get((ref.namespace, ref.name), ())
    name, protocol = entry.get("name") or "", protocol_of(entry)
    for one in slices:
        for port in _slice_ports(one.raw.get("ports"), name, protocol):
            for endpoint in mappings(one.raw.get("endpoints")):
                addresses = endpoint.get("addresses")
                for number in _numbers(addresses if isinstance(addresses, list) else ()):
                    found[(number, port)] = Target(number, port)
    if not found:
        for number, port in _old_endpoints(cluster, ref.namespace, ref.name, name, protocol):
            found[(number, port)] = Target(number, port)
    return tuple(found.values()) or tuple(_selected(service, entry, endpoints))


def _old_endpoints(
    cluster: Cluster, namespace: str, service: str, name: str, protocol: str
) -> Iterator[tuple[tuple[int, int], int]]:
    held = cluster.get("Endpoints", namespace, service)
    for subset in mappings(held.raw.get("subsets")) if held else ():
        for port in _slice_ports(subset.get("ports"), name, protocol):
            for key in ("addresses", "notReadyAddresses"):
                for number in _numbers(a.get("ip") for a in mappings(subset.get(key))):
                    yield number, port


def _slice_ports(ports: Any, name: str, protocol: str) -> Iterator[int]:
    for port in mappings(ports):
        number = port.get("port")
        named = (port.get("name") or "") == name and protocol_of(port) == protocol
        if named and isinstance(number, int):
            yield number


def _selected(
    service: Resource, entry: dict[str, Any], endpoints: Iterable[Endpoint]
) -> Iterator[Target]:
    wanted = strings(service.spec.get("selector"))
    if not wanted:
        return
    for endpoint in endpoints:
        if endpoint.namespace != (service.ref.namespace or "default"):
            continue
        if all(endpoint.labels.get(k) == v for k, v in wanted.items()):
            for port in target_ports(entry, endpoint):
                number = endpoint.addresses[0] if endpoint.addresses else None
                yield Target(number, port, endpoint)


def target_ports(entry: dict[str, Any], endpoint: Endpoint) -> tuple[int, ...]:
    """The numbers that a Service's targetPort means on one pod."""
    wanted = entry.get("targetPort")
    if isinstance(wanted, str) and not (wanted.isdecimal() and len(wanted) < 6):
        protocol = protocol_of(entry)
        return tuple(
            dict.fromkeys(
                p.number for p in endpoint.ports if p.name == wanted and p.protocol == protocol
            )
        )
    number = wanted if wanted is not None else entry.get("port")
    if isinstance(number, str):
        number = int(number)
    return (number,) if isinstance(number, int) and not isinstance(number, bool) else ()


def mappings(value: Any) -> Iterator[dict[str, Any]]:
    """The elements of a list that are mappings; none of anything else."""
    for one in value if isinstance(value, list) else ():
        if isinstance(one, dict):
            yield one
