"""Custom resources, pruned and defaulted by their schema."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from tests.support.policies import resource, world_of

from martello.catalogue.policy.admitted import admitted

SPEC: dict[str, Any] = {
    "type": "object",
    "properties": {
        "size": {"type": "integer", "default": 3},
        "mode": {"type": "string", "default": "on", "nullable": True},
        "name": {"type": "string"},
        "nested": {
            "type": "object",
            "default": {},
            "properties": {"deep": {"type": "boolean", "default": False}},
        },
        "optional": {
            "type": "object",
            "properties": {"deep": {"type": "boolean", "default": True}},
        },
        "list": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"a": {"type": "string"}, "b": {"type": "string", "default": "x"}},
            },
        },
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "closed": {"type": "object"},
        "template": {
            "type": "object",
            "x-kubernetes-embedded-resource": True,
            "properties": {"spec": {"type": "object"}},
        },
    },
}
DEFINITION: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "towers.martello.test"},
    "spec": {
        "group": "martello.test",
        "scope": "Namespaced",
        "names": {"kind": "Tower", "plural": "towers"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {"type": "object", "properties": {"spec": SPEC}},
                },
            }
        ],
    },
}


def tower(spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "martello.test/v1",
        "kind": "Tower",
        "metadata": {"name": "t", "namespace": "default"},
        "spec": copy.deepcopy(spec),
        "unknown": 1,
    }


def seen(spec: dict[str, Any]) -> dict[str, Any]:
    return admitted(resource(tower(spec)), world_of(DEFINITION))


def test_defaults_and_pruning() -> None:
    always = {"size": 3, "mode": "on", "nested": {"deep": False}}
    assert seen({})["spec"] == always
    assert "unknown" not in seen({})
    assert seen({"size": None, "mode": None})["spec"] == {**always, "mode": None}
    assert seen({"list": [{"a": "1", "c": 2}, {}]})["spec"]["list"] == [
        {"a": "1", "b": "x"},
        {"b": "x"},
    ]
    assert seen({"closed": {"gone": 1}})["spec"]["closed"] == {}


def test_without_its_definition_it_stays() -> None:
    raw = tower({"unknown": 1})
    assert admitted(resource(raw), world_of()) is raw


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"size": 5, "unknown": 1, "name": ""}, {"size": 5, "name": ""}),
        ({"nested": {"other": 1}, "optional": {}}, {"optional": {"deep": True}}),
        ({"labels": {"k": "v"}}, {"labels": {"k": "v"}}),
        ({"free": {"any": [1, {"b": None}]}}, {"free": {"any": [1, {"b": None}]}}),
        ({"name": ["wrong", "type"]}, {"name": ["wrong", "type"]}),
        (
            {"template": {"kind": "Pod", "metadata": {"name": "p"}, "spec": {"x": 1}, "y": 1}},
            {"template": {"kind": "Pod", "metadata": {"name": "p"}, "spec": {}}},
        ),
    ],
)
def test_each_kind_of_field(spec: dict[str, Any], expected: dict[str, Any]) -> None:
    always = {"size": 3, "mode": "on", "nested": {"deep": False}}
    assert seen(spec)["spec"] == {**always, **expected}
