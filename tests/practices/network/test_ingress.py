"""Ingress, Gateway routes and OpenShift Routes: the ways from a controller to places."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.mutations import VALUES, nodes, replaced
from tests.support.network import objects as o

from martello.core.cluster import Cluster
from martello.practices.network.outer.ingress import PLACEHOLDER, Edge, controllers, edges
from martello.practices.network.world import world

_NGINX = {"app.kubernetes.io/name": "ingress-nginx", "app.kubernetes.io/component": "controller"}
_GATEWAY = "gateway.networking.k8s.io"


def _shop() -> list[dict[str, Any]]:
    ports = [
        {"name": "web", "port": 80, "targetPort": "http"},
        {"name": "dns", "port": 53, "protocol": "UDP"},
    ]
    service = {"selector": {"app": "web"}, "ports": ports}
    return [
        o.pod("shop", "web", {"app": "web"}, [], [{"name": "http", "containerPort": 8080}]),
        o.policy("v1", "Service", "web", service, "shop"),
    ]


def _ingress(port: Any, **spec: Any) -> dict[str, Any]:
    backend = {"service": {"name": "web", "port": port}}
    rules = [{"http": {"paths": [{"path": "/", "backend": backend}]}}]
    return o.policy("networking.k8s.io/v1", "Ingress", "i", {"rules": rules, **spec}, "shop")


def _route(kind: str, space: str = "shop", **reference: Any) -> dict[str, Any]:
    ref = {"name": "web", "port": 80, **reference}
    spec = {"parentRefs": [{"name": "gw"}], "rules": [{"backendRefs": [ref]}]}
    return o.policy(f"{_GATEWAY}/v1", kind, "r", spec, space)


def _edges(*objects: dict[str, Any]) -> tuple[Edge, ...]:
    cluster = o.cluster([*_shop(), *objects])
    return edges(world(cluster), cluster)


def _seen(found: tuple[Edge, ...]) -> list[tuple[str, list[str], str, int, int]]:
    return [(e.source, [p.pod for p in e.endpoints], e.protocol, e.port, e.target) for e in found]


@pytest.mark.parametrize("port", [{"number": 80}, {"name": "web"}])
def test_S4_an_ingress_goes_to_the_target_port_from_the_placeholder(port: Any) -> None:
    assert _seen(_edges(_ingress(port))) == [(PLACEHOLDER, ["web"], "TCP", 80, 8080)]


@pytest.mark.parametrize("port", [{"number": 8080}, {"name": "http"}])
def test_S4_an_ingress_names_ports_of_the_service_not_of_the_pods(port: Any) -> None:
    assert _edges(_ingress(port)) == ()


def test_S4_an_old_ingress() -> None:
    backend = {"serviceName": "web", "servicePort": 80}
    old = o.policy("extensions/v1beta1", "Ingress", "i", {"backend": backend}, "shop")
    assert _seen(_edges(old)) == [(PLACEHOLDER, ["web"], "TCP", 80, 8080)]


def _controller(labels: dict[str, str], image: str = "x", name: str = "c") -> dict[str, Any]:
    pod = o.pod("infra", name, labels, [], [])
    pod["spec"]["containers"][0]["image"] = image
    return pod


@pytest.mark.parametrize(
    ("labels", "image", "name"),
    [
        (_NGINX, "x", "ingress-nginx"),
        ({}, "registry.k8s.io/ingress-nginx/controller:v1.9.0@sha256:00", "ingress-nginx"),
        ({"app.kubernetes.io/name": "traefik"}, "x", "traefik"),
        ({}, "docker.io/library/traefik:v3", "traefik"),
        ({"istio": "ingressgateway"}, "x", "istio"),
        ({"app.kubernetes.io/name": "ingress-nginx"}, "x", ""),
        ({"app": "web"}, "example.com/nginx:1", ""),
    ],
)
def test_S4_well_known_controllers(labels: dict[str, str], image: str, name: str) -> None:
    found = controllers(world(o.cluster([_controller(labels, image)])))
    assert list(found) == ([name] if name else [])


def test_S4_the_only_controller_is_the_source() -> None:
    (found,) = _edges(_ingress({"number": 80}), _controller(_NGINX))
    assert (found.source, [e.pod for e in found.sources]) == ("infra/c", ["c"])


@pytest.mark.parametrize(
    ("controller", "source"),
    [
        ("k8s.io/ingress-nginx", "infra/c"),
        ("traefik.io/ingress-controller", "infra/t"),
        ("ingress.k8s.aws/alb", PLACEHOLDER),
    ],
)
def test_S4_the_class_decides_between_controllers(controller: str, source: str) -> None:
    chosen = o.policy("networking.k8s.io/v1", "IngressClass", "k", {"controller": controller})
    pods = (_controller(_NGINX), _controller({"app.kubernetes.io/name": "traefik"}, name="t"))
    ingress = _ingress({"number": 80}, ingressClassName="k")
    assert [e.source for e in _edges(ingress, chosen, *pods)] == [source]
    assert [e.source for e in _edges(_ingress({"number": 80}), *pods)] == [PLACEHOLDER]


@pytest.mark.parametrize("kind", ["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute"])
def test_S4_routes_of_a_gateway(kind: str) -> None:
    pod = _controller({"gateway.networking.k8s.io/gateway-name": "gw"})
    other = _controller({"gateway.networking.k8s.io/gateway-name": "other"}, name="o")
    found = _edges(_route(kind), pod, other)
    assert _seen(found) == [("infra/c", ["web"], "TCP", 80, 8080)]
    assert [e.source for e in _edges(_route(kind))] == [PLACEHOLDER]


def test_S4_a_udp_route_speaks_udp() -> None:
    assert _seen(_edges(_route("UDPRoute", port=53))) == [(PLACEHOLDER, ["web"], "UDP", 53, 53)]
    assert _edges(_route("UDPRoute")) == ()


def test_S4_a_backend_of_weight_0_gets_nothing() -> None:
    assert _edges(_route("HTTPRoute", weight=0)) == ()


def test_S4_a_route_of_another_namespace_needs_a_grant() -> None:
    route = _route("HTTPRoute", "edge", namespace="shop")
    assert _edges(route) == ()
    spec = {"from": [{"kind": "HTTPRoute", "namespace": "edge"}], "to": [{"kind": "Service"}]}
    grant = o.policy(f"{_GATEWAY}/v1beta1", "ReferenceGrant", "g", spec, "shop")
    assert len(_edges(route, grant)) == 1
    other = o.policy(f"{_GATEWAY}/v1beta1", "ReferenceGrant", "g", spec, "elsewhere")
    assert _edges(route, other) == ()
    part = Cluster(o.cluster([*_shop(), route]).resources, complete=False)
    assert len(edges(world(part), part)) == 1


@pytest.mark.parametrize("port", ["http", "web", 8080, None])
def test_S4_an_openshift_route_names_the_port_of_the_pods(port: Any) -> None:
    spec = {"to": {"kind": "Service", "name": "web"}, "port": {"targetPort": port}}
    route = o.policy("route.openshift.io/v1", "Route", "r", spec, "shop")
    assert _seen(_edges(route)) == [(PLACEHOLDER, ["web"], "TCP", 80, 8080)]
    key = "ingresscontroller.operator.openshift.io/deployment-ingresscontroller"
    assert [e.source for e in _edges(route, _controller({key: "default"}))] == ["infra/c"]


def test_any_value_anywhere_is_read() -> None:
    to = {"kind": "Service", "name": "web"}
    spec = {"to": to, "alternateBackends": [to], "port": {"targetPort": "web"}}
    grant = {"from": [{"kind": "HTTPRoute", "namespace": "shop"}], "to": [{"kind": "Service"}]}
    full = [
        _ingress({"number": 80}, ingressClassName="k", defaultBackend={"service": {"name": "web"}}),
        o.policy("networking.k8s.io/v1", "IngressClass", "k", {"controller": "x"}),
        _route("HTTPRoute", "edge", namespace="shop"),
        o.policy(f"{_GATEWAY}/v1", "ReferenceGrant", "g", grant, "shop"),
        o.policy("route.openshift.io/v1", "Route", "r", spec, "shop"),
    ]
    for index, raw in enumerate(full):
        for path in nodes(raw["spec"], ("spec",)):
            for value in VALUES:
                _edges(*full[:index], replaced(raw, path, value), *full[index + 1 :])
