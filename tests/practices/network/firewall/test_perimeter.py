"""Nothing between clusters but exports: proved by the model, and by packets."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from tests.support.network.fleets import (
    fleet,
    network_policy,
    pod_object,
    resources,
    service_object,
)
from tests.support.network.room import inside, missing, routed

from martello.adapters import nft
from martello.core.errors import BadInput
from martello.practices.network.firewall.perimeter import (
    border,
    cilium_policy,
    cluster_policies,
    network_policies,
    perimeter_rules,
)
from martello.practices.network.firewall.proof import proved, with_policies
from martello.practices.network.fleets.fleet import Fleet

NODE = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "n1"},
    "status": {"addresses": [{"type": "InternalIP", "address": "10.1.255.1"}]},
}


def _three(**extra: Any) -> Fleet:
    """a: web, api and a node; b: db (exported to a) and queue; c: cron."""
    objects = {
        "a": [pod_object("web", "10.1.0.1", "fd01::1"), pod_object("api", "10.1.0.2"), NODE],
        "b": [
            pod_object("db", "10.2.0.1", "fd02::1"),
            pod_object("queue", "10.2.0.2"),
            service_object("db", 80, 5432),
        ],
        "c": [pod_object("cron", "10.3.0.1")],
    }
    pods = {"a": ["10.1.0.0/16", "fd01::/64"], "b": ["10.2.0.0/16", "fd02::/64"]}
    for name, more in extra.items():
        objects[name] += more
    return fleet(
        objects,
        pods={**pods, "c": ["10.3.0.0/16"]},
        exports={"b": [{"service": "shop/db", "to": ["a"]}]},
    )


def test_without_policies_everything_meets() -> None:
    proof = proved(_three())
    assert not proof.holds
    assert proof.closed == ()
    assert proof.ungoverned > 0
    assert any("c/shop/cron → b/shop/db: all passes" in line for line in proof.wrong)


def test_x5_cluster_policies_leave_the_exports_and_nothing_else() -> None:
    found = _three()
    made = {n: resources(cluster_policies(border(found, n))) for n in found.members}
    proof = proved(with_policies(found, made))
    assert (proof.wrong, proof.unknown, proof.closed) == ((), (), ())
    assert proof.opened == 3  # web by two families and api by one


def test_x5_the_fallback_by_network_policies_does_the_same() -> None:
    found = _three()
    made = {n: resources(network_policies(border(found, n), ["shop"])) for n in found.members}
    proof = proved(with_policies(found, made))
    assert (proof.wrong, proof.unknown, proof.closed) == ((), (), ())
    assert proof.opened == 3


def test_one_cluster_without_its_policies_is_found() -> None:
    found = _three()
    made = {n: resources(cluster_policies(border(found, n))) for n in ("a", "b")}
    proof = proved(with_policies(found, made))
    assert not proof.holds
    assert all(line.startswith("c/") for line in proof.wrong)


def test_an_export_that_another_policy_closes_is_told() -> None:
    found = _three(b=[network_policy("db", "Ingress", [])])
    made = {n: resources(cluster_policies(border(found, n))) for n in found.members}
    proof = proved(with_policies(found, made))
    assert proof.holds
    assert any("b/shop/db: TCP 5432 is exported and does not pass" in one for one in proof.closed)


def test_many_exports_are_several_policies() -> None:
    exports = [{"addresses": [f"10.2.1.{n}/32"], "ports": [f"TCP {n + 1}"]} for n in range(60)]
    found = fleet({"a": [], "b": []}, exports={"b": exports})
    made = cluster_policies(border(found, "a"))
    assert [one["spec"]["priority"] for one in made] == [1, 2, 3]
    assert all(len(one["spec"]["egress"]) <= 25 for one in made)
    assert made[-1]["spec"]["egress"][-1] == {
        "action": "Deny",
        "to": [{"networks": ["10.2.0.0/16"]}],
    }


def test_cilium_denies_all_but_the_exported_ports() -> None:
    made = cilium_policy(border(_three(), "a"))["spec"]
    assert made["enableDefaultDeny"] == {"egress": False, "ingress": False}
    first = made["egressDeny"][0]["toCIDRSet"][0]
    assert first == {"cidr": "10.2.0.0/15", "except": ["10.2.0.1/32"]}
    ports = [p for one in made["egressDeny"][-1]["toPorts"] for p in one["ports"]]
    assert {"protocol": "TCP", "port": "5433", "endPort": 65535} in ports
    assert not any(p["port"] == "5432" for p in ports)


def test_x2_clusters_that_overlap_cannot_be_parted() -> None:
    found = fleet({"a": [], "b": []}, pods={"a": ["10.1.0.0/16"], "b": ["10.1.8.0/24"]})
    with pytest.raises(BadInput, match=r"both use 10\.1\.8\.0/24"):
        border(found, "a")
    with pytest.raises(BadInput, match="no cluster 'z'"):
        border(found, "z")


@pytest.mark.skipif(bool(missing()), reason=missing())
def test_packets_pass_for_the_export_only() -> None:
    """A node with a pod of cluster a, and two of b behind a route."""
    web, db, queue = "10.1.0.1", "10.2.0.1", "10.2.0.2"
    ruleset = perimeter_rules(border(_three(), "a"))
    asked = [(db, 5432), (db, 5433), (queue, 5432)]
    with routed([web, db, queue]) as (place, (one, *others)):
        servers = [_listening(other) for other in (*others, one)]
        try:
            for server in servers:
                assert server.stdout is not None
                assert server.stdout.readline() == "ready\n"
            assert _reached(one, asked) == asked
            nft.load(ruleset.text, inside(place))
            nft.load(ruleset.text, inside(place))
            assert _reached(one, asked) == [(db, 5432)]
            assert _reached(others[0], [(web, 5432)]) == []
            assert _reached(others[0], [(queue, 5432)]) == [(queue, 5432)]
        finally:
            for server in servers:
                server.communicate("")


def _listening(place: str) -> Any:
    import subprocess

    program = (
        "import socket, sys\n"
        "held = [socket.create_server(('', p)) for p in (5432, 5433)]\n"
        "print('ready', flush=True)\nsys.stdin.read()\n"
    )
    argv = [*inside(place).enter, sys.executable, "-S", "-c", program]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _reached(place: str, asked: list[tuple[str, int]]) -> list[tuple[str, int]]:
    program = (
        "import socket, sys\n"
        "for one in sys.argv[1:]:\n"
        "    host, port = one.split(' ')\n"
        "    try:\n"
        "        socket.create_connection((host, int(port)), timeout=0.3).close()\n"
        "        print(one)\n"
        "    except OSError:\n"
        "        pass\n"
    )
    words = [f"{host} {port}" for host, port in asked]
    argv = [*inside(place).enter, sys.executable, "-S", "-c", program, *words]
    found = nft.run(argv, "").stdout.splitlines()
    return [(line.split()[0], int(line.split()[1])) for line in found]
