"""How a policy is evaluated: conditions, variables, validations, messages, annotations, budgets."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.policies import actions, asked, binding, namespace, pod, vap, world_of

from martello.catalogue.policy.model import User
from martello.catalogue.policy.policies import worded
from martello.cel.lib.authorizer import Attributes, Decision

ERROR = "object.spec.nothing == 1"
# Some 10,000 turns; with one loop more it costs more than one program may.
COSTLY = "variables.many.all(a, variables.many.all(b, a + b >= 0))"
MANY = {"name": "many", "expression": f"[{', '.join(['1'] * 100)}]"}


def rulings(expected_of: Any = None, **spec: Any) -> list[tuple[str, str]]:
    actions_of = spec.pop("actions", ["Deny"])
    spec.setdefault("validations", [{"expression": "false"}])
    found = asked([vap(**spec), binding(validationActions=actions_of)]).rulings
    return [(r.action, r.message) for r in found]


@pytest.mark.parametrize(
    ("expression", "failure", "expected"),
    [
        ("true", "Fail", []),
        ("false", "Fail", ["deny"]),
        ("false", "Ignore", ["deny"]),
        (ERROR, "Fail", ["deny"]),
        (ERROR, "Ignore", []),
        (f"true || {ERROR}", "Fail", []),
        ("object.spec.containers[0].name", "Fail", ["deny"]),
    ],
)
def test_a_validation_is_true_false_or_an_error(
    expression: str, failure: str, expected: list[str]
) -> None:
    found = rulings(validations=[{"expression": expression}], failurePolicy=failure)
    assert [action for action, _ in found] == expected


def test_an_error_names_the_expression() -> None:
    (found,) = rulings(validations=[{"expression": ERROR, "message": "not used"}])
    assert found[1].startswith(f"expression '{ERROR}' resulted in error: ")


def test_every_validation_speaks_for_itself() -> None:
    validations = [
        {"expression": "false", "message": "one"},
        {"expression": "true", "message": "two"},
        {"expression": "false", "message": "three"},
    ]
    assert rulings(validations=validations) == [("deny", "one"), ("deny", "three")]


@pytest.mark.parametrize(
    ("conditions", "failure", "expected"),
    [
        (["true"], "Fail", ["deny"]),
        (["false"], "Fail", []),
        (["true", "false"], "Fail", []),
        ([ERROR, "false"], "Fail", []),
        ([ERROR, "true"], "Fail", ["deny"]),
        ([ERROR], "Ignore", []),
        (["request.operation == 'CREATE'"], "Fail", ["deny"]),
        (["namespaceObject == null"], "Fail", ["deny"]),
    ],
)
def test_match_conditions(conditions: list[str], failure: str, expected: list[str]) -> None:
    named = [{"name": f"c{i}", "expression": e} for i, e in enumerate(conditions)]
    found = rulings(matchConditions=named, failurePolicy=failure)
    assert [action for action, _ in found] == expected


def test_an_error_in_a_condition_is_the_message() -> None:
    named = [{"name": "c", "expression": ERROR}]
    (found,) = rulings(matchConditions=named, validations=[{"expression": "true"}])
    assert found[1].startswith(f"expression '{ERROR}' resulted in error: ")


def test_variables_see_earlier_ones_and_are_lazy() -> None:
    variables = [
        {"name": "broken", "expression": ERROR},
        {"name": "names", "expression": "object.spec.containers.map(c, c.name)"},
        {"name": "first", "expression": "variables.names[0]"},
    ]
    assert (
        rulings(variables=variables, validations=[{"expression": "variables.first == 'c'"}]) == []
    )
    (found,) = rulings(variables=variables, validations=[{"expression": "variables.broken"}])
    assert 'composited variable "broken" fails to evaluate' in found[1]


def test_a_later_or_unknown_variable_does_not_compile() -> None:
    later = [
        {"name": "a", "expression": "variables.b"},
        {"name": "b", "expression": "1"},
    ]
    for spec in ({"variables": later}, {"validations": [{"expression": "variables.c == 1"}]}):
        found = rulings(**spec)
        assert [action for action, _ in found] == ["unassessed"]
        assert "undeclared reference" in found[0][1]


@pytest.mark.parametrize(
    ("validation", "message"),
    [
        ({}, "failed expression: false"),
        ({"message": " said "}, "said"),
        ({"messageExpression": "'made of ' + object.metadata.name"}, "made of web"),
        ({"message": "said", "messageExpression": "object.nothing"}, "said"),
        ({"message": "said", "messageExpression": "'  '"}, "said"),
        ({"message": "said", "messageExpression": "'two\\nlines'"}, "said"),
        ({"message": "said", "messageExpression": "dyn(5)"}, "said"),
        ({"message": "said", "messageExpression": "' trimmed\\n'"}, "trimmed"),
        ({"message": "said", "messageExpression": "'ab'.replace('ab', object.long)"}, "said"),
    ],
)
def test_messages(validation: dict[str, str], message: str) -> None:
    raw = {**pod(), "long": "x" * 5121}
    policy = vap(validations=[{"expression": "false", **validation}])
    (found,) = asked([policy, binding()], raw).rulings
    assert found.message == message


def test_a_message_may_not_ask_the_authorizer() -> None:
    text = "string(authorizer.path('/x').check('get').allowed())"
    found = rulings(validations=[{"expression": "false", "messageExpression": text}])
    assert [action for action, _ in found] == ["unassessed"]


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (None, 422),
        ("Invalid", 422),
        ("Forbidden", 403),
        ("Unauthorized", 401),
        ("RequestEntityTooLarge", 413),
    ],
)
def test_reasons_have_codes(reason: str | None, code: int) -> None:
    validation = {"expression": "false"} | ({"reason": reason} if reason else {})
    (found,) = asked([vap(validations=[validation]), binding()]).rulings
    assert (found.reason, found.code) == (reason or "Invalid", code)


def test_actions_decide_what_a_denial_does_also_one_from_an_error() -> None:
    for expression in ("false", ERROR):
        found = rulings(validations=[{"expression": expression}], actions=["Warn", "Audit"])
        assert [action for action, _ in found] == ["warn", "audit"]


def test_the_sentences_are_the_servers() -> None:
    policy = vap("limit", validations=[{"expression": "false", "message": "no"}])
    found = asked([policy, binding("limit", "prod")]).rulings
    expected = "ValidatingAdmissionPolicy 'limit' with binding 'prod' denied request: no"
    assert worded(found[0]) == expected
    found = asked([policy, binding("limit", "prod", validationActions=["Warn"])]).rulings
    expected = "Validation failed for ValidatingAdmissionPolicy 'limit' with binding 'prod': no"
    assert worded(found[0]) == expected


@pytest.mark.parametrize(
    ("expression", "failure", "annotation", "denied"),
    [
        ("'v'", "Fail", "v", []),
        ("' v '", "Fail", "v", []),
        ("''", "Fail", None, []),
        ("null", "Fail", None, []),
        (ERROR, "Fail", None, ["deny"]),
        (ERROR, "Ignore", None, []),
        ("'x'.replace('x', object.long)", "Fail", "y" * 10240, []),
    ],
)
def test_audit_annotations(
    expression: str, failure: str, annotation: str | None, denied: list[str]
) -> None:
    policy = vap(
        auditAnnotations=[{"key": "k", "valueExpression": expression}], failurePolicy=failure
    )
    found = asked([policy, binding(validationActions=["Audit"])], {**pod(), "long": "y" * 10300})
    assert found.annotations == ({} if annotation is None else {"p/k": annotation})
    assert actions(found.rulings) == denied


def test_distinct_annotations_of_several_bindings_are_joined() -> None:
    text = "has(params.data) ? params.data.v : ''"
    policy = vap(
        paramKind={"apiVersion": "v1", "kind": "ConfigMap"},
        auditAnnotations=[{"key": "k", "valueExpression": text}],
    )
    maps = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": "shop"},
            "data": {"v": value},
        }
        for name, value in (("a", "1"), ("b", "2"), ("c", "1"))
    ]
    bindings = [binding(name=n, paramRef={"name": n}) for n in ("a", "b", "c")]
    assert asked([policy, *bindings], world=world_of(*maps)).annotations == {"p/k": "1, 2"}


def test_failures_of_auditing_bindings_are_annotated_as_json() -> None:
    validations = [{"expression": "true"}, {"expression": "false", "message": "no"}]
    policies = [vap(validations=validations), binding(validationActions=["Warn", "Audit"])]
    (text,) = asked(policies).annotations.items()
    assert text[0] == "validation.policy.admission.k8s.io/validation_failure"
    assert json.loads(text[1]) == [
        {
            "message": "no",
            "policy": "p",
            "binding": "b",
            "expressionIndex": 1,
            "validationActions": ["Warn", "Audit"],
        }
    ]
    assert asked([policies[0], binding()]).annotations == {}


def test_an_annotation_of_another_type_denies_also_under_ignore() -> None:
    policy = vap(
        auditAnnotations=[{"key": "k", "valueExpression": "dyn(5)"}], failurePolicy="Ignore"
    )
    found = asked([policy, binding(validationActions=["Audit"])])
    assert actions(found.rulings) == ["deny"]


def test_one_program_may_cost_no_more_than_its_limit() -> None:
    triple = COSTLY.replace("a + b >= 0", "variables.many.all(c, a + b + c >= 0)")
    found = rulings(variables=[MANY], validations=[{"expression": triple, "message": "m"}])
    assert [action for action, _ in found] == ["deny"]
    assert "cost" in found[0][1]
    found = rulings(variables=[MANY], validations=[{"expression": triple}], failurePolicy="Ignore")
    assert found == []


def test_a_policy_that_runs_out_of_its_budget_is_one_decision() -> None:
    dear = {"expression": COSTLY.replace("a + b", "a + b + 0"), "message": "m"}
    validations = [dear] * 300
    assert rulings(variables=[MANY], validations=validations[:3]) == []
    found = rulings(variables=[MANY], validations=validations)
    assert [action for action, _ in found] == ["deny"]
    assert "running out of cost budget" in found[0][1]
    assert rulings(variables=[MANY], validations=validations, failurePolicy="Ignore") == []


def test_a_message_out_of_budget_makes_every_decision_an_error() -> None:
    dear = COSTLY.replace("a + b", "a + b + 0")
    validations = [{"expression": dear}] * 120
    validations += [{"expression": "true", "messageExpression": f"string({dear})"}] * 200
    found = rulings(variables=[MANY], validations=validations)
    assert len(found) == len(validations)
    assert all(message.startswith("failed messageExpression: ") for _, message in found)


def test_the_request_and_what_is_not_in_it() -> None:
    checks = (
        "!has(request.object)",
        "request.operation == 'CREATE'",
        "request.kind == {'group': '', 'version': 'v1', 'kind': 'Pod'}",
        "request.resource.resource == 'pods'",
        "request.name == 'web' && request.namespace == 'shop'",
        "!has(request.subResource)",
        "request.userInfo.username == 'eve' && 'x' in request.userInfo.groups",
        "request.dryRun == false",
        "oldObject == null",
    )
    policy = vap(validations=[{"expression": e} for e in checks])
    user = User("eve", groups=("x",))
    assert asked([policy, binding()], user=user).rulings == ()


def test_on_delete_the_old_object_is_there() -> None:
    policy = vap(validations=[{"expression": "object == null && oldObject.kind == 'Pod'"}])
    assert asked([policy, binding()], operation="DELETE").rulings == ()


@pytest.mark.parametrize(
    ("raw", "expression"),
    [
        (pod(), "namespaceObject.metadata.labels.team == 'a'"),
        (pod(), "!has(namespaceObject.metadata.managedFields)"),
        (pod(), "!has(namespaceObject.metadata.ownerReferences)"),
        (namespace("shop"), "namespaceObject == null"),
        ({"apiVersion": "v1", "kind": "Node", "metadata": {}}, "namespaceObject == null"),
    ],
)
def test_the_namespace_object(raw: dict[str, Any], expression: str) -> None:
    space = namespace("shop", team="a")
    space["metadata"].update(managedFields=[{}], ownerReferences=[{}])
    policy = vap(validations=[{"expression": expression}])
    assert asked([policy, binding()], raw, world_of(space)).rulings == ()


def test_an_unknown_namespace_matters_where_it_is_looked_into() -> None:
    for expression, expected in (
        ("namespaceObject.metadata.name == 'shop'", ["unassessed"]),
        ("has(namespaceObject.metadata)", ["unassessed"]),
        ("true || namespaceObject.metadata.name == 'shop'", []),
    ):
        found = asked([vap(validations=[{"expression": expression}]), binding()]).rulings
        assert actions(found) == expected


def test_the_authorizer_is_asked_and_otherwise_nothing_is_concluded() -> None:
    seen: list[tuple[str, str, str, str]] = []

    def decide(attributes: Attributes) -> Decision:
        seen.append((attributes.verb, attributes.resource, attributes.namespace, attributes.name))
        return Decision(attributes.verb == "use")

    checks = (
        "authorizer.group('').resource('secrets').namespace('shop').check('use').allowed()",
        "!authorizer.requestResource.check('patch').allowed()",
    )
    policies = [vap(validations=[{"expression": e} for e in checks]), binding()]
    assert asked(policies, world=world_of(providers={"authorizer": decide})).rulings == ()
    assert seen == [("use", "secrets", "shop", ""), ("patch", "pods", "shop", "web")]
    assert actions(asked(policies).rulings) == ["unassessed", "unassessed"]


def test_ignore_never_denies_more_than_fail() -> None:
    for expression in ("true", "false", ERROR):
        validation = [{"expression": expression}]
        hard = rulings(validations=validation, failurePolicy="Fail")
        soft = rulings(validations=validation, failurePolicy="Ignore")
        assert len(soft) <= len(hard)
