"""Gatekeeper's templates in CEL and their constraints."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.policies import actions, asked, namespace, pod, resource, world_of

from martello.catalogue.policy.read import policies_from

NODE = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1", "labels": {"a": "b"}}}


def template(
    *validations: dict[str, str], engine: str = "K8sNativeValidation", **source: Any
) -> dict[str, Any]:
    source["validations"] = list(validations)
    return {
        "apiVersion": "templates.gatekeeper.sh/v1",
        "kind": "ConstraintTemplate",
        "metadata": {"name": "k8slimits"},
        "spec": {
            "crd": {"spec": {"names": {"kind": "K8sLimits"}}},
            "targets": [
                {
                    "target": "admission.k8s.gatekeeper.sh",
                    "code": [{"engine": engine, "source": source}],
                }
            ],
        },
    }


def constraint(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "constraints.gatekeeper.sh/v1beta1",
        "kind": "K8sLimits",
        "metadata": {"name": "limits"},
        "spec": spec,
    }


FALSE = template({"expression": "false", "message": "no"})


@pytest.mark.parametrize(
    ("match", "raw", "expected"),
    [
        ({}, pod(), True),
        ({"kinds": [{"apiGroups": [""], "kinds": ["Pod"]}]}, pod(), True),
        ({"kinds": [{"apiGroups": ["*"], "kinds": ["*"]}]}, pod(), True),
        ({"kinds": [{"apiGroups": ["apps"], "kinds": ["Pod"]}]}, pod(), False),
        ({"kinds": [{"apiGroups": [""], "kinds": ["Service"]}]}, pod(), False),
        ({"kinds": [{"kinds": ["Pod"]}]}, pod(), True),
        ({"namespaces": ["shop"]}, pod(), True),
        ({"namespaces": ["sh*"]}, pod(), True),
        ({"namespaces": ["*op"]}, pod(), True),
        ({"namespaces": ["prod"]}, pod(), False),
        ({"namespaces": ["prod"]}, NODE, True),
        ({"namespaces": ["shop"]}, namespace("shop"), True),
        ({"excludedNamespaces": ["shop"]}, pod(), False),
        ({"excludedNamespaces": ["sh*"]}, pod(), False),
        ({"excludedNamespaces": ["prod"]}, pod(), True),
        ({"excludedNamespaces": ["*"]}, NODE, True),
        ({"excludedNamespaces": ["shop"]}, namespace("shop"), False),
        ({"scope": "Namespaced"}, pod(), True),
        ({"scope": "Namespaced"}, NODE, False),
        ({"scope": "Namespaced"}, namespace("shop"), False),
        ({"scope": "Cluster"}, pod(), False),
        ({"scope": "Cluster"}, NODE, True),
        ({"scope": "*"}, NODE, True),
        ({"labelSelector": {"matchLabels": {"app": "web"}}}, pod(), True),
        ({"labelSelector": {"matchLabels": {"app": "db"}}}, pod(), False),
        ({"namespaceSelector": {"matchLabels": {"team": "a"}}}, pod(), True),
        ({"namespaceSelector": {"matchLabels": {"team": "b"}}}, pod(), False),
        ({"namespaceSelector": {"matchLabels": {"team": "b"}}}, NODE, True),
        ({"namespaceSelector": {"matchLabels": {"team": "x"}}}, namespace("s", team="x"), True),
        ({"name": "we*"}, pod(), True),
        ({"name": "db"}, pod(), False),
        ({"source": "Generated"}, pod(), False),
        ({"source": "Original"}, pod(), True),
    ],
)
def test_match(match: dict[str, Any], raw: dict[str, Any], expected: bool) -> None:
    world = world_of(namespace("shop", team="a"))
    found = asked([FALSE, constraint(match=match)], raw, world).rulings
    assert actions(found) == (["deny"] if expected else [])


def test_an_unknown_namespace_is_no_answer() -> None:
    match = {"namespaceSelector": {"matchLabels": {"team": "a"}}}
    assert actions(asked([FALSE, constraint(match=match)]).rulings) == ["unassessed"]


@pytest.mark.parametrize(
    ("action", "expected"),
    [("", ["deny"]), ("deny", ["deny"]), ("warn", ["warn"]), ("dryrun", ["audit"])],
)
def test_enforcement_actions(action: str, expected: list[str]) -> None:
    assert actions(asked([FALSE, constraint(enforcementAction=action)]).rulings) == expected


def test_scoped_actions_count_where_they_stand_at_admission() -> None:
    scoped = [
        {"action": "warn", "enforcementPoints": [{"name": "validation.gatekeeper.sh"}]},
        {"action": "deny", "enforcementPoints": [{"name": "gator.gatekeeper.sh"}]},
    ]
    given = constraint(enforcementAction="scoped", scopedEnforcementActions=scoped)
    assert actions(asked([FALSE, given]).rulings) == ["warn"]


def test_parameters_and_the_object_are_predefined() -> None:
    checks = (
        "variables.params.most == 3",
        "!has(variables.params.least)",
        "variables.anyObject.metadata.name == 'web'",
        "variables.twice == 6",
    )
    policy = template(
        *({"expression": e} for e in checks),
        variables=[{"name": "twice", "expression": "variables.params.most * 2"}],
    )
    given = constraint(parameters={"most": 3})
    assert asked([policy, given]).rulings == ()
    assert asked([policy, given], operation="DELETE").rulings == ()


def test_absent_parameters_are_an_empty_map() -> None:
    policy = template({"expression": "!has(variables.params.most)"})
    assert asked([policy, constraint()]).rulings == ()


def test_an_error_in_a_message_falls_back() -> None:
    broken = {"expression": "false", "messageExpression": "string(object.spec)", "message": "m"}
    (found,) = asked([template(broken), constraint()]).rulings
    assert (found.action, found.message) == ("deny", "m")


def test_other_engines_are_named_and_their_constraints_not_blamed() -> None:
    found = policies_from([resource(template(engine="Rego")), resource(constraint())])
    assert not found
    (note,) = found.unassessed
    assert "ConstraintTemplate 'k8slimits'" in note.reason
    assert "Rego" in note.reason


def test_old_templates_hold_rego_beside_the_target() -> None:
    raw = template()
    raw["spec"]["targets"] = [{"target": "admission.k8s.gatekeeper.sh", "rego": "package x"}]
    (note,) = policies_from([resource(raw)]).unassessed
    assert "Rego" in note.reason


def test_a_constraint_without_its_template_is_named() -> None:
    (note,) = policies_from([resource(constraint())]).unassessed
    assert "template is not in view" in note.reason


def test_conditions_stand_under_the_name_that_gatekeeper_reads() -> None:
    false = [{"name": "c", "expression": "false"}]
    validation = {"expression": "false"}
    assert asked([template(validation, matchCondition=false), constraint()]).rulings == ()


def test_a_template_reaches_its_parameters_as_a_variable_only() -> None:
    for text in ("params.spec == null", "authorizer.path('/x').check('get').allowed()"):
        found = asked([template({"expression": text}), constraint(parameters={})]).rulings
        assert actions(found) == ["unassessed"]
