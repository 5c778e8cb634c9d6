"""Scopes of quotas: whom they are about, and which quotas the server refuses."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.resources.admitting import ask, pod, quota, says, thing


@pytest.mark.parametrize(
    ("spec", "given", "inside"),
    [
        ({"scopes": ["Terminating"]}, {"activeDeadlineSeconds": 5}, True),
        ({"scopes": ["Terminating"]}, {}, False),
        ({"scopes": ["NotTerminating"]}, {}, True),
        ({"scopes": ["BestEffort"]}, {}, True),
        ({"scopes": ["NotBestEffort"]}, {}, False),
        ({"scopes": ["BestEffort", "Terminating"]}, {}, False),
        ({"scopes": ["BestEffort", "NotTerminating"]}, {}, True),
        (
            {"scopes": ["CrossNamespacePodAffinity"]},
            {
                "affinity": {
                    "podAffinity": {
                        "preferredDuringSchedulingIgnoredDuringExecution": [
                            {"podAffinityTerm": {"namespaces": ["a"]}}
                        ]
                    }
                }
            },
            True,
        ),
        ({"scopes": ["CrossNamespacePodAffinity"]}, {"affinity": {"podAffinity": {}}}, False),
    ],
)
def test_scopes(spec: Any, given: Any, inside: bool) -> None:
    found = ask(pod({}, **given), quota(hard={"pods": "0"}, **spec))
    assert (found.code == 403) is inside


@pytest.mark.parametrize(
    ("operator", "values", "name", "inside"),
    [
        ("In", ["high"], "high", True),
        ("In", ["high"], "low", False),
        ("In", ["high"], "", False),
        ("NotIn", ["high"], "", True),
        ("NotIn", ["high"], "high", False),
        ("Exists", None, "high", True),
        ("Exists", None, "", False),
        ("DoesNotExist", None, "", True),
    ],
)
def test_priority_scopes(operator: str, values: Any, name: str, inside: bool) -> None:
    expression = {"scopeName": "PriorityClass", "operator": operator, "values": values}
    held = quota(hard={"pods": "0"}, scopeSelector={"matchExpressions": [expression]})
    assert (ask(pod({}, priorityClassName=name), held).code == 403) is inside


@pytest.mark.parametrize(("minor", "refused"), [(33, False), (34, True)])
def test_claims_by_the_class_of_their_attributes(minor: int, refused: bool) -> None:
    expression = {"scopeName": "VolumeAttributesClass", "operator": "In", "values": ["gold"]}
    spec: dict[str, Any] = {"scopeSelector": {"matchExpressions": [expression]}}
    bound = quota(hard={"persistentvolumeclaims": "0"}, **spec)
    assert (ask(bound, kubernetes=minor).code == 201) is refused  # older ones do not know it
    claim = thing(
        "PersistentVolumeClaim",
        "c",
        {"resources": {"requests": {"storage": "1"}}, "volumeAttributesClassName": "gold"},
    )
    assert ask(claim, bound, kubernetes=34).code == 403


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"hard": {"pods": "1"}, "scopes": ["BestEffort", "NotBestEffort"]}, "conflicting scopes"),
        (
            {"hard": {"pods": "1"}, "scopes": ["Terminating", "NotTerminating"]},
            "conflicting scopes",
        ),
        ({"hard": {"cpu": "1"}, "scopes": ["BestEffort"]}, "unsupported scope applied to resource"),
        ({"hard": {"services": "1"}, "scopes": ["Terminating"]}, "unsupported scope applied"),
        ({"hard": {"pods": "1"}, "scopes": ["Mine"]}, "unsupported scope"),
        ({"hard": {"gpu": "1"}}, "must be a standard resource"),
        ({"hard": {"pods": "1.5"}}, "must be an integer"),
        ({"hard": {"pods": "-1"}}, "must be greater than or equal to 0"),
        (
            {
                "hard": {"pods": "1"},
                "scopeSelector": {
                    "matchExpressions": [
                        {"scopeName": "BestEffort", "operator": "In", "values": ["a"]}
                    ]
                },
            },
            "must be 'Exists' when scope is any of",
        ),
        (
            {
                "hard": {"pods": "1"},
                "scopeSelector": {
                    "matchExpressions": [{"scopeName": "PriorityClass", "operator": "In"}]
                },
            },
            "must be at least one value",
        ),
    ],
)
def test_illegal_quotas(spec: Any, told: str) -> None:
    found = ask(quota(**spec))
    assert found.code == 422
    assert any(told in words for words in says(found))
