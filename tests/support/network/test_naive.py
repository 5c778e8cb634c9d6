"""The oracle itself, where no corpus of others says what is right."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.network.naive import naive
from tests.support.network.objects import Object, namespace, node, pod, policy

VERSION = "policy.networking.k8s.io"
SPACES = [namespace("x", {"team": "red"}), namespace("y", {})]
PORTS = [
    {"name": "web", "containerPort": 80},
    {"name": "web", "containerPort": 81},
    {"name": "web", "containerPort": 81, "protocol": "UDP"},
]
A = pod("x", "a", {"app": "a"}, ["10.0.0.1", "fd00::1"], PORTS, "n1")
B = pod("y", "b", {"app": "b"}, ["10.0.0.2", "fd00::2"], [], "n2")
NODES = [node("n1", ["192.0.2.1", "2001:db8::1"], {}), node("n2", ["192.0.2.2"], {"zone": "z"})]
ANYONE: Object = {"namespaces": {}}
BASE = [*SPACES, A, B, *NODES]


def network(space: str = "x", **spec: Any) -> Object:
    return policy("networking.k8s.io/v1", "NetworkPolicy", "np", {"podSelector": {}, **spec}, space)


def ranked(
    name: str, priority: int, action: str, tier: str = "Admin", peer: Object = ANYONE
) -> Object:
    rules = [{"action": action, "from": [peer]}]
    spec = {"tier": tier, "priority": priority, "subject": ANYONE, "ingress": rules}
    return policy(f"{VERSION}/v1alpha2", "ClusterNetworkPolicy", name, spec)


def older(action: str) -> Object:
    spec = {"priority": 1, "subject": ANYONE, "ingress": [{"action": action, "from": [ANYONE]}]}
    return policy(f"{VERSION}/v1alpha1", "AdminNetworkPolicy", "anp", spec)


CASES: dict[str, tuple[list[Object], bool | None]] = {
    "P1 nothing selects": ([], True),
    "P3 no types means ingress": ([network()], False),
    "P3 egress of the other pod": ([network("y", policyTypes=["Egress"])], False),
    "P3 types leave ingress alone": ([network(policyTypes=["Egress"])], True),
    "P4 an empty rule is everyone": ([network(ingress=[{}])], True),
    "P9 protocol is TCP": ([network(ingress=[{"ports": [{"port": 80}]}])], True),
    "P10 a name with two numbers": ([network(ingress=[{"ports": [{"port": "web"}]}])], True),
    "P12 a block of the other family": (
        [network(ingress=[{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}])],
        None,  # the families differ
    ),
    "C2 NetworkPolicy is final": ([network(), ranked("b", 1, "Accept", "Baseline")], False),
    "C2 pass goes on to NetworkPolicy": ([network(), ranked("a", 1, "Pass")], False),
    "C2 admin wins": ([network(), ranked("a", 1, "Accept")], True),
    "C2 pass in baseline": ([ranked("b", 1, "Pass", "Baseline")], True),
    "C2 baseline without isolation": ([ranked("b", 1, "Deny", "Baseline")], False),
    "C1 lower is first": ([ranked("a", 2, "Deny"), ranked("b", 1, "Accept")], True),
    "C5 equal and different": ([ranked("a", 1, "Deny"), ranked("b", 1, "Accept")], None),
    "C5 equal and alike": ([ranked("a", 1, "Deny"), ranked("b", 1, "Deny")], False),
    "C5 pass ends where accept does": ([ranked("a", 1, "Pass"), ranked("b", 1, "Accept")], True),
    "C8 an accept of nobody known": (
        [network(), ranked("a", 1, "Accept", peer={"new": {}})],
        False,
    ),
    "C8 a deny of nobody known": ([ranked("a", 1, "Deny", peer={"new": {}})], False),
    "C8 a pass of nobody known": ([ranked("a", 1, "Pass", peer={"new": {}})], False),
    "C9 two versions that differ": ([older("Deny"), ranked("a", 1, "Accept")], None),
    "C9 two versions alike": ([older("Deny"), ranked("a", 9, "Deny")], False),
}


@pytest.mark.parametrize("name", CASES)
def test_one_pair(name: str) -> None:
    policies, expected = CASES[name]
    assert naive([*BASE, *policies]).allowed("y/b", "x/a", "TCP", 80) is expected


@pytest.mark.parametrize("protocol", ["UDP", "SCTP"])
def test_p9_a_port_without_protocol_is_tcp(protocol: str) -> None:
    asked = naive([*BASE, network(ingress=[{"ports": [{"port": 80}]}])])
    assert asked.allowed("y/b", "x/a", protocol, 80) is False


def test_p11_rules_with_ports_say_nothing_of_ping() -> None:
    ports = naive([*BASE, network(ingress=[{"ports": [{"port": 80}]}])])
    assert ports.allowed("y/b", "x/a", "ICMP", 0) is None
    assert naive([*BASE, network(ingress=[{}])]).allowed("y/b", "x/a", "ICMP", 0) is True


def test_p12_a_block_and_pods() -> None:
    one = network(ingress=[{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}])
    for matches in (True, False, None):
        asked = naive([*BASE, one], blocks_match_pods=matches)
        assert asked.allowed("y/b", "x/a", "TCP", 80, 4) is matches
        assert asked.allowed("y/b", "x/a", "TCP", 80, 6) is False
        assert asked.allowed("10.9.9.9", "x/a", "TCP", 80) is True


def test_p13_and_p14_itself_and_its_own_node() -> None:
    asked = naive([*BASE, network(policyTypes=["Ingress", "Egress"])])
    assert asked.allowed("x/a", "x/a", "TCP", 80) is True
    assert asked.allowed("192.0.2.1", "x/a", "TCP", 80) is True
    assert asked.allowed("x/a", "2001:db8::1", "TCP", 80) is True
    assert asked.allowed("192.0.2.2", "x/a", "TCP", 80) is False


def test_p8_a_namespace_that_is_not_here_has_but_its_name() -> None:
    def asked(selector: Object) -> bool | None:
        rules = [{"from": [{"namespaceSelector": selector}]}]
        here = [o for o in BASE if o is not SPACES[1]]
        return naive([*here, network(ingress=rules)]).allowed("y/b", "x/a", "TCP", 80)

    assert asked({"matchLabels": {"kubernetes.io/metadata.name": "y"}}) is True
    assert asked({"matchLabels": {"kubernetes.io/metadata.name": "x"}}) is False
    assert asked({"matchLabels": {"team": "red"}}) is None


def test_p15_pods_on_the_network_of_their_node() -> None:
    host = pod("y", "h", {"app": "b"}, ["192.0.2.2"], PORTS, "n2")
    host["spec"]["hostNetwork"] = True
    by_label = naive([*BASE, host, network(ingress=[{"from": [{"namespaceSelector": {}}]}])])
    assert by_label.allowed("y/h", "x/a", "TCP", 80) is False
    block = {"ipBlock": {"cidr": "192.0.2.0/24"}}
    assert naive([*BASE, host, network(ingress=[{"from": [block]}])]).allowed(
        "y/h", "x/a", "TCP", 80
    )
    assert naive([*BASE, host, network("y")]).allowed("x/a", "y/h", "TCP", 80) is True


def test_p17_a_pod_that_has_ended_is_no_end() -> None:
    gone = pod("y", "gone", {}, ["10.0.0.9"], [])
    gone["status"]["phase"] = "Succeeded"
    with pytest.raises(ValueError, match="gone"):
        naive([*BASE, gone]).allowed("y/gone", "x/a", "TCP", 80)


def test_c6_peers_outside() -> None:
    def asked(peer: Object, to: str) -> bool | None:
        rule = {"action": "Deny", "to": [peer]}
        spec = {"tier": "Admin", "priority": 1, "subject": ANYONE, "egress": [rule]}
        one = policy(f"{VERSION}/v1alpha2", "ClusterNetworkPolicy", "one", spec)
        names = {"a.example.com": ["203.0.113.1"]}
        return naive([*BASE, one], names=names).allowed("x/a", to, "TCP", 80)

    assert asked({"networks": ["10.0.0.0/8", "fd00::/8"]}, "y/b") is False
    assert asked({"nodes": {"matchLabels": {"zone": "z"}}}, "192.0.2.2") is False
    assert asked({"nodes": {"matchLabels": {"zone": "z"}}}, "192.0.2.1") is True
    assert asked({"nodes": {}}, "192.0.2.1") is False  # cluster-wide rules hold for its own node
    assert asked({"domainNames": ["*.example.com"]}, "203.0.113.1") is False
    assert asked({"domainNames": ["a.example.com"]}, "203.0.113.2") is True
    assert asked({"domainNames": ["b.example.com"]}, "203.0.113.2") is None
