"""The Services that an Ingress or a route of the Gateway API sends its requests to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.path import Path
from martello.core.resource import Resource
from martello.practices.network.ports import service_ports

INGRESS: Final = "Ingress.networking.k8s.io"
ROUTES: Final = tuple(
    f"{kind}.gateway.networking.k8s.io"
    for kind in ("HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute")
)
ROUTE: Final = "Route.route.openshift.io"


class Backend(msgspec.Struct, frozen=True):
    """One reference to a Service and its port (number, name, or None where none is given)."""

    path: Path
    namespace: str
    service: Any
    port: Any


def ingress_backends(ingress: Resource) -> Iterator[Backend]:
    """Every backend of an Ingress that is a Service, in the spelling of any API version."""
    spec = ingress.spec
    for key in ("defaultBackend", "backend"):
        yield from _backend(spec.get(key), ("spec", key), ingress)
    for path, entry in ingress_paths(ingress):
        yield from _backend(entry.get("backend"), (*path, "backend"), ingress)


def ingress_paths(ingress: Resource) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every path of every rule."""
    for at, rule in _elements(ingress.spec.get("rules"), ("spec", "rules")):
        http = rule.get("http")
        if isinstance(http, dict):
            yield from _elements(http.get("paths"), (*at, "http", "paths"))


def _backend(raw: Any, path: Path, ingress: Resource) -> Iterator[Backend]:
    if not isinstance(raw, dict):
        return
    namespace = ingress.ref.namespace
    service = raw.get("service")
    if isinstance(service, dict):
        port = service.get("port")
        named = (port.get("name") or port.get("number")) if isinstance(port, dict) else port
        yield Backend((*path, "service"), namespace, service.get("name"), named)
    elif "serviceName" in raw:
        yield Backend(path, namespace, raw["serviceName"], raw.get("servicePort"))


def route_backends(route: Resource) -> Iterator[Backend]:
    """Every backend of a route that is a Service."""
    for at, rule in _elements(route.spec.get("rules"), ("spec", "rules")):
        for path, raw in _elements(rule.get("backendRefs"), (*at, "backendRefs")):
            if raw.get("kind", "Service") == "Service" and not raw.get("group"):
                namespace = raw.get("namespace") or route.ref.namespace
                yield Backend(path, str(namespace), raw.get("name"), raw.get("port"))


def openshift_backends(route: Resource) -> Iterator[Backend]:
    """Every backend of an OpenShift Route: `port` is the one at the pods (number or name), or None
    for all.
    """
    port = route.spec.get("port")
    wanted = port.get("targetPort") if isinstance(port, dict) else None
    first = route.spec.get("to")
    chosen = [(("spec", "to"), first)] if isinstance(first, dict) else []
    others = _elements(route.spec.get("alternateBackends"), ("spec", "alternateBackends"))
    for path, raw in (*chosen, *others):
        if raw.get("kind", "Service") == "Service":
            yield Backend(path, route.ref.namespace, raw.get("name"), wanted)


def _elements(value: Any, path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    for index, element in enumerate(value if isinstance(value, list) else ()):
        if isinstance(element, dict):
            yield (*path, index), element


def missing(backend: Backend, cluster: Cluster) -> str:
    """What a backend refers to that is not here; empty where all is."""
    name = backend.service if isinstance(backend.service, str) else ""
    services = tuple(cluster.meant("Service", backend.namespace, name))
    if not services:
        return f"there is no Service {name}"
    if any(_serves(service, backend.port) for service in services):
        return ""
    return f"Service {name} has no port {backend.port}"


def _serves(service: Resource, port: Any) -> bool:
    if service.spec.get("type") == "ExternalName" or port is None:
        return True
    key = "name" if isinstance(port, str) else "port"
    return any(own.get(key) == port for _, own in service_ports(service))
