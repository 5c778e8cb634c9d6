"""NetworkPolicy as the API server reads it: what each rule becomes, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.apiserver import ApiServer
from tests.support.network import objects as o
from tests.support.network.refused import REFUSED, TAKEN

from martello.core.path import show
from martello.core.reach import Ports
from martello.core.resource import Nowhere, resource_of
from martello.practices.network.dialects.form import Form
from martello.practices.network.dialects.networkpolicy import read_policy
from martello.practices.network.model import (
    Block,
    NamedPort,
    Nodes,
    Pods,
    Policy,
    Requirement,
    Rule,
    Selector,
)

_WEB = {"matchLabels": {"app": "web"}}
_WEB_READ = Selector((Requirement("app", "In", ("web",)),))
_ALL_TCP = Ports("TCP", 1, 65535)


def _read(spec: Any, space: str = "shop") -> tuple[Policy, Form]:
    raw = o.policy("networking.k8s.io/v1", "NetworkPolicy", "p", spec, space)
    return read_policy(resource_of(raw, Nowhere()))


def _rule(raw: Any) -> Rule:
    policy, form = _read({"ingress": [raw]})
    assert not form.doubt
    assert policy.ingress is not None
    return policy.ingress[0]


def _peer(raw: Any) -> Any:
    peers = _rule({"from": [raw]}).peers
    assert peers is not None
    return peers[0]


def _port(raw: Any) -> Any:
    ports = _rule({"ports": [raw]}).ports
    assert ports is not None
    return ports[0]


@pytest.mark.parametrize(
    ("spec", "ingress", "egress"),
    [
        ({}, True, False),
        ({"policyTypes": []}, True, False),
        ({"policyTypes": None, "egress": []}, True, False),
        ({"egress": [{}]}, True, True),
        ({"policyTypes": ["Egress"]}, False, True),
        ({"policyTypes": ["Egress"], "ingress": [{}]}, False, True),
        ({"policyTypes": ["Ingress"], "egress": [{}]}, True, False),
        ({"policyTypes": ["Egress", "Ingress"]}, True, True),
    ],
)
def test_P3_policy_types(spec: dict[str, Any], ingress: bool, egress: bool) -> None:
    policy, form = _read(spec)
    assert not form.doubt
    assert ((policy.ingress is not None), (policy.egress is not None)) == (ingress, egress)


@pytest.mark.parametrize("spec", [{"ingress": []}, {}, {"ingress": None}])
def test_P4_no_rules_deny_all(spec: dict[str, Any]) -> None:
    assert _read(spec)[0].ingress == ()


@pytest.mark.parametrize("raw", [{}, None, {"from": []}, {"from": None, "ports": []}])
def test_P4_an_empty_rule_is_everyone_and_everything(raw: Any) -> None:
    rule = _rule(raw)
    assert rule.peers is None
    assert rule.ports is None


def test_P4_empty_selectors() -> None:
    pods = _peer({"podSelector": {}})
    assert (pods.pods, pods.namespace) == (Selector(), "shop")
    spaces = _peer({"namespaceSelector": {}})
    assert (spaces.pods, spaces.namespace, spaces.namespaces) == (Selector(), "", Selector())


def test_P5_and_or() -> None:
    both = _peer({"podSelector": _WEB, "namespaceSelector": {}})
    assert (both.pods, both.namespace) == (_WEB_READ, "")
    two = _rule({"from": [{"podSelector": _WEB}, {"namespaceSelector": _WEB}]}).peers
    assert two is not None
    first, second = two
    assert isinstance(first, Pods)
    assert isinstance(second, Pods)
    assert (first.pods, first.namespace) == (_WEB_READ, "shop")
    assert (second.pods, second.namespaces) == (Selector(), _WEB_READ)


@pytest.mark.parametrize("spec", [{}, {"podSelector": None}, {"podSelector": {}}])
def test_P6_an_absent_subject_is_the_namespace(spec: dict[str, Any]) -> None:
    subject = _read(spec)[0].subject
    assert (subject.pods, subject.namespace) == (Selector(), "shop")


def test_P8_no_namespace_is_default() -> None:
    assert _read({}, "")[0].subject.namespace == "default"


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        ({}, _ALL_TCP),
        ({"protocol": "SCTP"}, Ports("SCTP", 1, 65535)),
        ({"port": 80}, Ports("TCP", 80, 80)),
        ({"port": 80, "endPort": 80}, Ports("TCP", 80, 80)),
        ({"port": 80, "endPort": 90, "protocol": "UDP"}, Ports("UDP", 80, 90)),
        ({"port": "http"}, NamedPort("http", "TCP")),
        ({"port": "dns", "protocol": "UDP"}, NamedPort("dns", "UDP")),
    ],
)
def test_P9_ports(raw: dict[str, Any], read: Ports | NamedPort) -> None:
    assert _port(raw) == read


@pytest.mark.parametrize(
    ("raw", "version", "first", "last", "excepts"),
    [
        ({"cidr": "10.0.0.0/8"}, 4, 0x0A000000, 0x0AFFFFFF, ()),
        ({"cidr": "10.1.2.3/8"}, 4, 0x0A000000, 0x0AFFFFFF, ()),
        ({"cidr": "010.0.0.0/8"}, 4, 0x0A000000, 0x0AFFFFFF, ()),
        ({"cidr": "::ffff:10.0.0.0/104"}, 4, 0x0A000000, 0x0AFFFFFF, ()),
        ({"cidr": "0.0.0.0/0"}, 4, 0, 2**32 - 1, ()),
        ({"cidr": "::/0"}, 6, 0, 2**128 - 1, ()),
        (
            {"cidr": "10.0.0.0/8", "except": ["10.2.0.0/16", "10.1.0.0/16"]},
            4,
            0x0A000000,
            0x0AFFFFFF,
            ((0x0A010000, 0x0A01FFFF), (0x0A020000, 0x0A02FFFF)),
        ),
    ],
)
def test_P12_blocks(
    raw: dict[str, Any], version: int, first: int, last: int, excepts: tuple[Any, ...]
) -> None:
    block = _peer({"ipBlock": raw})
    assert isinstance(block, Block)
    assert (block.version, block.first, block.last) == (version, first, last)
    assert block.excepts == excepts
    assert block.pods is None


def test_P15_OpenShift_selects_the_network_of_nodes_by_a_label_of_its_own() -> None:
    label = "policy-group.network.openshift.io/host-network"
    peers = _rule({"from": [{"namespaceSelector": {"matchLabels": {label: ""}}}]}).peers
    assert peers is not None
    assert [type(peer) for peer in peers] == [Pods, Nodes]
    expression = {"key": label, "operator": "DoesNotExist"}
    assert isinstance(_peer({"namespaceSelector": {"matchExpressions": [expression]}}), Pods)


@pytest.mark.parametrize(("spec", "path"), REFUSED)
def test_what_the_server_refuses(spec: Any, path: str) -> None:
    policy, form = _read(spec)
    assert [show(fault.path) for fault in form.faults] == [path]
    assert path in policy.doubt
    assert not policy.ingress
    assert policy.ingress is not None or policy.egress is not None


@pytest.mark.parametrize("spec", TAKEN)
def test_what_the_server_takes(spec: Any) -> None:
    assert not _read(spec)[0].doubt


@pytest.mark.parametrize(
    "spec",
    [
        {"egres": []},
        {"ingress": [{"to": []}]},
        {"ingress": [{"from": [{"podSelector": {}, "serviceSelector": {}}]}]},
        {"ingress": [{"ports": [{"port": 80, "name": "x"}]}]},
    ],
)
def test_an_unknown_field_puts_the_policy_in_doubt(spec: dict[str, Any]) -> None:
    policy, form = _read(spec)
    assert not form.faults
    assert "not understood" in policy.doubt
    assert policy.ingress == ()


@pytest.mark.apiserver
def test_a_real_server_agrees(apiserver: ApiServer) -> None:
    """It is one of 1.20, which knows no endPort and drops it."""
    for spec in (*TAKEN, *(spec for spec, _ in REFUSED)):
        if "endPort" in str(spec):
            continue
        raw = o.policy("networking.k8s.io/v1", "NetworkPolicy", "p", spec, "default")
        where = "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies?dryRun=All"
        answer = apiserver.request("POST", where, raw, check=False)
        policy, form = _read(spec, "default")
        assert (answer["kind"] == "Status") == bool(form.faults), (spec, answer)
        if not form.faults:
            types = set(answer["spec"]["policyTypes"])
            assert ("Ingress" in types) == (policy.ingress is not None), spec
            assert ("Egress" in types) == (policy.egress is not None), spec
