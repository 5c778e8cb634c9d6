"""The order of authorizers: what a webhook may decide is unknown, what RBAC said before is not."""

from __future__ import annotations

import pytest
from tests.support.access.objects import Object, ask, bind, role, rule, thing

from martello.practices.access.chain import ASSUMED, chain
from martello.practices.access.model import Principal, Request

JO = Principal("jo")
GET = Request("get", "", "pods", namespace="shop")
DELETE = Request("delete", "", "pods", namespace="shop")
GRANTS = (role("r", rule("get", "pods")), bind("b", "r", "user:jo"))


def _configured(*types: str) -> Object:
    authorizers = [
        {"type": kind, **({"name": "hook"} if kind == "Webhook" else {})} for kind in types
    ]
    api = "apiserver.config.k8s.io/v1"
    return thing("AuthorizationConfiguration", "c", api=api, authorizers=authorizers)


def _server(*flags: str) -> Object:
    spec = {"containers": [{"name": "x", "command": ["/usr/bin/kube-apiserver", *flags]}]}
    return thing("Pod", "kube-apiserver-n1", "kube-system", "v1", spec=spec)


@pytest.mark.parametrize(
    ("types", "granted", "not_granted"),
    [
        (("Node", "RBAC"), "allowed", "denied"),
        (("Webhook", "RBAC"), "unknown", "unknown"),
        (("RBAC", "Webhook"), "allowed", "unknown"),
        (("Node", "Webhook", "RBAC"), "unknown", "unknown"),
        (("Node",), "denied", "denied"),
        (("RBAC", "AlwaysAllow"), "allowed", "allowed"),
        (("AlwaysDeny", "RBAC"), "allowed", "denied"),
        (("RBAC", "Tomorrow"), "allowed", "unknown"),
    ],
)
def test_what_the_order_makes_of_an_answer(
    types: tuple[str, ...], granted: str, not_granted: str
) -> None:
    ours = ask(*GRANTS, _configured(*types))
    assert ours.can(JO, GET).verdict == granted
    assert ours.can(JO, DELETE).verdict == not_granted
    masters = Principal("eve", ("system:masters",))
    assert ours.can(masters, DELETE).verdict == "allowed"


def test_a_webhook_is_named() -> None:
    answer = ask(*GRANTS, _configured("Webhook", "RBAC")).why(JO, GET)
    assert answer.because == ("Webhook hook may decide first",)
    assert answer.grants


@pytest.mark.parametrize(
    ("flags", "granted", "not_granted"),
    [
        (("--authorization-mode=Node,RBAC",), "allowed", "denied"),
        (("--authorization-mode", "Webhook,RBAC"), "unknown", "unknown"),
        (("--authorization-mode=ABAC,RBAC",), "allowed", "unknown"),
        (("--authorization-config=/etc/a.yaml",), "unknown", "unknown"),
        ((), "allowed", "allowed"),
    ],
)
def test_flags_of_the_server(flags: tuple[str, ...], granted: str, not_granted: str) -> None:
    ours = ask(*GRANTS, _server(*flags))
    assert ours.can(JO, GET).verdict == granted
    assert ours.can(JO, DELETE).verdict == not_granted


def test_nothing_here_means_nodes_and_rbac() -> None:
    assert chain(ask(*GRANTS).cluster) is ASSUMED


@pytest.mark.parametrize("authorizers", [None, 7, [7], [{"type": 3}]])
def test_hostile_configurations_end(authorizers: object) -> None:
    made = _configured()
    made["authorizers"] = authorizers
    assert ask(*GRANTS, made).can(JO, GET).verdict in ("denied", "unknown")
