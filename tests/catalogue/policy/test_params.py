"""Parameter objects: none, one, several, missing."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.policies import actions, asked, binding, config_map, pod, vap, world_of

KIND = {"apiVersion": "v1", "kind": "ConfigMap"}
NODE = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}


def rulings(
    ref: dict[str, Any] | None,
    *objects: dict[str, Any],
    expression: str = "params.data.ok == 'yes'",
    raw: dict[str, Any] | None = None,
    complete: bool = True,
    **spec: Any,
) -> list[tuple[str, str]]:
    policy = vap(paramKind=KIND, validations=[{"expression": expression}], **spec)
    bound = binding() if ref is None else binding(paramRef=ref)
    world = world_of(*objects, complete=complete)
    return [(r.action, r.message) for r in asked([policy, bound], raw or pod(), world).rulings]


def test_without_a_kind_params_do_not_exist() -> None:
    policy = vap(validations=[{"expression": "params == null"}])
    assert actions(asked([policy, binding()]).rulings) == ["unassessed"]


def test_a_kind_without_a_reference_is_one_evaluation_with_null() -> None:
    assert rulings(None, expression="params == null") == []


def test_by_name_in_the_namespace_of_the_request() -> None:
    ref = {"name": "limits"}
    assert rulings(ref, config_map("limits", ok="yes")) == []
    found = rulings(ref, config_map("limits", ok="no"), config_map("limits", "other", ok="yes"))
    assert [action for action, _ in found] == ["deny"]


def test_by_name_in_the_namespace_of_the_reference() -> None:
    ref = {"name": "limits", "namespace": "other"}
    assert (
        rulings(ref, config_map("limits", ok="no"), config_map("limits", "other", ok="yes")) == []
    )


def test_a_namespaced_kind_needs_a_namespace() -> None:
    found = rulings({"name": "limits"}, config_map("limits", ok="yes"), raw=NODE)
    assert [action for action, _ in found] == ["deny"]
    assert "cluster-scoped" in found[0][1]


def test_a_cluster_kind_takes_no_namespace() -> None:
    policy = vap(
        paramKind={"apiVersion": "v1", "kind": "Node"}, validations=[{"expression": "true"}]
    )
    ref = {"name": "n1", "namespace": "shop"}
    found = asked([policy, binding(paramRef=ref)], pod(), world_of(NODE)).rulings
    assert actions(found) == ["deny"]
    assert "must not be provided" in found[0].message


def test_several_are_evaluated_each() -> None:
    ref = {"selector": {"matchLabels": {"kind": "params"}}}
    objects = [config_map("a", ok="yes"), config_map("b", ok="no"), config_map("c", ok="no")]
    assert [action for action, _ in rulings(ref, *objects)] == ["deny", "deny"]


def test_an_empty_selector_takes_all() -> None:
    objects = [config_map("a", ok="no"), config_map("b", ok="no")]
    assert len(rulings({"selector": {}}, *objects)) == 2


@pytest.mark.parametrize(
    ("missing", "failure", "expected"),
    [
        (None, "Fail", ["deny"]),
        ("Deny", "Fail", ["deny"]),
        ("Deny", "Ignore", []),
        ("Allow", "Fail", []),
    ],
)
def test_none_found(missing: str | None, failure: str, expected: list[str]) -> None:
    ref = {"name": "limits"} | ({"parameterNotFoundAction": missing} if missing else {})
    found = rulings(ref, config_map("other", ok="yes"), failurePolicy=failure)
    assert [action for action, _ in found] == expected


def test_a_kind_that_is_not_in_view_is_not_a_missing_object() -> None:
    found = rulings({"name": "limits"}, complete=False)
    assert [action for action, _ in found] == ["unassessed"]


def test_an_unknown_kind_is_a_configuration_error_where_all_is_in_view() -> None:
    policy = vap(
        paramKind={"apiVersion": "example.com/v1", "kind": "Limits"},
        validations=[{"expression": "true"}],
    )
    policies = [policy, binding(paramRef={"name": "a"})]
    for complete, expected in ((True, ["deny"]), (False, ["unassessed"])):
        found = asked(policies, pod(), world_of(complete=complete)).rulings
        assert actions(found) == expected
