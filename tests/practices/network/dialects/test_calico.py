"""The subset of Calico's policies: what is read, and that the rest leaves a doubt (S6)."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.mutations import VALUES, nodes, replaced
from tests.support.network import objects as o

from martello.core.reach import Ports
from martello.practices.network.dialects.read import read
from martello.practices.network.model import (
    NETWORK,
    Block,
    NamedPort,
    Pods,
    Policy,
    Requirement,
    Rule,
    Selector,
)

_ALLOW = {"action": "Allow"}
_A = Selector((Requirement("app", "In", ("a",)),))


def _raw(
    *, wide: bool = False, group: str = "crd.projectcalico.org", **spec: Any
) -> dict[str, Any]:
    kind = "GlobalNetworkPolicy" if wide else "NetworkPolicy"
    version = f"{group}/{'v1' if group.startswith('crd') else 'v3'}"
    return o.policy(version, kind, "p", spec, "" if wide else "shop")


def _read(**spec: Any) -> Policy:
    (policy,) = read(o.cluster([_raw(**spec)])).policies
    return policy


def _rule(raw: dict[str, Any], **spec: Any) -> Rule:
    policy = _read(ingress=[{**_ALLOW, **raw}], **spec)
    assert not policy.doubt
    assert policy.ingress is not None
    return policy.ingress[0]


def _peer(source: dict[str, Any], **spec: Any) -> Any:
    peers = _rule({"source": source}, **spec).peers
    assert peers is not None
    return peers[0]


@pytest.mark.parametrize("group", ["crd.projectcalico.org", "projectcalico.org"])
def test_both_groups_are_read(group: str) -> None:
    policy = _read(group=group)
    assert not policy.doubt
    assert (policy.tier, policy.subject.namespace) == (NETWORK, "shop")


@pytest.mark.parametrize(
    ("spec", "ingress", "egress"),
    [
        ({}, True, False),
        ({"ingress": [_ALLOW]}, True, False),
        ({"egress": [_ALLOW]}, False, True),
        ({"ingress": [_ALLOW], "egress": [_ALLOW]}, True, True),
        ({"types": ["Egress"]}, False, True),
        ({"types": ["Ingress", "Egress"]}, True, True),
    ],
)
def test_types(spec: dict[str, Any], ingress: bool, egress: bool) -> None:
    policy = _read(**spec)
    assert not policy.doubt
    assert ((policy.ingress is not None), (policy.egress is not None)) == (ingress, egress)


@pytest.mark.parametrize(
    ("text", "requirements"),
    [
        ("all()", ()),
        ("app == 'a'", (("app", "In", ("a",)),)),
        ('app=="a"', (("app", "In", ("a",)),)),
        ("app != ''", (("app", "NotIn", ("",)),)),
        ("has(a.b/c)", (("a.b/c", "Exists", ()),)),
        ("!has(app)", (("app", "DoesNotExist", ()),)),
        ("app in { 'b', \"a\" }", (("app", "In", ("a", "b")),)),
        ("app not in {'a'}", (("app", "NotIn", ("a",)),)),
        ("has(b) && app == 'a'", (("app", "In", ("a",)), ("b", "Exists", ()))),
    ],
)
def test_selectors(text: str, requirements: tuple[tuple[str, str, tuple[str, ...]], ...]) -> None:
    policy = _read(selector=text)
    assert not policy.doubt
    assert policy.subject.pods == Selector(tuple(Requirement(*r) for r in requirements))


@pytest.mark.parametrize(
    "text",
    ["app == 'a' || has(b)", "(has(a))", "app", "app contains 'a'", "global()", "app == 'a' &&"],
)
def test_S6_other_selectors_are_a_doubt(text: str) -> None:
    assert _read(selector=text).doubt


def test_peers() -> None:
    local = _peer({"selector": "app == 'a'"})
    assert (local.pods, local.namespace) == (_A, "shop")
    wide = _peer({"selector": "app == 'a'"}, wide=True)
    assert (wide.pods, wide.namespace, wide.namespaces) == (_A, "", Selector())
    spaced = _peer({"selector": "app == 'a'", "namespaceSelector": "app == 'a'"})
    assert (spaced.pods, spaced.namespace, spaced.namespaces) == (_A, "", _A)
    named = _peer({"selector": "projectcalico.org/namespace == 'x'"}, wide=True)
    assert isinstance(named, Pods)
    name = Requirement("kubernetes.io/metadata.name", "In", ("x",))
    assert named.namespaces == Selector((name,))
    assert _peer({"namespaceSelector": "projectcalico.org/name == 'x'"}).namespaces == Selector(
        (name,)
    )
    assert _rule({}).peers is None


def test_nets_take_in_pods() -> None:
    block = _peer({"nets": ["10.0.0.0/8"]})
    assert isinstance(block, Block)
    assert block.pods is True


@pytest.mark.parametrize(
    ("rule", "ports"),
    [
        ({}, None),
        ({"protocol": "UDP"}, (Ports("UDP", 1, 65535),)),
        (
            {"protocol": "TCP", "destination": {"ports": [80, "90:95", "http"]}},
            (Ports("TCP", 80, 80), Ports("TCP", 90, 95), NamedPort("http", "TCP")),
        ),
    ],
)
def test_ports(rule: dict[str, Any], ports: Any) -> None:
    assert _rule(rule).ports == ports


def test_rules_that_log_change_nothing() -> None:
    policy = _read(ingress=[{"action": "Log"}])
    assert policy.ingress == ()


@pytest.mark.parametrize(
    "spec",
    [
        {"tier": "security"},
        {"ingress": [{"action": "Deny"}]},
        {"ingress": [{"action": "Pass"}]},
        {"ingress": [{}]},
        {"ingress": [{**_ALLOW, "protocol": "ICMP"}]},
        {"ingress": [{**_ALLOW, "notProtocol": "TCP"}]},
        {"ingress": [{**_ALLOW, "http": {}}]},
        {"ingress": [{**_ALLOW, "destination": {"ports": [80]}}]},
        {"ingress": [{**_ALLOW, "destination": {"selector": "all()"}}]},
        {"ingress": [{**_ALLOW, "protocol": "TCP", "source": {"ports": [80]}}]},
        {"ingress": [{**_ALLOW, "source": {"notNets": ["10.0.0.0/8"]}}]},
        {"ingress": [{**_ALLOW, "source": {"nets": ["10.0.0.0/8"], "selector": "all()"}}]},
        {"ingress": [{**_ALLOW, "source": {"nets": ["x"]}}]},
        {"egress": [{**_ALLOW, "destination": {"services": {}}}]},
        {"types": ["ingress"]},
        {"preDNAT": True},
    ],
)
def test_S6_the_rest_is_a_doubt(spec: dict[str, Any]) -> None:
    policy = _read(**spec)
    assert policy.doubt
    assert (policy.ingress, policy.egress) == ((), ())


def test_S6_network_sets_put_rules_in_doubt() -> None:
    made = o.policy("crd.projectcalico.org/v1", "GlobalNetworkSet", "s", {})
    (policy,) = read(o.cluster([_raw(), made])).policies
    assert "NetworkSet" in policy.doubt


def test_any_value_anywhere_is_a_policy_or_a_doubt() -> None:
    raw = _raw(
        selector="app == 'a'",
        types=["Ingress"],
        order=3,
        ingress=[
            {
                **_ALLOW,
                "protocol": "TCP",
                "source": {"nets": ["10.0.0.0/8"]},
                "destination": {"ports": [80, "90:91"]},
            }
        ],
        egress=[{**_ALLOW, "destination": {"selector": "has(a)", "namespaceSelector": "all()"}}],
    )
    for path in nodes(raw["spec"], ("spec",)):
        for value in VALUES:
            (policy,) = read(o.cluster([replaced(raw, path, value)])).policies
            assert not (policy.doubt and (policy.ingress or policy.egress))
