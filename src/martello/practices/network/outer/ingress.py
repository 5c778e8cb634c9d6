"""The ways from ingress controllers to places: Ingress, routes of the Gateway API, OpenShift Route.

Whoever asks from outside is not seen behind a controller: policies see the controller's pods. Where
these are not here, or cannot be told, the source is the placeholder `{ingress-controller}` (S4).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.path import Path, look_up
from martello.core.resource import Resource
from martello.core.workload import template_path
from martello.practices.network.model import Endpoint, World
from martello.practices.network.outer.backends import (
    INGRESS,
    ROUTE,
    ROUTES,
    Backend,
    ingress_backends,
    openshift_backends,
    route_backends,
)
from martello.practices.network.outer.services import Target, targets

PLACEHOLDER: Final = "{ingress-controller}"
_GATEWAY_NAME: Final = "gateway.networking.k8s.io/gateway-name"
_ENVOY_NAME: Final = "gateway.envoyproxy.io/owning-gateway-name"
_ROUTER: Final = "ingresscontroller.operator.openshift.io/deployment-ingresscontroller"
_CLASS: Final = "kubernetes.io/ingress.class"
_GRANT: Final = "ReferenceGrant.gateway.networking.k8s.io"


class Controller(msgspec.Struct, frozen=True):
    """How the pods of a well-known controller are told: by labels all of which they carry, or by a
    part of the image; `classes` are the controllers of IngressClasses that are theirs.
    """

    name: str
    classes: tuple[str, ...]
    labels: tuple[dict[str, str], ...]
    images: tuple[str, ...] = ()


_NAME: Final = "app.kubernetes.io/name"
_PART: Final = "app.kubernetes.io/component"
_KNOWN: Final = (
    Controller(
        "ingress-nginx",
        ("k8s.io/ingress-nginx",),
        ({_NAME: "ingress-nginx", _PART: "controller"},),
        ("/ingress-nginx/controller", "nginx-ingress-controller"),
    ),
    Controller(
        "nginx-ingress",
        ("nginx.org/ingress-controller",),
        ({"app": "nginx-ingress"}, {_NAME: "nginx-ingress"}),
        ("nginx/nginx-ingress",),
    ),
    Controller(
        "traefik", ("traefik.io/ingress-controller",), ({_NAME: "traefik"},), ("/traefik:",)
    ),
    Controller(
        "haproxy",
        ("haproxy-ingress.github.io/controller", "haproxy.org/ingress-controller"),
        ({_NAME: "haproxy-ingress"}, {_NAME: "kubernetes-ingress"}),
        ("haproxytech/kubernetes-ingress", "/haproxy-ingress:"),
    ),
    Controller(
        "contour",
        ("projectcontour.io/ingress-controller", "projectcontour.io/projectcontour/contour"),
        ({_NAME: "contour", _PART: "envoy"}, {"app": "envoy", "component": "envoy"}),
    ),
    Controller("istio", ("istio.io/ingress-controller",), ({"istio": "ingressgateway"},)),
    Controller(
        "kong",
        ("ingress-controllers.konghq.com/kong",),
        ({_NAME: "kong", _PART: "app"}, {"app": "ingress-kong"}),
        ("kong/kubernetes-ingress-controller",),
    ),
)


class Edge(msgspec.Struct, frozen=True):
    """One way from a controller to places. `sources` are its pods; none: they are not known, and
    the source is called `source`.
    """

    resource: Resource
    path: Path
    source: str
    sources: tuple[Endpoint, ...]
    endpoints: tuple[Endpoint, ...]
    protocol: str
    port: int  # of the Service
    target: int  # at the endpoints


def edges(world: World, cluster: Cluster) -> tuple[Edge, ...]:
    """Every way that an Ingress or a route makes, in the order of the input."""
    found: list[Edge] = []
    for ingress in cluster.of_kind(INGRESS):
        pods = _of_class(world, cluster, ingress)
        found.extend(_edges(world, cluster, ingress, ingress_backends(ingress), pods))
    for kind in ROUTES:
        for route in cluster.of_kind(kind):
            pods = _of_gateways(world, route)
            granted = [b for b in route_backends(route) if _granted(cluster, route, b)]
            found.extend(_edges(world, cluster, route, granted, pods))
    for route in cluster.of_kind(ROUTE):
        pods = tuple(e for e in world.endpoints if _ROUTER in e.labels)
        found.extend(_edges(world, cluster, route, openshift_backends(route), pods))
    return tuple(found)


def _edges(
    world: World,
    cluster: Cluster,
    resource: Resource,
    backends: Iterable[Backend],
    pods: tuple[Endpoint, ...],
) -> Iterator[Edge]:
    source = pods[0].name if pods else PLACEHOLDER
    protocol = "UDP" if resource.ref.kind == "UDPRoute" else "TCP"
    for backend in backends:
        if not isinstance(backend.service, str) or _unused(resource, backend):
            continue
        for service in _services(cluster, backend):
            behind = targets(world, cluster, service).targets
            meant = [t for t in behind if _is_meant(t, backend, service, resource)]
            for (port, number), places in _grouped(meant, protocol).items():
                yield Edge(resource, backend.path, source, pods, places, protocol, port, number)


def _unused(resource: Resource, backend: Backend) -> bool:
    """Whether a backend has the weight 0: it gets no requests."""
    return bool(look_up(resource.raw, (*backend.path, "weight")) == 0)


def _services(cluster: Cluster, backend: Backend) -> Iterator[Resource]:
    yield from cluster.meant("Service", backend.namespace, str(backend.service))


def _is_meant(target: Target, backend: Backend, service: Resource, resource: Resource) -> bool:
    """Whether a target is behind the port that a backend names: a Service's port by number or name;
    for a Route the port at the pods, or the Service's name of it.
    """
    wanted = backend.port
    if wanted is None:
        return True
    if isinstance(wanted, str):
        if target.name == wanted:
            return True
        raw = look_up(service.raw, target.path) if target.path else None
        return _is_route(resource) and isinstance(raw, dict) and raw.get("targetPort") == wanted
    return target.port == wanted or (_is_route(resource) and target.number == wanted)


def _is_route(resource: Resource) -> bool:
    return resource.ref.group_kind == ROUTE


def _grouped(found: Iterable[Target], protocol: str) -> dict[tuple[int, int], tuple[Endpoint, ...]]:
    groups: dict[tuple[int, int], dict[Endpoint, None]] = {}
    for target in found:
        if target.protocol == protocol and isinstance(target.place, Endpoint):
            groups.setdefault((target.port, target.number), {})[target.place] = None
    return {key: tuple(places) for key, places in groups.items()}


def controllers(world: World) -> dict[str, tuple[Endpoint, ...]]:
    """The pods of well-known ingress controllers, by the name of the controller."""
    return _controllers(world)


@lru_cache(maxsize=2)
def _controllers(world: World) -> dict[str, tuple[Endpoint, ...]]:
    found: dict[str, list[Endpoint]] = {}
    for endpoint in world.endpoints:
        name = _controller(endpoint)
        if name:
            found.setdefault(name, []).append(endpoint)
    return {name: tuple(pods) for name, pods in found.items()}


def _controller(endpoint: Endpoint) -> str:
    labels = endpoint.labels
    for one in _KNOWN:
        if any(all(labels.get(k) == v for k, v in wanted.items()) for wanted in one.labels):
            return one.name
    images = tuple(_images(endpoint))
    for one in _KNOWN:
        if any(part in f"/{image}:" for part in one.images for image in images):
            return one.name
    return ""


def _images(endpoint: Endpoint) -> Iterator[str]:
    path = (*(template_path(endpoint.resource) or ()), "spec", "containers")
    containers = look_up(endpoint.resource.raw, path)
    for container in containers if isinstance(containers, list) else ():
        image = container.get("image") if isinstance(container, dict) else None
        if isinstance(image, str):
            yield image


def _of_class(world: World, cluster: Cluster, ingress: Resource) -> tuple[Endpoint, ...]:
    """The pods of the controller that an Ingress is for. Where its class does not tell, those of
    the only controller that is here.
    """
    here = controllers(world)
    name = ingress.spec.get("ingressClassName") or ingress.annotations.get(_CLASS)
    if not isinstance(name, str):
        name = ""
    found = cluster.get("IngressClass.networking.k8s.io", "", name)
    wanted = found.spec.get("controller") if found is not None else None
    if isinstance(wanted, str):
        known = next((one.name for one in _KNOWN if wanted in one.classes), "")
        return here.get(known, ())
    if name in here:
        return here[name]
    return next(iter(here.values())) if len(here) == 1 else ()


def _of_gateways(world: World, route: Resource) -> tuple[Endpoint, ...]:
    """The pods of the Gateways that a route names as parents: implementations label them with the
    name of their Gateway.
    """
    parents = route.spec.get("parentRefs")
    names = [
        str(parent.get("name"))
        for parent in (parents if isinstance(parents, list) else ())
        if isinstance(parent, dict) and parent.get("kind", "Gateway") == "Gateway"
    ]
    return tuple(
        e
        for e in world.endpoints
        if e.labels.get(_GATEWAY_NAME) in names or e.labels.get(_ENVOY_NAME) in names
    )


def _granted(cluster: Cluster, route: Resource, backend: Backend) -> bool:
    """Whether a route may use a Service of another namespace: only where a ReferenceGrant there
    says so. Where not everything is here, it may.
    """
    own = route.ref.namespace
    if backend.namespace == own or not cluster.complete or _GRANT in cluster.unlisted:
        return True
    return any(
        _covers(grant, route.ref.kind, own) for grant in cluster.of_kind(_GRANT, backend.namespace)
    )


def _covers(grant: Resource, kind: str, namespace: str) -> bool:
    sources, goals = grant.spec.get("from"), grant.spec.get("to")
    return any(
        isinstance(one, dict) and one.get("kind") == kind and one.get("namespace") == namespace
        for one in (sources if isinstance(sources, list) else ())
    ) and any(
        isinstance(one, dict) and one.get("kind") == "Service"
        for one in (goals if isinstance(goals, list) else ())
    )
