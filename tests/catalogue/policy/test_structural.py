"""Custom resources, pruned and defaulted by their schema."""

from __future__ import annotations

import copy
import time
from typing import Any

import pytest
from tests.support.apiserver import ApiServer
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
SPECS: list[dict[str, Any]] = [
    {},
    {"size": 5, "unknown": 1, "name": ""},
    {"size": None, "mode": None},
    {"nested": {"other": 1}, "optional": {}},
    {"list": [{"a": "1", "c": 2}, {}], "labels": {"k": "v"}},
    {"free": {"any": [1, {"b": None}]}, "closed": {"gone": 1}},
    {
        "template": {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "p"},
            "spec": {"gone": 1},
            "gone": 1,
        }
    },
]


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
    assert seen(SPECS[2])["spec"] == {**always, "mode": None}
    assert seen(SPECS[4])["spec"]["list"] == [{"a": "1", "b": "x"}, {"b": "x"}]
    assert seen(SPECS[5])["spec"]["closed"] == {}


def test_without_its_definition_it_stays() -> None:
    raw = tower({"unknown": 1})
    assert admitted(resource(raw), world_of()) is raw


@pytest.mark.apiserver
def test_the_real_server_agrees(apiserver: ApiServer) -> None:
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    apiserver.request("POST", path, DEFINITION)
    objects = "/apis/martello.test/v1/namespaces/default/towers"
    for _ in range(40):
        groups = apiserver.request("GET", "/apis")["groups"]
        if any(group["name"] == "martello.test" for group in groups):
            break
        time.sleep(0.1)
    try:
        for spec in SPECS:
            answer = apiserver.request("POST", f"{objects}?dryRun=All", tower(spec))
            assert seen(spec)["spec"] == answer["spec"], spec
    finally:
        apiserver.request("DELETE", f"{path}/towers.martello.test")
