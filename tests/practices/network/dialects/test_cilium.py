"""The subset of Cilium's policies: what is read, and that the rest leaves a doubt (S6)."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.mutations import VALUES, nodes, replaced
from tests.support.network import objects as o

from martello.core.reach import Ports
from martello.practices.network.dialects.read import read
from martello.practices.network.model import (
    ACCEPT,
    ADMIN,
    DENY,
    NETWORK,
    Block,
    Domains,
    NamedPort,
    Nodes,
    Pods,
    Policy,
    Requirement,
    Rule,
    Selector,
)

_A = {"matchLabels": {"k8s:app": "a"}}
_A_READ = Selector((Requirement("app", "In", ("a",)),))


def _raw(*, clusterwide: bool = False, **spec: Any) -> dict[str, Any]:
    kind = "CiliumClusterwideNetworkPolicy" if clusterwide else "CiliumNetworkPolicy"
    space = "" if clusterwide else "shop"
    return o.policy("cilium.io/v2", kind, "p", {"endpointSelector": _A, **spec}, space)


def _read(*, clusterwide: bool = False, **spec: Any) -> tuple[Policy, ...]:
    return read(o.cluster([_raw(clusterwide=clusterwide, **spec)])).policies


def _rule(**rule: Any) -> Rule:
    (policy,) = _read(egress=[rule])
    assert not policy.doubt
    assert policy.egress is not None
    return policy.egress[0]


def test_the_subject_is_of_the_namespace_or_of_the_cluster() -> None:
    assert _read()[0].subject.namespace == "shop"
    wide = _read(clusterwide=True)[0].subject
    assert (wide.pods, wide.namespace, wide.namespaces) == (_A_READ, "", Selector())


@pytest.mark.parametrize(
    ("spec", "ingress", "egress"),
    [
        ({}, None, None),
        ({"ingress": []}, None, None),
        ({"ingress": [{}]}, (Rule(ACCEPT, (), None, ("spec", "ingress", 0)),), None),
        ({"enableDefaultDeny": {"ingress": True}}, (), None),
        ({"egressDeny": [{"toEntities": ["all"]}]}, None, ()),
    ],
)
def test_what_isolates(spec: dict[str, Any], ingress: Any, egress: Any) -> None:
    policy = _read(**spec)[0]
    assert (policy.tier, policy.ingress, policy.egress) == (NETWORK, ingress, egress)


def test_denials_come_before_every_policy_that_allows() -> None:
    allowing, denying = _read(ingress=[{"fromEndpoints": [_A]}], ingressDeny=[{}])
    assert (allowing.tier, denying.tier) == (NETWORK, ADMIN)
    assert denying.egress is None
    assert denying.ingress is not None
    assert denying.ingress[0].action == DENY


def test_ports_alone_are_for_everyone() -> None:
    rule = _rule(toPorts=[{"ports": [{"port": "80", "protocol": "TCP"}]}])
    assert (rule.peers, rule.ports) == (None, (Ports("TCP", 80, 80),))


@pytest.mark.parametrize(
    ("port", "ports"),
    [
        (
            {"port": "53"},
            (Ports("TCP", 53, 53), Ports("UDP", 53, 53), Ports("SCTP", 53, 53)),
        ),
        ({"port": "0", "protocol": "UDP"}, (Ports("UDP", 1, 65535),)),
        ({"port": "80", "endPort": 90, "protocol": "TCP"}, (Ports("TCP", 80, 90),)),
        ({"port": "http", "protocol": "TCP"}, (NamedPort("http", "TCP"),)),
        ({"port": "http"}, (NamedPort("http", ""),)),
    ],
)
def test_ports(port: dict[str, Any], ports: Any) -> None:
    assert _rule(toEntities=["all"], toPorts=[{"ports": [port]}]).ports == ports


def test_endpoints_and_their_namespaces() -> None:
    spaced = {"matchLabels": {"k8s:io.kubernetes.pod.namespace": "infra", "any:app": "a"}}
    some = {
        "matchExpressions": [
            {"key": "io.kubernetes.pod.namespace", "operator": "NotIn", "values": ["x"]}
        ]
    }
    rule = _rule(toEndpoints=[{}, _A, spaced, some])
    assert rule.peers is not None
    found = [p for p in rule.peers if isinstance(p, Pods)]
    name = Requirement("kubernetes.io/metadata.name", "NotIn", ("x",))
    assert [(p.pods, p.namespace, p.namespaces) for p in found] == [
        (Selector(), "shop", Selector()),
        (_A_READ, "shop", Selector()),
        (_A_READ, "infra", Selector()),
        (Selector(), "", Selector((name,))),
    ]


def test_labels_of_namespaces_clusterwide() -> None:
    peer = {"matchLabels": {"k8s:io.cilium.k8s.namespace.labels.team": "a"}}
    (policy,) = _read(clusterwide=True, ingress=[{"fromEndpoints": [peer]}])
    assert policy.ingress is not None
    assert policy.ingress[0].peers is not None
    (pods,) = policy.ingress[0].peers
    assert isinstance(pods, Pods)
    assert pods.namespaces == Selector((Requirement("team", "In", ("a",)),))


def test_blocks_take_in_neither_pods_nor_nodes() -> None:
    ranges = [{"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}]
    raw = _raw(egress=[{"toCIDRSet": ranges}])
    (policy,) = read(o.cluster([raw, o.node("n", ["10.0.0.1", "192.0.2.1"], {})])).policies
    assert policy.egress is not None
    assert policy.egress[0].peers is not None
    (block,) = policy.egress[0].peers
    assert isinstance(block, Block)
    assert block.pods is False
    assert block.excepts == ((0x0A000001, 0x0A000001), (0x0A010000, 0x0A01FFFF))


def test_one_address_is_a_range_of_one() -> None:
    rule = _rule(toCIDR=["192.0.2.1", "fd00::1"])
    assert rule.peers is not None
    assert [p.first == p.last for p in rule.peers if isinstance(p, Block)] == [True, True]


@pytest.mark.parametrize(
    ("entity", "kinds"),
    [
        ("all", None),
        ("world", [Block, Block]),
        ("cluster", [Pods, Nodes]),
        ("remote-node", [Nodes]),
        ("host", []),
    ],
)
def test_entities(entity: str, kinds: list[type] | None) -> None:
    peers = _rule(toEntities=[entity]).peers
    assert (None if peers is None else [type(p) for p in peers]) == kinds


def test_domain_names() -> None:
    rule = _rule(toFQDNs=[{"matchName": "A.example.org."}])
    assert rule.peers is not None
    assert [p.names for p in rule.peers if isinstance(p, Domains)] == [("a.example.org",)]


@pytest.mark.parametrize(
    "spec",
    [
        {"ingress": [{"fromRequires": [_A]}]},
        {"ingress": [{"fromEntities": ["kube-apiserver"]}]},
        {"ingress": [{"fromEndpoints": []}]},
        {"ingress": [{"fromEndpoints": [_A], "fromCIDR": ["10.0.0.0/8"]}]},
        {"ingress": [{"icmps": [{}]}]},
        {"ingress": [{"fromEndpoints": [{"matchLabels": {"reserved:host": ""}}]}]},
        {"ingress": [{"fromEndpoints": [{"matchLabels": {"io.cilium.k8s.policy.cluster": "a"}}]}]},
        {"egress": [{"toServices": [{}]}]},
        {"egress": [{"toFQDNs": [{"matchPattern": "*.example.org"}]}]},
        {"egress": [{"toCIDRSet": [{"cidrGroupRef": "x"}]}]},
        {"egress": [{"toEntities": ["all"], "toPorts": [{"listener": {}}]}]},
        {"ingress": [{"fromEndpoints": [_A]}], "enableDefaultDeny": {"ingress": False}},
        {"later": 1},
    ],
)
def test_S6_the_rest_is_a_doubt(spec: dict[str, Any]) -> None:
    found = _read(**spec)
    assert found
    assert all(policy.doubt for policy in found)
    assert all((policy.ingress, policy.egress) == ((), ()) for policy in found)


def test_rules_of_layer_7_are_said() -> None:
    http = [{"ports": [{"port": "80", "protocol": "TCP"}], "rules": {"http": [{}]}}]
    found = read(o.cluster([_raw(ingress=[{"toPorts": http}])]))
    assert not found.policies[0].doubt
    assert any("layer 7" in note for note in found.notes)


def test_specs_and_policies_of_nodes() -> None:
    raw = _raw()
    raw["specs"] = [{"endpointSelector": {}, "ingress": [{}]}]
    assert len(read(o.cluster([raw])).policies) == 2
    host = o.policy("cilium.io/v2", "CiliumClusterwideNetworkPolicy", "h", {"nodeSelector": {}})
    found = read(o.cluster([host]))
    assert found.policies == ()
    assert any("nodes" in note for note in found.notes)


def test_any_value_anywhere_is_a_policy_or_a_doubt() -> None:
    raw = _raw(
        ingress=[{"fromEndpoints": [_A], "toPorts": [{"ports": [{"port": "80", "endPort": 90}]}]}],
        egress=[{"toCIDRSet": [{"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}]}],
        egressDeny=[{"toEntities": ["world"]}],
        enableDefaultDeny={"ingress": True},
    )
    raw["specs"] = [{"endpointSelector": {}, "egress": [{"toFQDNs": [{"matchName": "a.b"}]}]}]
    for path in nodes(raw):
        if path[0] not in ("spec", "specs"):
            continue
        for value in VALUES:
            for policy in read(o.cluster([replaced(raw, path, value)])).policies:
                assert not (policy.doubt and (policy.ingress or policy.egress))
