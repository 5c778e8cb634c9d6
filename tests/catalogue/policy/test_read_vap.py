"""ValidatingAdmissionPolicies that the API server would not take, and where they are wrong."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.policies import RULE, binding, pod, resource, vap

from martello.catalogue.policy.read import policies_from

GOOD = [{"expression": "true"}]


def rule(**changes: Any) -> dict[str, Any]:
    return {"resourceRules": [{**RULE, **changes}]}


def conditions(count: int) -> list[dict[str, str]]:
    return [{"name": f"c{i}", "expression": "true"} for i in range(count)]


def notes(count: int, text: str = "'x'") -> list[dict[str, str]]:
    return [{"key": f"k{i}", "valueExpression": text} for i in range(count)]


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        ({}, "at least one validation"),
        ({"validations": GOOD, "matchConstraints": {}}, "resourceRules"),
        ({"validations": "x"}, "spec.validations is a string"),
        ({"validations": [{"message": "no expression"}]}, "expression"),
        ({"validations": [{"expression": "true", "message": "a\nb"}]}, "line breaks"),
        ({"validations": [{"expression": "true", "reason": "Because"}]}, "reason"),
        ({"validations": GOOD, "failurePolicy": "Maybe"}, "failurePolicy"),
        ({"validations": GOOD, "matchConditions": conditions(65)}, "64"),
        ({"validations": GOOD, "matchConditions": conditions(1) * 2}, "taken"),
        ({"auditAnnotations": notes(21)}, "20"),
        ({"auditAnnotations": notes(1, f"'{'x' * 5200}'")}, "5 kB"),
        ({"validations": GOOD, "variables": [{"name": "a-b", "expression": "1"}]}, "name"),
        ({"validations": GOOD, "paramKind": {"kind": "ConfigMap"}}, "apiVersion"),
        (
            {
                "validations": GOOD,
                "matchConstraints": {"resourceRules": [{**RULE, "operations": []}]},
            },
            "operations",
        ),
        (
            {
                "validations": GOOD,
                "matchConstraints": {"resourceRules": [{**RULE, "resources": []}]},
            },
            "resources",
        ),
    ],
)
def test_a_policy_that_is_not_valid_is_not_assessed(spec: dict[str, Any], word: str) -> None:
    found = policies_from([resource(vap(**spec)), resource(binding())])
    assert not found.bound
    (note,) = found.unassessed
    assert "ValidatingAdmissionPolicy 'p'" in note.reason
    assert word in note.reason


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        ({"validationActions": []}, "validationActions"),
        ({"validationActions": ["Deny", "Warn"]}, "both Deny and Warn"),
        ({"validationActions": ["Deny", "Deny"]}, "at most once"),
        ({"validationActions": ["Shout"]}, "at most once"),
        ({"paramRef": {}}, "name or a selector"),
        ({"paramRef": {"name": "a", "selector": {}}}, "name or a selector"),
        ({"paramRef": {"name": "a", "parameterNotFoundAction": "Hm"}}, "parameterNotFoundAction"),
        ({"policyName": ""}, "policyName"),
    ],
)
def test_a_binding_that_is_not_valid_is_not_assessed(spec: dict[str, Any], word: str) -> None:
    raw = binding()
    raw["spec"].update(spec)
    (note,) = policies_from([resource(raw)]).unassessed
    assert word in note.reason


def test_64_conditions_and_20_annotations_are_allowed() -> None:
    raw = vap(matchConditions=conditions(64), auditAnnotations=notes(20))
    found = policies_from([resource(raw), resource(binding())])
    assert found.unassessed == ()
    assert len(found.bound) == 1


def test_a_policy_without_binding_is_listed_as_inert() -> None:
    found = policies_from([resource(vap(validations=GOOD)), resource(pod())])
    assert [p.name for p in found.inert] == ["p"]
    assert not found


def test_what_does_not_compile_is_named_with_its_place() -> None:
    raw = vap(validations=[{"expression": "objct.spec.x == 1"}])
    (fault,) = policies_from([resource(raw), resource(binding())]).faults()
    assert "objct" in fault.reason
