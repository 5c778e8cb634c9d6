"""The tiered policies, ClusterNetworkPolicy and those before it, as their API reads them."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.network import objects as o

from martello.core.path import show
from martello.core.reach import Ports
from martello.core.resource import Nowhere, resource_of
from martello.practices.network.dialects.read import read_object
from martello.practices.network.model import (
    ACCEPT,
    ADMIN,
    BASELINE,
    DENY,
    PASS,
    Block,
    Domains,
    Doubtful,
    NamedPort,
    Nodes,
    Pods,
    Policies,
    Policy,
    Requirement,
    Rule,
    Selector,
)

_SPACES: dict[str, Any] = {"namespaces": {}}
_V2, _V1 = "policy.networking.k8s.io/v1alpha2", "policy.networking.k8s.io/v1alpha1"


def _cnp(**spec: Any) -> Policies:
    full = {"tier": "Admin", "priority": 1, "subject": _SPACES, **spec}
    raw = o.policy(_V2, "ClusterNetworkPolicy", "p", full)
    return read_object(resource_of(raw, Nowhere()))


def _anp(**spec: Any) -> Policies:
    raw = o.policy(_V1, "AdminNetworkPolicy", "p", {"priority": 1, "subject": _SPACES, **spec})
    return read_object(resource_of(raw, Nowhere()))


def _banp(name: str = "default", **spec: Any) -> Policies:
    raw = o.policy(_V1, "BaselineAdminNetworkPolicy", name, {"subject": _SPACES, **spec})
    return read_object(resource_of(raw, Nowhere()))


def _only(read: Policies) -> Policy:
    assert not read.faults
    (policy,) = read.policies
    assert not policy.doubt
    return policy


def _egress(read: Policies) -> Rule:
    rules = _only(read).egress
    assert rules is not None
    return rules[0]


def _to(*peers: Any, action: str = "Accept", **rule: Any) -> dict[str, Any]:
    return {"action": action, "to": list(peers), **rule}


def _from(*peers: Any, action: str = "Accept", **rule: Any) -> dict[str, Any]:
    return {"action": action, "from": list(peers), **rule}


@pytest.mark.parametrize(("tier", "read"), [("Admin", ADMIN), ("Baseline", BASELINE)])
@pytest.mark.parametrize("priority", [0, 1000])
def test_C1_tier_and_priority(tier: str, read: str, priority: int) -> None:
    policy = _only(_cnp(tier=tier, priority=priority))
    assert (policy.tier, policy.priority, policy.family) == (read, priority, _V2)


def test_C1_rules_keep_their_order() -> None:
    actions = ["Pass", "Deny", "Accept"]
    policy = _only(_cnp(ingress=[_from(_SPACES, action=a) for a in actions]))
    assert policy.ingress is not None
    assert [rule.action for rule in policy.ingress] == [PASS, DENY, ACCEPT]


def test_C1_limits() -> None:
    assert not _cnp(ingress=[_from(_SPACES)] * 25).faults
    assert not _cnp(ingress=[_from(*[_SPACES] * 25)]).faults
    assert _paths(_cnp(ingress=[_from(_SPACES)] * 26)) == ["spec.ingress"]
    assert _paths(_cnp(egress=[_to(*[_SPACES] * 26)])) == ["spec.egress[0].to"]
    port = {"tcp": {"destinationPort": {"number": 80}}}
    assert _paths(_cnp(egress=[_to(_SPACES, protocols=[port] * 26)])) == [
        "spec.egress[0].protocols"
    ]
    assert not _anp(ingress=[_from(_SPACES, action="Allow")] * 100).faults
    assert _paths(_anp(ingress=[_from(_SPACES, action="Allow")] * 101)) == ["spec.ingress"]
    assert _paths(_cnp(egress=[_to({"networks": ["10.0.0.0/8"] * 26})])) == [
        "spec.egress[0].to[0].networks"
    ]


@pytest.mark.parametrize("rules", [None, []])
def test_C4_nothing_is_governed_by_implication(rules: Any) -> None:
    policy = _only(_cnp(ingress=rules, egress=[_to(_SPACES)]))
    assert policy.ingress is None
    assert policy.egress is not None


def test_C6_subjects_and_pods() -> None:
    a = {"matchLabels": {"a": "1"}}
    read = Selector((Requirement("a", "In", ("1",)),))
    spaces = _only(_cnp(subject={"namespaces": a})).subject
    assert (spaces.namespaces, spaces.pods, spaces.namespace) == (read, Selector(), "")
    pods = _only(_cnp(subject={"pods": {"namespaceSelector": {}, "podSelector": a}})).subject
    assert (pods.namespaces, pods.pods) == (Selector(), read)
    half = _only(_anp(subject={"pods": {"namespaceSelector": a}})).subject
    assert (half.namespaces, half.pods) == (read, Selector())


def test_C6_egress_peers() -> None:
    peers: list[dict[str, Any]] = [
        {"networks": ["10.0.0.0/8", "::/0"]},
        {"nodes": {}},
        {"domainNames": ["*.Example.com.", "a.example.org"]},
    ]
    rule = _egress(_cnp(egress=[_to(*peers)]))
    assert rule.peers is not None
    v4, v6, nodes, names = rule.peers
    assert isinstance(v4, Block)
    assert (v4.version, v4.pods) == (4, True)
    assert isinstance(v6, Block)
    assert (v6.version, v6.last) == (6, 2**128 - 1)
    assert isinstance(nodes, Nodes)
    assert isinstance(names, Domains)
    assert names.names == ("*.example.com", "a.example.org")


@pytest.mark.parametrize("action", ["Deny", "Pass"])
def test_C6_domain_names_are_for_accept_only(action: str) -> None:
    rule = _egress(_cnp(egress=[_to({"domainNames": ["a.example.org"]}, action=action)]))
    assert rule.peers is not None
    assert isinstance(rule.peers[0], Doubtful)


@pytest.mark.parametrize("field", ["networks", "nodes", "domainNames"])
def test_C6_ingress_has_no_such_peers(field: str) -> None:
    policy = _only(_cnp(ingress=[_from({field: {}}, action="Deny")]))
    assert policy.ingress == (Rule(DENY, None, None, ("spec", "ingress", 0)),)


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        ({"tcp": {"destinationPort": {"number": 80}}}, Ports("TCP", 80, 80)),
        (
            {"udp": {"destinationPort": {"range": {"start": 5, "end": 9}}}},
            Ports("UDP", 5, 9),
        ),
        ({"sctp": {"destinationPort": {"number": 65535}}}, Ports("SCTP", 65535, 65535)),
        ({"destinationNamedPort": "http"}, NamedPort("http")),
    ],
)
def test_C7_protocols(raw: dict[str, Any], read: Any) -> None:
    assert _egress(_cnp(egress=[_to(_SPACES, protocols=[raw])])).ports == (read,)


@pytest.mark.parametrize(
    ("action", "read"),
    [
        ("Accept", (ACCEPT, ())),
        ("Deny", (DENY, None)),
        ("Pass", (DENY, None)),
    ],
)
def test_C8_a_peer_of_an_unknown_field_fails_closed(action: str, read: Any) -> None:
    port = {"tcp": {"destinationPort": {"number": 80}}}
    found = _cnp(egress=[_to(_SPACES, {"services": {}}, action=action, protocols=[port])])
    rule = _egress(found)
    assert (rule.action, rule.peers) == read
    assert rule.ports is None
    assert any("services" in note for note in found.notes)


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        ({"portNumber": {"port": 80}}, Ports("TCP", 80, 80)),
        ({"portNumber": {"port": 53, "protocol": "UDP"}}, Ports("UDP", 53, 53)),
        ({"portRange": {"start": 7, "end": 7, "protocol": "SCTP"}}, Ports("SCTP", 7, 7)),
        ({"portRange": {"start": 1, "end": 9}}, Ports("TCP", 1, 9)),
        ({"namedPort": "http"}, NamedPort("http")),
    ],
)
def test_C9_ports_of_v1alpha1(raw: dict[str, Any], read: Any) -> None:
    rule = _egress(_anp(egress=[_to(_SPACES, action="Allow", ports=[raw])]))
    assert (rule.action, rule.ports) == (ACCEPT, (read,))


def test_C9_tiers_of_v1alpha1() -> None:
    admin = _only(_anp(priority=7, egress=[_to(_SPACES, action="Pass")]))
    assert (admin.tier, admin.priority, admin.family) == (ADMIN, 7, _V1)
    base = _only(_banp(egress=[_to(_SPACES, action="Deny")]))
    assert (base.tier, base.priority, base.family) == (BASELINE, 0, _V1)


@pytest.mark.parametrize("field", ["sameLabels", "notSameLabels"])
@pytest.mark.parametrize(
    "peer",
    [
        lambda field: {"namespaces": {field: ["a"]}},
        lambda field: {"pods": {field: ["a"]}},
        lambda field: {"pods": {"namespaceSelector": {field: ["a"]}, "podSelector": {}}},
        lambda field: {field: ["a"]},
    ],
)
def test_C9_removed_fields_are_refused_by_name(field: str, peer: Any) -> None:
    read = _anp(ingress=[_from(peer(field), action="Allow")])
    assert any(f.path[-1] == field and "removed" in f.reason for f in read.faults)


def _paths(read: Policies) -> list[str]:
    return [show(fault.path) for fault in read.faults]


_TO = "spec.egress[0].to"
_PROTOCOL = "spec.egress[0].protocols[0]"


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"tier": None}, "spec.tier"),
        ({"tier": "admin"}, "spec.tier"),
        ({"tier": ["Admin"]}, "spec.tier"),
        ({"priority": None}, "spec.priority"),
        ({"priority": -1}, "spec.priority"),
        ({"priority": 1001}, "spec.priority"),
        ({"priority": "1"}, "spec.priority"),
        ({"priority": True}, "spec.priority"),
        ({"subject": None}, "spec.subject"),
        ({"subject": {}}, "spec.subject"),
        ({"subject": {"namespaces": {}, "pods": {"podSelector": {}}}}, "spec.subject"),
        ({"subject": {"namespaces": []}}, "spec.subject.namespaces"),
        ({"subject": {"pods": {}}}, "spec.subject.pods"),
        ({"subject": {"namespaces": None}}, "spec.subject"),
        ({"egress": [{"to": [_SPACES]}]}, "spec.egress[0].action"),
        ({"egress": [_to(_SPACES, action="Allow")]}, "spec.egress[0].action"),
        ({"egress": [_to(_SPACES, action=["Deny"])]}, "spec.egress[0].action"),  # type: ignore[arg-type]
        ({"egress": [_to(_SPACES, name="x" * 101)]}, "spec.egress[0].name"),
        ({"egress": [{"action": "Deny"}]}, _TO),
        ({"egress": [_to()]}, _TO),
        ({"egress": [_to({})]}, f"{_TO}[0]"),
        ({"egress": [_to(None)]}, f"{_TO}[0]"),
        ({"egress": [_to({"namespaces": None})]}, f"{_TO}[0]"),
        ({"egress": [_to({"nodes": {}, "namespaces": {}})]}, f"{_TO}[0]"),
        ({"egress": [_to({"networks": []})]}, f"{_TO}[0].networks"),
        ({"egress": [_to({"networks": ["x"]})]}, f"{_TO}[0].networks[0]"),
        ({"egress": [_to({"networks": ["::1/" + "0" * 40]})]}, f"{_TO}[0].networks[0]"),
        ({"egress": [_to({"domainNames": ["localhost"]})]}, f"{_TO}[0].domainNames[0]"),
        ({"egress": [_to({"domainNames": ["a.*.com"]})]}, f"{_TO}[0].domainNames[0]"),
        ({"egress": [_to(_SPACES, protocols=[])]}, "spec.egress[0].protocols"),
        ({"egress": [_to(_SPACES, protocols=[{}])]}, _PROTOCOL),
        ({"egress": [_to(_SPACES, protocols=[{"tcp": {}}])]}, f"{_PROTOCOL}.tcp"),
        (
            {
                "egress": [
                    _to(
                        _SPACES,
                        protocols=[{"tcp": {"destinationPort": {"range": {"start": 5, "end": 5}}}}],
                    )
                ]
            },
            f"{_PROTOCOL}.tcp.destinationPort.range.start",
        ),
        (
            {"egress": [_to(_SPACES, protocols=[{"tcp": {"destinationPort": {"number": 0}}}])]},
            f"{_PROTOCOL}.tcp.destinationPort.number",
        ),
        (
            {"egress": [_to({"nodes": {}}, protocols=[{"destinationNamedPort": "a"}])]},
            _TO,
        ),
    ],
)
def test_what_the_server_refuses(spec: dict[str, Any], path: str) -> None:
    read = _cnp(**spec)
    assert _paths(read) == [path]
    (policy,) = read.policies
    assert path in policy.doubt
    assert (policy.ingress, policy.egress) == ((), ())


def test_a_baseline_has_one_name_no_pass_no_priority_and_no_domain_names() -> None:
    assert _paths(_banp("other")) == ["metadata.name"]
    assert _paths(_banp(egress=[_to(_SPACES, action="Pass")])) == ["spec.egress[0].action"]
    assert "priority" in _banp(priority=3).policies[0].doubt
    closed = _egress(_banp(egress=[_to({"domainNames": ["a.b"]}, action="Deny")]))
    assert (closed.action, closed.peers) == (DENY, None)


def test_an_unknown_field_puts_the_policy_in_doubt() -> None:
    read = _cnp(ingress=[_from(_SPACES, when="now")])
    assert not read.faults
    assert "when" in read.policies[0].doubt


def test_peers_are_pods() -> None:
    rule = _egress(_cnp(egress=[_to(_SPACES)]))
    assert rule.peers == (Pods(path=("spec", "egress", 0, "to", 0, "namespaces")),)
