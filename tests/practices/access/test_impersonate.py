"""Who may act as whom: each part is asked apart, and all must be allowed."""

from __future__ import annotations

import pytest
from tests.support.access.objects import Object, ask, bind, role, rule

from martello.practices.access import Access
from martello.practices.access.impersonate import (
    certified,
    may_approve,
    may_impersonate,
    may_impersonate_on,
)
from martello.practices.access.model import Principal, Request

JO = Principal("jo", ("system:authenticated",))
API = "system:serviceaccount:shop:api"
AUTH = "authentication.k8s.io"
CERTS = "certificates.k8s.io"


def _may(*rules: Object, ns: str = "", minor: int = 30) -> Access:
    return ask(role("r", *rules), bind("b", "r", "user:jo", ns=ns), kubernetes=minor)


def test_groups_need_a_user_too() -> None:
    groups = _may(rule("impersonate", "groups"))
    assert may_impersonate(groups, JO, "", ["ops"]).verdict == "denied"
    assert may_impersonate(groups, JO, "kim", ["ops"]).verdict == "denied"
    both = _may(rule("impersonate", "groups users"))
    assert may_impersonate(both, JO, "kim", ["ops"]).verdict == "allowed"
    with_account = _may(rule("impersonate", "groups serviceaccounts"))
    assert may_impersonate(with_account, JO, API, ["ops"]).verdict == "allowed"
    assert may_impersonate(with_account, JO, "kim", ["ops"]).verdict == "denied"


def test_every_group_is_asked_by_name() -> None:
    named = _may(rule("impersonate", "users"), rule("impersonate", "groups", names="ops"))
    assert may_impersonate(named, JO, "kim", ["ops"]).verdict == "allowed"
    assert may_impersonate(named, JO, "kim", ["ops", "system:masters"]).verdict == "denied"


def test_users_do_not_reach_accounts() -> None:
    assert may_impersonate(_may(rule("impersonate", "users")), JO, API).verdict == "denied"
    accounts = _may(rule("impersonate", "serviceaccounts"), ns="shop")
    assert may_impersonate(accounts, JO, API).verdict == "allowed"
    other = "system:serviceaccount:ops:api"
    assert may_impersonate(accounts, JO, other).verdict == "denied"
    local = _may(rule("impersonate", "users"), ns="shop")
    assert may_impersonate(local, JO, "kim").verdict == "denied"


def test_extras_and_uids_are_asked() -> None:
    users = rule("impersonate", "users")
    extras = {"scopes": ["view"]}
    assert may_impersonate(_may(users), JO, "kim", (), extras).verdict == "denied"
    more = _may(users, rule("impersonate", "userextras/scopes", AUTH, names="view"))
    assert may_impersonate(more, JO, "kim", (), extras).verdict == "allowed"
    assert may_impersonate(more, JO, "kim", (), {"scopes": ["all"]}).verdict == "denied"
    assert may_impersonate(more, JO, "kim", uid="1").verdict == "denied"
    uids = _may(users, rule("impersonate", "uids", AUTH))
    assert may_impersonate(uids, JO, "kim", uid="1").verdict == "allowed"
    old = _may(users, rule("impersonate", "uids", AUTH), minor=21)
    assert may_impersonate(old, JO, "kim", uid="1").verdict == "denied"


LIST = Request("list", "", "pods", namespace="shop")
ON = rule("impersonate-on:user-info:list", "pods")
AS = rule("impersonate:user-info", "users", AUTH)


def test_constrained_impersonation_needs_both_verbs() -> None:
    ours = _may(AS, ON, minor=36)
    assert may_impersonate_on(ours, JO, "kim", LIST).verdict == "allowed"
    get = Request("get", "", "pods", namespace="shop")
    assert may_impersonate_on(ours, JO, "kim", get).verdict == "denied"
    assert may_impersonate(ours, JO, "kim").verdict == "denied"
    for half in (AS, ON):
        assert may_impersonate_on(_may(half, minor=36), JO, "kim", LIST).verdict == "denied"


def test_constrained_impersonation_is_none_of_older_servers() -> None:
    assert may_impersonate_on(_may(AS, ON, minor=34), JO, "kim", LIST).verdict == "denied"


def test_a_mode_is_no_prefix_and_plain_impersonation_still_suffices() -> None:
    star = rule("impersonate-on:*", "pods")
    assert may_impersonate_on(_may(AS, star, minor=36), JO, "kim", LIST).verdict == "denied"
    plain = _may(rule("impersonate", "users"), minor=36)
    assert may_impersonate_on(plain, JO, "kim", LIST).verdict == "allowed"


@pytest.mark.parametrize(
    ("mode", "resource", "username", "associated"),
    [
        ("serviceaccount", "serviceaccounts", API, False),
        ("arbitrary-node", "nodes", "system:node:n1", False),
        ("associated-node", "nodes", "system:node:n1", True),
    ],
)
def test_modes_of_accounts_and_nodes(
    mode: str, resource: str, username: str, associated: bool
) -> None:
    rules = (
        rule(f"impersonate:{mode}", resource, AUTH),
        rule(f"impersonate-on:{mode}:list", "pods"),
    )
    ours = _may(*rules, minor=36)
    found = may_impersonate_on(ours, JO, username, LIST, associated=associated)
    assert found.verdict == "allowed"
    assert may_impersonate_on(ours, JO, "kim", LIST).verdict == "denied"
    assert may_impersonate_on(ours, JO, username, LIST, ["ops"]).verdict == "denied"
    if associated:
        assert may_impersonate_on(ours, JO, username, LIST).verdict == "denied"


CREATE = rule("create", "certificatesigningrequests", CERTS)
APPROVE = rule("update", "certificatesigningrequests/approval", CERTS)
SIGNER = "kubernetes.io/kube-apiserver-client"


def _signs(name: str) -> Object:
    return rule("approve", "signers", CERTS, names=name)


def test_a_certificate_needs_three_rights() -> None:
    for name in (SIGNER, "kubernetes.io/*"):
        assert may_approve(_may(CREATE, APPROVE, _signs(name)), JO, SIGNER).verdict == "allowed"
    for missing in range(3):
        held = [CREATE, APPROVE, _signs(SIGNER)]
        del held[missing]
        assert may_approve(_may(*held), JO, SIGNER).verdict == "denied"
    other = _may(CREATE, APPROVE, _signs("example.com/*"))
    assert may_approve(other, JO, SIGNER).verdict == "denied"


def test_what_signers_refuse() -> None:
    assert certified(SIGNER, "eve", ["system:masters"])
    assert not certified(SIGNER, "eve", ["ops"])
    kubelet = f"{SIGNER}-kubelet"
    assert not certified(kubelet, "system:node:n1", ["system:nodes"])
    assert certified(kubelet, "eve", ["system:nodes"])
