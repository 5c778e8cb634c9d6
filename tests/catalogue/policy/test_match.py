"""Which requests a ValidatingAdmissionPolicy and its binding are about."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.support.policies import (
    RULE,
    actions,
    asked,
    binding,
    namespace,
    pod,
    resource,
    said,
    vap,
    world_of,
)

from martello.catalogue.policy.admitted import request_for

FALSE = [{"expression": "false"}]
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"template": {"spec": {"containers": []}}},
}
NODE = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}
SPACE = namespace("shop", team="a")


def hit(constraints: dict[str, Any], raw: dict[str, Any], subresource: str = "") -> bool:
    """Whether a policy with these constraints, which always denies, denies the object."""
    world = world_of(SPACE)
    request = request_for(resource(raw), world, as_written=True)
    request = msgspec.structs.replace(request, subresource=subresource)
    policies = [vap(validations=FALSE, matchConstraints=constraints), binding()]
    found = actions(said(policies, request, world).rulings)
    assert found in ([], ["deny"])
    return found == ["deny"]


def rule(**changes: Any) -> dict[str, Any]:
    return {"resourceRules": [{**RULE, **changes}]}


@pytest.mark.parametrize(
    ("resources", "subresource", "expected"),
    [
        (["pods"], "", True),
        (["pods"], "exec", False),
        (["pods/exec"], "exec", True),
        (["pods/exec"], "", False),
        (["*"], "", True),
        (["*"], "exec", False),
        (["*/*"], "", True),
        (["*/*"], "exec", True),
        (["pods/*"], "", True),
        (["pods/*"], "exec", True),
        (["*/exec"], "exec", True),
        (["*/scale"], "exec", False),
        (["services"], "", False),
        (["services", "pods"], "", True),
        (["pod"], "", False),
    ],
)
def test_resources(resources: list[str], subresource: str, expected: bool) -> None:
    assert hit(rule(resources=resources), pod(), subresource) == expected


@pytest.mark.parametrize(
    ("changes", "raw", "expected"),
    [
        ({"operations": ["CREATE"]}, pod(), True),
        ({"operations": ["UPDATE", "DELETE"]}, pod(), False),
        ({"apiGroups": [""]}, pod(), True),
        ({"apiGroups": ["apps"]}, pod(), False),
        ({"apiGroups": ["apps"]}, DEPLOYMENT, True),
        ({"apiVersions": ["v1"]}, DEPLOYMENT, True),
        ({"apiVersions": ["v1beta1"]}, pod(), False),
        ({"scope": "Namespaced"}, pod(), True),
        ({"scope": "Cluster"}, pod(), False),
        ({"scope": "Namespaced"}, NODE, False),
        ({"scope": "Cluster"}, NODE, True),
        ({"scope": "Cluster"}, SPACE, True),
        ({"scope": "Namespaced"}, SPACE, False),
        ({"resourceNames": ["web"]}, pod(), True),
        ({"resourceNames": ["other"]}, pod(), False),
    ],
)
def test_the_parts_of_a_rule(changes: dict[str, Any], raw: dict[str, Any], expected: bool) -> None:
    assert hit(rule(**changes), raw) == expected


def test_an_empty_name_matches_no_resource_name() -> None:
    raw = pod()
    raw["metadata"] = {"generateName": "web-", "namespace": "shop"}
    assert not hit(rule(resourceNames=["web-"]), raw)
    assert hit(rule(), raw)


def test_exclusions_win() -> None:
    both = {**rule(), "excludeResourceRules": [{**RULE, "resources": ["pods"]}]}
    assert not hit(both, pod())
    assert hit(both, NODE)


@pytest.mark.parametrize(
    ("policy", "expected"), [(None, True), ("Equivalent", True), ("Exact", False)]
)
def test_another_version_of_the_same_kind_is_seen_unless_exact(
    policy: str | None, expected: bool
) -> None:
    old = {**DEPLOYMENT, "apiVersion": "extensions/v1beta1"}
    constraints = rule(apiGroups=["apps"], apiVersions=["v1"], resources=["deployments"])
    if policy is not None:
        constraints["matchPolicy"] = policy
    assert hit(constraints, old) == expected


def test_an_equivalent_object_is_converted_and_the_request_tells_both() -> None:
    old = {**DEPLOYMENT, "apiVersion": "extensions/v1beta1"}
    wanted = (
        "object.apiVersion == 'apps/v1' && request.kind.group == 'apps' && "
        "request.requestKind.group == 'extensions' && request.requestResource.version == 'v1beta1'"
    )
    constraints = rule(apiGroups=["apps"], apiVersions=["v1"], resources=["deployments"])
    policies = [
        vap(validations=[{"expression": wanted}], matchConstraints=constraints),
        binding(),
    ]
    assert asked(policies, old).rulings == ()


def test_a_kind_that_the_server_would_reshape_is_not_assessed() -> None:
    old = {
        "apiVersion": "networking.k8s.io/v1beta1",
        "kind": "Ingress",
        "metadata": {"name": "i", "namespace": "shop"},
    }
    constraints = rule(apiGroups=["networking.k8s.io"], apiVersions=["v1"], resources=["ingresses"])
    policies = [vap(validations=FALSE, matchConstraints=constraints), binding()]
    assert actions(asked(policies, old).rulings) == ["unassessed"]


@pytest.mark.parametrize(
    ("selector", "raw", "expected"),
    [
        ({"matchLabels": {"team": "a"}}, pod(), True),
        ({"matchLabels": {"team": "b"}}, pod(), False),
        ({"matchLabels": {"kubernetes.io/metadata.name": "shop"}}, pod(), True),
        ({"matchLabels": {"team": "b"}}, NODE, True),
        ({"matchLabels": {"team": "a"}}, SPACE, True),
        ({"matchLabels": {"team": "b"}}, SPACE, False),
        ({}, pod(namespace="nowhere"), True),
        ({"matchExpressions": [{"key": "team", "operator": "Exists"}]}, pod(), True),
    ],
)
def test_namespace_selectors(selector: dict[str, Any], raw: dict[str, Any], expected: bool) -> None:
    assert hit({**rule(), "namespaceSelector": selector}, raw) == expected


def test_an_unknown_namespace_matters_only_where_the_rules_match() -> None:
    selector = {"namespaceSelector": {"matchLabels": {"team": "a"}}}
    raw = pod(namespace="nowhere")
    for constraints, expected in (
        ({**rule(), **selector}, ["unassessed"]),
        ({**rule(resources=["services"]), **selector}, []),
    ):
        policies = [vap(validations=FALSE, matchConstraints=constraints), binding()]
        found = asked(policies, raw).rulings
        assert actions(found) == expected
        assert all("nowhere" in r.message for r in found)


def test_object_selectors_look_at_both_objects() -> None:
    new, old = pod(), pod()
    old["metadata"] = {"name": "web", "namespace": "shop", "labels": {"was": "so"}}
    constraints = {**rule(), "objectSelector": {"matchLabels": {"was": "so"}}}
    policies = [vap(validations=FALSE, matchConstraints=constraints), binding()]
    assert asked(policies, new).rulings == ()
    updated = asked(policies, new, operation="UPDATE", old=old)
    assert actions(updated.rulings) == ["deny"]


def test_a_malformed_selector_is_a_configuration_error() -> None:
    selector = {"matchExpressions": [{"key": "a", "operator": "Near"}]}
    constraints = {**rule(), "objectSelector": selector}
    for failure, expected in (("Fail", ["deny"]), ("Ignore", [])):
        policies = [
            vap(validations=FALSE, matchConstraints=constraints, failurePolicy=failure),
            binding(validationActions=["Audit"]),
        ]
        assert actions(asked(policies).rulings) == expected


def test_policy_and_binding_must_both_match() -> None:
    narrow = {"resourceRules": [{**RULE, "resources": ["services"]}]}
    policy = vap(validations=FALSE)
    assert asked([policy, binding(matchResources=narrow)]).rulings == ()
    assert actions(asked([policy, binding(matchResources={})]).rulings) == ["deny"]
    wide = vap(validations=FALSE, matchConstraints=narrow)
    assert asked([wide, binding(matchResources={})]).rulings == ()


def test_a_policy_without_binding_is_inert() -> None:
    assert asked([vap(validations=FALSE)]).rulings == ()
    assert asked([vap(validations=FALSE), binding("another")]).rulings == ()


@pytest.mark.parametrize("kind", ["ValidatingAdmissionPolicy", "MutatingWebhookConfiguration"])
def test_admission_configuration_is_exempt(kind: str) -> None:
    raw = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": "x"}}
    assert asked([vap(validations=FALSE), binding()], raw).rulings == ()
