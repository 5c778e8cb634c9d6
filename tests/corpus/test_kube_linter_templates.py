"""What says the same here as a check of kube-linter, of its own name or made from a template."""

from __future__ import annotations

from typing import Any

import pytest
from tests.corpus.kube_linter_templates import equal_of, in_scope

from martello.catalogue.aliases import Names
from martello.catalogue.load import load

CHECKS = {check.id: check for check in load()}
NAMES = Names(CHECKS.values())


def definition(name: str, template: str = "", *kinds: str, **params: object) -> dict[str, Any]:
    scope = {"objectKinds": list(kinds)}
    return {"name": name, "template": template, "params": params, "scope": scope}


def test_a_check_of_another_name_has_the_equal_of_its_template() -> None:
    equal = equal_of(definition("ours-is-three", "minimum-replicas", minReplicas=5), NAMES)
    assert equal is not None
    assert equal.ids == {"RES-017"}
    assert equal.params_for(CHECKS["RES-017"]) == {"minReplicas": 5}


@pytest.mark.parametrize(
    ("template", "params"),
    [
        ("ports", {"port": 23, "protocol": "TCP"}),
        ("latest-tag", {"AllowList": ["^registry.example.com/"]}),
        ("host-mounts", {"dirs": ["^/data$"]}),
        ("memory-requirements", {"requirementsType": "limit", "upperBoundMB": 512}),
        ("update-configuration", {"strategyTypeRegex": "^Recreate$"}),
        ("sorted-keys", {"recursive": True}),
    ],
)
def test_what_ours_cannot_be_told_has_no_equal(template: str, params: dict[str, object]) -> None:
    assert equal_of(definition("a-check", template, **params), NAMES) is None


@pytest.mark.parametrize(
    ("template", "required", "ids"),
    [
        ("cpu-requirements", "request", {"RES-005"}),
        ("cpu-requirements", "limit", {"RES-003"}),
        ("memory-requirements", "limit", {"RES-001"}),
        ("memory-requirements", "any", {"RES-001", "RES-002"}),
    ],
)
def test_requests_and_limits_are_told_apart(template: str, required: str, ids: set[str]) -> None:
    name = f"unset-{template}"
    equal = equal_of(definition(name, template, requirementsType=required), NAMES)
    assert equal is not None
    assert equal.ids == ids


def test_parameters_take_the_form_that_ours_have() -> None:
    label = equal_of(definition("required-label-owner", "required-label", key="owner"), NAMES)
    assert label is not None
    assert label.params_for(CHECKS["POD-053"]) == {"keys": ["owner"], "value": ".*"}
    template = "priority-class-name"
    priority = equal_of(definition(template, template, acceptedPriorityClassNames=["low"]), NAMES)
    assert priority is not None
    assert priority.params_for(CHECKS["RES-014"]) == {"accepted": ["low", ""]}


def test_the_scope_of_the_definition_counts() -> None:
    assert in_scope("DeploymentConfig.apps.openshift.io", ("DeploymentLike",))
    assert in_scope("CronJob.batch", ("JobLike",))
    assert in_scope("RoleBinding.rbac.authorization.k8s.io", ("ClusterRoleBinding", "RoleBinding"))
    assert in_scope("Widget.example.com", ("Any",))
    assert not in_scope("Ingress.networking.k8s.io", ("DeploymentLike", "Service"))
    assert not in_scope("Role.rbac.authorization.k8s.io", ("ClusterRoleBinding", "RoleBinding"))
