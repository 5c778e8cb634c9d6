"""Junk at any place of a policy or an object: nothing is raised."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.policies import RULE, asked, binding, config_map, namespace, pod, vap, world_of

from martello.catalogue.policy.model import User

JUNK: tuple[Any, ...] = (
    None,
    True,
    0,
    -1.5,
    "",
    "x",
    "*",
    [],
    ["x"],
    [None],
    {},
    {"x": None},
    [[{}]],
)

VAP = vap(
    matchConstraints={
        "resourceRules": [{**RULE, "resourceNames": ["web"], "scope": "*"}],
        "excludeResourceRules": [{**RULE, "resources": ["services"]}],
        "namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]},
        "objectSelector": {"matchLabels": {"app": "web"}},
        "matchPolicy": "Equivalent",
    },
    paramKind={"apiVersion": "v1", "kind": "ConfigMap"},
    matchConditions=[{"name": "c", "expression": "true"}],
    variables=[{"name": "v", "expression": "params.data.n"}],
    validations=[
        {"expression": "variables.v == '1'", "messageExpression": "'m'", "reason": "Forbidden"}
    ],
    auditAnnotations=[{"key": "k", "valueExpression": "'v'"}],
    failurePolicy="Fail",
)
BINDING = binding(
    paramRef={"name": "a", "namespace": "shop", "parameterNotFoundAction": "Deny"},
    matchResources={"namespaceSelector": {"matchLabels": {}}},
)
BLOCK = {
    "resources": {
        "kinds": ["Pod"],
        "names": ["web"],
        "namespaces": ["shop"],
        "operations": ["CREATE"],
        "annotations": {},
        "selector": {"matchLabels": {"app": "web"}},
        "namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]},
    },
    "subjects": [{"kind": "User", "name": "eve"}],
}
CLUSTER_POLICY = {
    "apiVersion": "kyverno.io/v1",
    "kind": "ClusterPolicy",
    "metadata": {
        "name": "p",
        "annotations": {"pod-policies.kyverno.io/autogen-controllers": "all"},
    },
    "spec": {
        "validationFailureAction": "Enforce",
        "rules": [
            {
                "name": "r",
                "match": {"any": [BLOCK]},
                "exclude": {"all": [{"resources": {"kinds": ["Pod"]}, "roles": ["r"]}]},
                "celPreconditions": [{"name": "c", "expression": "true"}],
                "validate": {
                    "message": "m",
                    "cel": {"expressions": [{"expression": "object.spec.hostPID == false"}]},
                },
            }
        ],
    },
}
VALIDATING = {
    "apiVersion": "policies.kyverno.io/v1",
    "kind": "ValidatingPolicy",
    "metadata": {"name": "p"},
    "spec": {
        "validationActions": ["Deny"],
        "autogen": {"podControllers": {"controllers": ["jobs"]}},
        "matchConstraints": {"resourceRules": [RULE]},
        "validations": [{"expression": "object.spec.hostPID == false"}],
    },
}
TEMPLATE = {
    "apiVersion": "templates.gatekeeper.sh/v1",
    "kind": "ConstraintTemplate",
    "metadata": {"name": "k8slimits"},
    "spec": {
        "crd": {"spec": {"names": {"kind": "K8sLimits"}}},
        "targets": [
            {
                "target": "admission.k8s.gatekeeper.sh",
                "code": [
                    {
                        "engine": "K8sNativeValidation",
                        "source": {
                            "failurePolicy": "Fail",
                            "variables": [{"name": "v", "expression": "1"}],
                            "validations": [{"expression": "variables.v == 2", "message": "m"}],
                        },
                    }
                ],
            }
        ],
    },
}
CONSTRAINT = {
    "apiVersion": "constraints.gatekeeper.sh/v1beta1",
    "kind": "K8sLimits",
    "metadata": {"name": "limits"},
    "spec": {
        "enforcementAction": "deny",
        "parameters": {"a": 1},
        "match": {
            "kinds": [{"apiGroups": [""], "kinds": ["Pod"]}],
            "scope": "Namespaced",
            "namespaces": ["shop"],
            "excludedNamespaces": ["x"],
            "labelSelector": {"matchLabels": {"app": "web"}},
            "namespaceSelector": {"matchLabels": {"team": "a"}},
        },
    },
}
ALL: tuple[dict[str, Any], ...] = (
    VAP,
    BINDING,
    CLUSTER_POLICY,
    VALIDATING,
    TEMPLATE,
    CONSTRAINT,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place below the top."""
    if path:
        yield path
    if isinstance(value, dict | list):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        for key, element in inner:
            yield from places(element, (*path, key))


def changed(raw: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    raw = copy.deepcopy(raw)
    inner: Any = raw
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    return raw


@pytest.mark.parametrize("index", range(len(ALL)))
def test_junk_in_a_policy_is_read_or_reported(index: int) -> None:
    world = world_of(namespace("shop", team="a"), config_map("a", n="2"))
    raw = ALL[index]
    for path in places(raw):
        if path[0] in ("apiVersion", "kind", "metadata"):
            continue
        for junk in JUNK:
            policies = [*ALL[:index], changed(raw, path, junk), *ALL[index + 1 :]]
            asked(policies, world=world, user=User("eve", roles=(), cluster_roles=()))


def test_junk_in_an_object_is_judged_or_not_assessed() -> None:
    world = world_of(namespace("shop", team="a"), config_map("a", n="2"))
    raw = pod(hostPID=True)
    raw["metadata"]["annotations"] = {"a": "b"}
    user = User("eve", roles=(), cluster_roles=())
    for path in places(raw):
        if path[0] in ("apiVersion", "kind") or path[-1] in ("name", "namespace", "metadata"):
            continue
        for junk in JUNK:
            asked(ALL, changed(raw, path, junk), world, user=user)


def test_adding_a_policy_never_admits_more() -> None:
    world = world_of(namespace("shop", team="a"), config_map("a", n="2"))
    together = asked(ALL, world=world, user=User("eve", roles=(), cluster_roles=())).rulings
    denials = {r.policy for r in together if r.action == "deny"}
    assert denials
    for group in ((VAP, BINDING), (CLUSTER_POLICY,), (VALIDATING,), (TEMPLATE, CONSTRAINT)):
        alone = asked(group, world=world, user=User("eve", roles=(), cluster_roles=())).rulings
        assert {r.policy for r in alone if r.action == "deny"} <= denials
