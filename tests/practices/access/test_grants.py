"""Grants against the truth tables of the RBAC authorizer, and the joins they are made of."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, Resource, resource_of
from martello.practices.access.bindings import Subject
from martello.practices.access.grants import Grants
from martello.practices.access.rules import Rule

_GROUP = "rbac.authorization.k8s.io"
_TABLES = (
    Path(os.environ.get("MARTELLO_CORPORA", Path(__file__).parents[4] / "shared" / "corpora"))
    / "rbac-tables"
)
_DEEP = "aggregate-to-deep"


def _object(kind: str, name: str, namespace: str = "", **rest: Any) -> Resource:
    labels = rest.pop("labels", {})
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    raw = {"apiVersion": f"{_GROUP}/v1", "kind": kind, "metadata": metadata, **rest}
    cluster = rest.pop("cluster", "")
    return resource_of(raw, Nowhere(), cluster)


def _rule(raw: dict[str, Any]) -> Rule:
    role = Grants(Cluster([_object("ClusterRole", "r", rules=[raw])])).roles[
        ("ClusterRole", "", "r")
    ]
    return role.rules[0]


def _table(name: str) -> list[dict[str, Any]]:
    file = _TABLES / name
    if not file.exists():
        pytest.skip("no corpus rbac-tables")
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.corpus
def test_rules_permit_what_the_authorizer_permits() -> None:
    asked = 0
    for case in _table("rule_matches.jsonl"):
        rule = _rule(case["rule"])
        for r in case["requests"]:
            if "path" in r:
                continue
            answer = rule.permits(
                r["verb"], r["apiGroup"], r["resource"], r["subresource"], r["name"]
            )
            assert answer is r["matches"], (case["name"], r)
            asked += 1
    assert asked >= 40


@pytest.mark.corpus
def test_worlds_of_the_authorizer() -> None:
    asked = 0
    for world in _table("authorizer.jsonl"):
        held = Grants(Cluster(resource_of(raw, Nowhere()) for raw in world["objects"]))
        for request in world["requests"]:
            if "path" in request:
                continue
            assert _allowed(held, request) is request["allowed"], (world["name"], request)
            asked += 1
    assert asked >= 16


def _allowed(held: Grants, request: dict[str, Any]) -> bool:
    """A literal reading of the authorizer over the joined bindings."""
    who = {Subject("User", request["user"])}
    who |= {Subject("Group", group) for group in request["groups"]}
    if request["user"].startswith("system:serviceaccount:"):
        namespace, name = request["user"].split(":")[2:]
        who.add(Subject("ServiceAccount", name, namespace))
    for binding in held.bindings:
        if not binding.cluster_wide and binding.resource.ref.namespace != request["namespace"]:
            continue
        if not binding.cluster_wide and not request["namespace"]:
            continue
        if who.isdisjoint(binding.subjects):
            continue
        wanted = [request[k] for k in ("verb", "apiGroup", "resource", "subresource", "name")]
        if any(rule.permits(*wanted) for rule in binding.rules):
            return True
    return False


@pytest.mark.parametrize(
    ("resources", "resource", "subresource", "covered"),
    [
        (["pods"], "pods", "", True),
        (["pods"], "pods", "exec", False),
        (["pods/exec"], "pods", "exec", True),
        (["pods/exec"], "pods", "", False),
        (["*"], "pods", "exec", True),
        (["*/exec"], "pods", "exec", True),
        (["*/exec"], "pods", "", False),
        (["pods/*"], "pods", "exec", False),
        (["*/*"], "pods", "exec", False),
        (["Pods"], "pods", "", False),
        ([], "pods", "", False),
    ],
)
def test_resources_and_subresources(
    resources: list[str], resource: str, subresource: str, covered: bool
) -> None:
    rule = _rule({"verbs": ["get"], "apiGroups": [""], "resources": resources})
    assert rule.permits("get", "", resource, subresource) is covered


def test_named_rules_do_not_permit_the_unnamed() -> None:
    rule = _rule(
        {"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["db"]}
    )
    assert rule.permits("get", "", "secrets", name="db")
    assert not rule.permits("get", "", "secrets")


def _leaf(name: str, resource: str, **labels: str) -> Resource:
    rules = [{"verbs": ["get"], "apiGroups": [""], "resources": [resource]}]
    return _object("ClusterRole", name, labels=labels, rules=rules)


def _aggregating(name: str, key: str, **labels: str) -> Resource:
    selectors = [{"matchLabels": {key: "true"}}]
    stale = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
    return _object(
        "ClusterRole",
        name,
        labels=labels,
        rules=stale,
        aggregationRule={"clusterRoleSelectors": selectors},
    )


def test_aggregation_is_nested_circular_and_overwrites() -> None:
    world = [
        _aggregating("top", "to-top", **{_DEEP: "true"}),
        _aggregating("deep", _DEEP, **{"to-top": "true"}),
        _leaf("one", "pods", **{"to-top": "true"}),
        _leaf("two", "nodes", **{_DEEP: "true"}),
        _leaf("three", "secrets"),
    ]
    roles = Grants(Cluster(world)).roles
    for name in ("top", "deep"):
        gathered = {r for rule in roles[("ClusterRole", "", name)].rules for r in rule.resources}
        assert gathered == {"pods", "nodes"}


def test_live_roles_are_taken_as_stored() -> None:
    live = resource_of(_aggregating("top", "to-top").raw, Nowhere(), "prod")
    assert Grants(Cluster([live])).roles[("ClusterRole", "", "top")].rules[0].verbs == ("*",)


def _bound(kind: str, role_kind: str, namespace: str = "") -> bool:
    """Whether a binding of this kind finds a role of that kind."""
    binding = _object(
        kind,
        "b",
        namespace,
        roleRef={"apiGroup": _GROUP, "kind": role_kind, "name": "r"},
        subjects=[{"kind": "ServiceAccount", "name": "a"}],
    )
    world = [binding, _object("Role", "r", "shop"), _object("ClusterRole", "r")]
    return Grants(Cluster(world)).binding(binding).role is not None


def test_which_binding_reaches_which_role() -> None:
    assert _bound("RoleBinding", "Role", "shop")
    assert _bound("RoleBinding", "ClusterRole", "shop")
    assert _bound("ClusterRoleBinding", "ClusterRole")
    assert not _bound("RoleBinding", "Role", "other")
    assert not _bound("ClusterRoleBinding", "Role")
    assert not _bound("RoleBinding", "role", "shop")


def test_subjects_and_their_spellings() -> None:
    subjects = [
        {"kind": "ServiceAccount", "name": "a"},
        {"kind": "ServiceAccount", "name": "a", "namespace": "ops"},
        {"kind": "User", "name": "system:serviceaccount:ops:a"},
        {"kind": "Group", "name": "system:serviceaccounts:shop"},
        {"kind": "User"},
    ]
    binding = _object("RoleBinding", "b", "shop", subjects=subjects, roleRef={})
    held = Grants(Cluster([binding]))
    read = held.binding(binding)
    assert read.subjects == (
        Subject("ServiceAccount", "a", "shop"),
        Subject("ServiceAccount", "a", "ops"),
        Subject("ServiceAccount", "a", "ops"),
        Subject("Group", "system:serviceaccounts:shop"),
    )
    assert read.broken
    assert list(held.of_account("ops", "a")) == [read]
    assert list(held.of_account("shop", "other")) == [read]
    assert list(held.of_account("dev", "a")) == []
    assert read in held.of_account("", "a")
    assert list(held.of_account("", "default")) == []


def test_malformed_roles_are_broken_not_empty() -> None:
    malformed: tuple[Any, ...] = ({}, [7], [{"verbs": "get"}], [{"verbs": [1]}])
    for rules in malformed:
        role = _object("ClusterRole", "r", rules=rules)
        assert Grants(Cluster([role])).role(role).broken
