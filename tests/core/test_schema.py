"""What the API server could not read: types, texts, fields."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.apiserver import ApiServer

from martello.core.path import parse, show
from martello.core.schema import (
    MALFORMED,
    MISSING_REQUIRED,
    UNKNOWN_FIELD,
    WRONG_TYPE,
    unreadable,
    violations,
)


def pod() -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "default", "labels": {"app": "web"}},
        "spec": {
            "containers": [
                {
                    "name": "main",
                    "image": "nginx:1",
                    "ports": [{"containerPort": 80}],
                    "env": [{"name": "A", "value": "b"}],
                    "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
                    "livenessProbe": {"httpGet": {"path": "/", "port": 80}},
                }
            ]
        },
    }


def changed(path: str, value: Any) -> dict[str, Any]:
    """The pod with one value put at a path."""
    raw = pod()
    inner: Any = raw
    *parents, last = parse(path)
    for part in parents:
        inner = inner.setdefault(part, {}) if isinstance(part, str) else inner[part]
    inner[last] = value
    return raw


# (path, value, what is wrong with it; empty: nothing)
TABLE: list[tuple[str, Any, str]] = [
    ("spec.hostPID", "true", WRONG_TYPE),
    ("spec.hostPID", 1, WRONG_TYPE),
    ("spec.hostPID", None, ""),
    ("spec.hostPID", False, ""),
    ("spec.nodeName", 7, WRONG_TYPE),
    ("spec.nodeName", ["a"], WRONG_TYPE),
    ("spec.containers", {"name": "a"}, WRONG_TYPE),
    ("spec.containers[0]", "nginx", WRONG_TYPE),
    ("spec.containers[0].image", 5, WRONG_TYPE),
    ("spec.containers[0].image", True, WRONG_TYPE),
    ("spec.containers[0].command", "sh", WRONG_TYPE),
    ("spec.containers[0].command", ["sh", 1], WRONG_TYPE),
    ("spec.containers[0].env[0].value", 1, WRONG_TYPE),
    ("spec.containers[0].env[0].value", True, WRONG_TYPE),
    ("spec.containers[0].ports[0].containerPort", "80", WRONG_TYPE),
    ("spec.containers[0].ports[0].containerPort", 80.5, WRONG_TYPE),
    ("spec.containers[0].ports[0].containerPort", True, WRONG_TYPE),
    ("spec.containers[0].ports[0].containerPort", 2**31, WRONG_TYPE),
    ("spec.containers[0].resources.limits.cpu", 1, ""),
    ("spec.containers[0].resources.limits.cpu", 0.5, ""),
    ("spec.containers[0].resources.limits.cpu", "500m", ""),
    ("spec.containers[0].resources.limits.cpu", "1e3", ""),
    ("spec.containers[0].resources.limits.memory", "1GiB", MALFORMED),
    ("spec.containers[0].resources.limits.memory", "", MALFORMED),
    ("spec.containers[0].resources.limits.memory", "200K", MALFORMED),
    ("spec.containers[0].resources.limits.memory", "1 Gi", MALFORMED),
    ("spec.containers[0].resources.limits.memory", True, WRONG_TYPE),
    ("spec.containers[0].resources.limits.memory", ["1Gi"], WRONG_TYPE),
    ("spec.containers[0].resources.limits", "none", WRONG_TYPE),
    ("spec.containers[0].livenessProbe.httpGet.port", "http", ""),
    ("spec.containers[0].livenessProbe.httpGet.port", 8080, ""),
    ("spec.containers[0].livenessProbe.httpGet.port", 80.5, WRONG_TYPE),
    ("spec.containers[0].livenessProbe.httpGet.port", True, WRONG_TYPE),
    ("spec.containers[0].livenessProbe.httpGet.port", {}, WRONG_TYPE),
    ("spec.containers[0].securityContext", [], WRONG_TYPE),
    ("spec.containers[0].securityContext.privileged", "yes", WRONG_TYPE),
    ("spec.containers[0].securityContext.runAsUser", "0", WRONG_TYPE),
    ("spec.containers[0].securityContext.runAsUser", 2**63, WRONG_TYPE),
    ("spec.containers[0].securityContext.capabilities.drop", "ALL", WRONG_TYPE),
    ("spec.securityContext.sysctls", {"a": "b"}, WRONG_TYPE),
    ("spec.volumes", [{"name": "a", "emptyDir": {"sizeLimit": "1Gi"}}], ""),
    ("spec.volumes", [{"name": "a", "emptyDir": {"sizeLimit": "big"}}], MALFORMED),
    ("spec.volumes", [{"name": "a", "emptyDir": []}], WRONG_TYPE),
    ("spec.nodeSelector", {"a": "b"}, ""),
    ("spec.nodeSelector", {"a": True}, WRONG_TYPE),
    ("spec.terminationGracePeriodSeconds", "30", WRONG_TYPE),
    ("spec.activeDeadlineSeconds", 9.5, WRONG_TYPE),
    ("metadata.labels", {"app": 1}, WRONG_TYPE),
    ("metadata.labels", ["app"], WRONG_TYPE),
    ("metadata.annotations", {"a": None}, ""),
    ("metadata.creationTimestamp", None, ""),
    ("metadata.creationTimestamp", "2026-01-02T03:04:05Z", ""),
    ("metadata.creationTimestamp", "2026-01-02T03:04:05.123456+02:00", ""),
    ("metadata.creationTimestamp", "2026-01-02", MALFORMED),
    ("metadata.creationTimestamp", "", MALFORMED),
    ("metadata.creationTimestamp", 5, WRONG_TYPE),
    ("metadata.name", 5, WRONG_TYPE),
    ("spec", "x", WRONG_TYPE),
    ("spec", [], WRONG_TYPE),
    ("metadata.ownerReferences", {}, WRONG_TYPE),
]


@pytest.mark.parametrize(("path", "value", "kind"), TABLE)
def test_a_value_is_read_as_the_server_reads_it(path: str, value: Any, kind: str) -> None:
    found = list(unreadable(changed(path, value)))
    if not kind:
        assert found == []
        return
    assert [v.kind for v in found] == [kind]
    assert show(found[0].path).startswith(path)


@pytest.mark.apiserver
def test_the_real_server_agrees(apiserver: ApiServer) -> None:
    for path, value, kind in TABLE:
        if path.startswith("spec") and value in ("x", []) and path == "spec":
            continue
        body = changed(path, value)
        where = "/api/v1/namespaces/default/pods?dryRun=All"
        answer = apiserver.request("POST", where, body, check=False)
        message = answer.get("message", "")
        refused = answer.get("code") == 400 or "unmarshal" in message or "cannot parse" in message
        assert refused == bool(kind), (path, value, message)


def test_a_good_pod_has_nothing_wrong() -> None:
    assert list(violations(pod())) == []


def test_unknown_fields_are_named_with_the_one_that_was_meant() -> None:
    found = list(violations(changed("spec.containers[0].ImagePullPolicy", "Always")))
    assert [(v.kind, v.expected) for v in found] == [(UNKNOWN_FIELD, "imagePullPolicy")]
    found = list(violations(changed("spec.replicas", 3)))
    assert [(v.kind, v.expected) for v in found] == [(UNKNOWN_FIELD, "")]


def test_an_unknown_field_is_not_unreadable() -> None:
    assert list(unreadable(changed("spec.replicas", 3))) == []


def test_missing_required_fields_are_named() -> None:
    raw = pod()
    del raw["spec"]["containers"][0]["name"]
    found = list(violations(raw))
    assert [(show(v.path), v.kind) for v in found] == [
        ("spec.containers[0].name", MISSING_REQUIRED)
    ]


def test_secret_data_are_base64() -> None:
    raw = {"apiVersion": "v1", "kind": "Secret", "data": {"a": "cGFzcw==", "b": "not base64"}}
    found = list(violations(raw))
    assert [(v.path, v.kind) for v in found] == [(("data", "b"), MALFORMED)]
    assert "not base64" not in repr(found)
    raw = {"apiVersion": "v1", "kind": "Secret", "data": {"a": "cGFz\ncw==\n"}}
    assert list(violations(raw)) == []


def test_bytes_may_be_written_as_a_list_of_numbers() -> None:
    raw = {"apiVersion": "v1", "kind": "Secret", "data": {"a": [1, 255], "b": []}}
    assert list(violations(raw)) == []
    raw = {"apiVersion": "v1", "kind": "Secret", "data": {"a": [256], "b": ["x"]}}
    assert [v.kind for v in violations(raw)] == [WRONG_TYPE, WRONG_TYPE]


@pytest.mark.parametrize(
    "raw",
    [
        {"apiVersion": "example.com/v1", "kind": "Pod", "spec": 5},
        {"apiVersion": "v1", "kind": "Unheard", "spec": 5},
        {"apiVersion": 1, "kind": "Pod"},
        {},
    ],
)
def test_other_kinds_are_not_judged(raw: dict[str, Any]) -> None:
    assert list(violations(raw)) == []


def test_free_form_parts_take_anything() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"default": [1, {"b": None}], "enum": [1, "x"]}},
    }
    raw = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "spec": {
            "group": "example.com",
            "names": {"kind": "A", "plural": "as"},
            "scope": "Namespaced",
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }
    assert list(violations(raw)) == []


def test_nesting_without_end_is_said_not_followed() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(5000):
        schema = {"not": schema}
    raw = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "spec": {"validation": {}, "versions": [{"schema": {"openAPIV3Schema": schema}}]},
    }
    assert WRONG_TYPE in {v.kind for v in violations(raw)}


def test_every_old_kind_that_moved_is_still_known() -> None:
    raw = json.loads(json.dumps(pod()))
    deployment = {
        "apiVersion": "extensions/v1beta1",
        "kind": "Deployment",
        "metadata": {"name": "old"},
        "spec": {"replicas": "3", "template": {"metadata": {}, "spec": raw["spec"]}},
    }
    assert [show(v.path) for v in violations(deployment)] == ["spec.replicas"]
