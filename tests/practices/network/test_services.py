"""Services: what is behind them, and what they open to the outside."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.mutations import VALUES, nodes, replaced
from tests.support.network import objects as o

from martello.core.cluster import Cluster
from martello.practices.network.model import Address, Endpoint
from martello.practices.network.outer.openings import Opening, openings
from martello.practices.network.outer.services import Backends, service_addresses, targets
from martello.practices.network.world import world

_HTTP = {"name": "http", "containerPort": 8080}
_OLD = {"name": "http", "containerPort": 80}


def _service(ports: list[dict[str, Any]] | None = None, **spec: Any) -> dict[str, Any]:
    full = {"selector": {"app": "web"}, "ports": ports or [{"port": 80}], **spec}
    return o.policy("v1", "Service", "web", full, "shop")


def _pods() -> list[dict[str, Any]]:
    return [
        o.pod("shop", "new", {"app": "web"}, ["10.1.0.1"], [_HTTP]),
        o.pod("shop", "old", {"app": "web"}, ["10.1.0.2"], [_OLD]),
        o.pod("shop", "db", {"app": "db"}, ["10.1.0.3"], []),
        o.pod("prod", "web", {"app": "web"}, ["10.1.0.4"], [_HTTP]),
    ]


def _behind(service: dict[str, Any], *more: dict[str, Any]) -> Backends:
    cluster = o.cluster([*_pods(), *more, service])
    (found,) = cluster.of_kind("Service")
    return targets(world(cluster), cluster, found)


def _pairs(found: Backends) -> list[tuple[str, int, int]]:
    return [
        (t.place.pod if isinstance(t.place, Endpoint) else str(t.place.first), t.port, t.number)
        for t in found.targets
    ]


def test_S1_a_named_target_port_is_looked_up_in_each_pod() -> None:
    found = _behind(_service([{"port": 80, "targetPort": "http"}]))
    assert found.kind == "cluster"
    assert _pairs(found) == [("new", 80, 8080), ("old", 80, 80)]


@pytest.mark.parametrize(
    ("port", "number"),
    [
        ({"port": 80}, 80),
        ({"port": 80, "targetPort": 9}, 9),
        ({"port": 80, "targetPort": None}, 80),
        ({"port": 80, "targetPort": 0}, 80),
    ],
)
def test_S1_target_numbers(port: dict[str, Any], number: int) -> None:
    assert _pairs(_behind(_service([port]))) == [("new", 80, number), ("old", 80, number)]


def test_a_pod_that_does_not_declare_the_name_is_not_behind_the_port() -> None:
    assert _pairs(_behind(_service([{"port": 80, "targetPort": "other"}]))) == []
    udp = _service([{"port": 80, "targetPort": "http", "protocol": "UDP"}])
    assert _pairs(_behind(udp)) == []


def test_of_a_name_declared_twice_the_first_counts() -> None:
    pod = o.pod("shop", "two", {"app": "two"}, [], [_HTTP, _OLD])
    ports = [{"port": 80, "targetPort": "http"}]
    assert _pairs(_behind(_service(ports, selector={"app": "two"}), pod)) == [("two", 80, 8080)]


def test_headless() -> None:
    found = _behind(_service(clusterIP="None"))
    assert (found.kind, len(found.targets)) == ("headless", 2)


def test_S2_a_service_without_selector_is_unknown_or_what_is_written() -> None:
    bare = _service(selector=None)
    unknown = _behind(bare)
    assert unknown.kind == "unknown"
    assert "no selector" in unknown.because
    ports = [{"port": 5432}]
    addresses = {"addresses": [{"ip": "192.0.2.1"}, {"ip": "10.1.0.3"}], "ports": ports}
    written: dict[str, Any] = {"apiVersion": "v1", "kind": "Endpoints", "subsets": [addresses]}
    written["metadata"] = {"name": "web", "namespace": "shop"}
    found = _behind(bare, written)
    assert found.kind == "cluster"
    assert _pairs(found) == [(str(0xC0000201), 80, 5432), ("db", 80, 5432)]


def test_S2_an_external_name_is_external() -> None:
    found = _behind(_service(type="ExternalName", externalName="db.example.com"))
    assert (found.kind, found.targets) == ("external", ())
    assert "db.example.com" in found.because


def test_slices_that_carry_the_name_of_a_service_add_to_its_selector() -> None:
    one = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "extra",
            "namespace": "shop",
            "labels": {"kubernetes.io/service-name": "web"},
        },
        "endpoints": [{"addresses": ["203.0.113.9"]}],
        "ports": [{"name": "", "port": 7, "protocol": "TCP"}],
    }
    found = _behind(_service(), one)
    assert _pairs(found) == [("new", 80, 80), ("old", 80, 80), (str(0xCB007109), 80, 7)]


def test_S2_cluster_addresses() -> None:
    cluster = o.cluster([_service(clusterIP="10.96.0.1", clusterIPs=["10.96.0.1", "fd00::1"])])
    assert [v for v, _ in service_addresses(cluster)] == [4, 6]
    assert not service_addresses(o.cluster([_service(clusterIP="None")]))


def _open(*objects: dict[str, Any]) -> tuple[Opening, ...]:
    cluster: Cluster = o.cluster([*_pods(), *objects])
    return openings(world(cluster), cluster)


def _seen(found: tuple[Opening, ...]) -> list[tuple[str, int, int]]:
    return [(one.kind, one.port, one.target) for one in found]


def test_S5_a_cluster_service_opens_nothing() -> None:
    assert _open(_service()) == ()


def test_S5_load_balancer() -> None:
    found = _open(
        _service([{"port": 80, "targetPort": "http", "nodePort": 30080}], type="LoadBalancer")
    )
    assert _seen(found) == [
        ("load-balancer", 80, 8080),
        ("node-port", 30080, 8080),
        ("load-balancer", 80, 80),
        ("node-port", 30080, 80),
    ]
    assert all(one.sources is None for one in found)
    assert [e.pod for e in found[0].endpoints] == ["new"]


def test_S5_source_ranges_bind_the_load_balancer_only() -> None:
    ranges = ["192.0.2.0/24", "junk"]
    balancer, node = _open(_service(type="LoadBalancer", loadBalancerSourceRanges=ranges))
    assert balancer.sources == (Address(4, 0xC0000200, 0xC00002FF),)
    assert (node.kind, node.port, node.sources) == ("node-port", 0, None)
    kept = _service(type="LoadBalancer", allocateLoadBalancerNodePorts=False)
    assert [one.kind for one in _open(kept)] == ["load-balancer"]
    kept["metadata"]["annotations"] = {
        "service.beta.kubernetes.io/load-balancer-source-ranges": "192.0.2.0/24, 198.51.100.0/24"
    }
    (written,) = _open(kept)
    assert written.sources is not None
    assert len(written.sources) == 2


@pytest.mark.parametrize(("policy", "hides"), [(None, True), ("Cluster", True), ("Local", False)])
def test_S3_the_traffic_policy_hides_the_client(policy: str | None, hides: bool) -> None:
    found = _open(_service(type="NodePort", externalTrafficPolicy=policy))
    assert [one.hides_client for one in found] == [hides]


def test_S5_external_addresses() -> None:
    assert _seen(_open(_service(externalIPs=["192.0.2.7"]))) == [("external-ip", 80, 80)]
    assert _open(_service(externalIPs=["junk"])) == ()


def test_S5_an_internal_load_balancer_is_said_to_be_one() -> None:
    service = _service(type="LoadBalancer", allocateLoadBalancerNodePorts=False)
    service["metadata"]["annotations"] = {
        "service.beta.kubernetes.io/azure-load-balancer-internal": "true"
    }
    assert [one.internal for one in _open(service)] == [True]


@pytest.mark.parametrize(
    ("port", "seen"),
    [
        ({"containerPort": 80, "hostPort": 8080}, [("host-port", 8080, 80)]),
        ({"containerPort": 80, "hostPort": 80, "hostIP": "127.0.0.1"}, []),
        ({"containerPort": 80, "hostPort": 80, "hostIP": "10.0.0.1"}, [("host-port", 80, 80)]),
        ({"containerPort": 80, "hostPort": 0}, []),
        ({"containerPort": 80}, []),
    ],
)
def test_S5_host_ports(port: dict[str, Any], seen: list[tuple[str, int, int]]) -> None:
    assert _seen(_open(o.pod("shop", "h", {}, [], [port]))) == seen


def test_S5_on_the_network_of_the_node_every_port_is_the_nodes() -> None:
    """The server writes hostPort there itself, so that files and cluster are told alike."""
    agent = o.pod("shop", "h", {}, [], [{"containerPort": 80}])
    agent["spec"]["hostNetwork"] = True
    assert _seen(_open(agent)) == [("host-port", 80, 80)]


def test_any_value_anywhere_is_read() -> None:
    written = {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {"name": "web", "namespace": "shop"},
        "subsets": [{"addresses": [{"ip": "192.0.2.1"}], "ports": [{"name": "a", "port": 1}]}],
    }
    one = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "s",
            "namespace": "shop",
            "labels": {"kubernetes.io/service-name": "web"},
        },
        "endpoints": [{"addresses": ["203.0.113.9"]}],
        "ports": [{"name": "", "port": 7, "protocol": "TCP"}],
    }
    service = _service(
        [{"name": "a", "port": 80, "targetPort": "http", "nodePort": 1}],
        type="LoadBalancer",
        loadBalancerSourceRanges=["192.0.2.0/24"],
        externalIPs=["192.0.2.7"],
        clusterIPs=["10.0.0.1"],
    )
    full = [written, one, service]
    for index, raw in enumerate(full):
        for path in nodes(raw):
            if path[0] in ("apiVersion", "kind", "metadata"):
                continue
            for value in VALUES:
                changed = [*full[:index], replaced(raw, path, value), *full[index + 1 :]]
                cluster = o.cluster([_pods()[0], *changed])
                openings(world(cluster), cluster)
                service_addresses(cluster)
