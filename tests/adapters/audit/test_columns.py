"""One audit event as columns: names, bodies, times, ids, redaction."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.monitor.hostile import benign

from martello.adapters.audit.columns import Origin, read
from martello.adapters.audit.event import NotAnEvent
from martello.core.event import COLUMNS

SEEN = 1_800_000_000_000_000_000
ORIGIN = Origin(b"key", "prod", "log", SEEN)


def columns(event: Any, origin: Origin = ORIGIN) -> dict[str, Any]:
    """The columns of one event."""
    (found,) = read(json.dumps(event).encode(), origin)
    assert isinstance(found, dict), found
    assert all("audit" in COLUMNS[name].kinds for name in found)
    return found


def created(resource: str, body: Any, group: str = "", **more: Any) -> dict[str, Any]:
    """The columns of a request to create an object."""
    about = {"resource": resource, "namespace": "a", "apiGroup": group}
    return columns(benign(1) | {"verb": "create", "objectRef": about, "requestObject": body} | more)


POD: dict[str, Any] = {
    "hostNetwork": True,
    "serviceAccountName": "bot",
    "securityContext": {"runAsUser": 1000},
    "volumes": [{"name": "r", "hostPath": {"path": "/"}}, {"name": "e", "emptyDir": {}}],
    "initContainers": [{"name": "i", "image": "init:1", "command": ["sh", "-c"], "args": ["x"]}],
    "containers": [
        {"name": "m", "image": "app:1", "securityContext": {"privileged": True, "runAsUser": 0}},
        {"name": "n", "securityContext": {"capabilities": {"add": ["SYS_ADMIN", "NET_RAW"]}}},
    ],
}
SPEC = {
    "spec_container": ["m", "n", "i"],
    "spec_container_kind": ["main", "main", "init"],
    "spec_image": ["app:1", None, "init:1"],
    "spec_command": [None, None, "sh -c x"],
    "spec_privileged": [True, None, None],
    "spec_caps_add": [None, "SYS_ADMIN,NET_RAW", None],
    "spec_uid": [0, 1000, 1000],
    "spec_host_path": ["/"],
    "spec_host_network": True,
    "spec_sa": "bot",
}


def test_e1_ids_tell_events_and_stages_apart_and_nothing_else() -> None:
    event = benign(1)
    one = columns(event)["id"]
    assert columns(event, Origin(b"other key", "prod", "webhook", 1))["id"] == one
    others = [
        columns(event | {"stage": "ResponseStarted"})["id"],
        columns(event | {"auditID": "id-2"})["id"],
        columns(event, Origin(b"key", "test"))["id"],
        columns(event | {"auditID": ""})["id"],
        columns(event | {"auditID": "", "verb": "list"})["id"],
    ]
    assert len({one, *others}) == 6


@pytest.mark.parametrize(
    ("resource", "group", "body"),
    [
        ("pods", "", {"spec": POD}),
        ("deployments", "apps", {"spec": {"template": {"spec": POD}}}),
        ("cronjobs", "batch", {"spec": {"jobTemplate": {"spec": {"template": {"spec": POD}}}}}),
        ("podtemplates", "", {"template": {"spec": POD}}),
        ("rollouts", "argoproj.io", {"spec": {"template": {"spec": POD}}}),
        ("clusters", "ray.io", {"spec": {"groups": [{"template": {"spec": POD}}]}}),
    ],
)
def test_a_pod_in_any_template_fills_aligned_lists(resource: str, group: str, body: Any) -> None:
    found = created(resource, body, group)
    assert {name: found.get(name) for name in SPEC} == SPEC


def test_a_body_of_another_kind_fills_nothing() -> None:
    found = created("configmaps", {"spec": POD})
    assert not [name for name in found if name.startswith("spec_")]


def test_of_a_json_patch_the_answer_counts() -> None:
    patch = [{"op": "add", "path": "/spec/hostNetwork", "value": True}]
    found = created("pods", patch, verb="patch", responseObject={"spec": POD})
    assert found["spec_sa"] == "bot"
    assert not [n for n in created("pods", patch, verb="patch") if n.startswith("spec_")]


def test_rbac_services_and_webhooks() -> None:
    binding = {
        "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [
            {"kind": "ServiceAccount", "namespace": "ci", "name": "bot"},
            {"kind": "Group", "name": "system:authenticated"},
        ],
    }
    found = created("clusterrolebindings", binding, "rbac.authorization.k8s.io")
    assert found["rbac_role"] == "cluster-admin"
    assert found["rbac_subjects"] == ["system:serviceaccount:ci:bot", "system:authenticated"]
    rules = {"rules": [{"verbs": ["*"], "resources": ["pods"]}, {"verbs": ["get", "*"]}, 7]}
    found = created("roles", rules, "rbac.authorization.k8s.io")
    assert (found["rbac_verbs"], found["rbac_resources"]) == (["*", "get"], ["pods"])
    assert created("services", {"spec": {"type": "NodePort"}})["svc_type"] == "NodePort"
    hooks = {"webhooks": [{"clientConfig": {"url": "https://x/"}}, {"clientConfig": {}}]}
    group = "admissionregistration.k8s.io"
    found = created("validatingwebhookconfigurations", hooks, group)
    assert found["webhook_urls"] == ["https://x/"]


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({"responseObject": {"metadata": {"name": "web-abc"}}}, "web-abc"),
        ({"requestObject": {"metadata": {"name": "web"}}}, "web"),
        ({"requestObject": {"metadata": {"generateName": "web-"}}}, "web-*"),
        ({}, None),
    ],
)
def test_the_name_of_an_object_that_the_request_does_not_name(more: Any, name: Any) -> None:
    about = {"resource": "pods", "namespace": "a"}
    found = columns(benign(1) | {"objectRef": about} | more)
    assert "k8s_name" not in found
    assert found.get("k8s_obj_name") == name


def test_a_session_in_a_container() -> None:
    about = {"resource": "pods", "namespace": "a", "name": "p", "subresource": "exec"}
    uri = "/api/v1/namespaces/a/pods/p/exec?command=sh&container=main&stdin=true"
    found = columns(benign(1) | {"objectRef": about, "requestURI": uri})
    assert (found["pod_name"], found["container_name"]) == ("p", "main")
    assert found["actor_pod"] == "web-1"


@pytest.mark.parametrize(
    ("staged", "received", "time", "flagged"),
    [
        ("2026-11-01T10:00:00.000000001Z", None, 1_793_527_200_000_000_001, False),
        (None, "2026-11-01T10:00:00Z", 1_793_527_200_000_000_000, False),
        (None, None, SEEN, True),
        ("soon", "2026-11-01T10:00:00Z", SEEN, True),
        ("1999-01-01T00:00:00Z", None, SEEN, True),
        ("2999-01-01T00:00:00Z", None, SEEN, True),
    ],
)
def test_times(staged: Any, received: Any, time: int, flagged: bool) -> None:
    event = benign(1) | {"stageTimestamp": staged, "requestReceivedTimestamp": received}
    found = columns(event)
    assert (found["time"], found["seen"]) == (time, SEEN)
    assert ("clock" in found.get("flags", ())) == flagged


def test_e2_raw_is_the_very_text_but_for_secrets() -> None:
    text = json.dumps(benign(1), indent=1)
    (found,) = read(text.encode(), ORIGIN)
    assert isinstance(found, dict)
    assert found["raw"] == text
    secret = {"kind": "Secret", "data": {"password": "aHVudGVyMg=="}}
    found = created("secrets", secret)
    assert "aHVudGVyMg" not in json.dumps(found)
    assert "hmac:" in found["raw"]
    found = columns(benign(1) | {"requestURI": "/x?token=hunter2"})
    assert "hunter2" not in json.dumps(found)


def test_a_secret_below_the_first_of_equal_keys_is_not_kept() -> None:
    text = (
        b'{"verb":"create","objectRef":{"resource":"secrets"},"requestObject":{"data":{"a":"s3"}}'
    )
    (found,) = read(text + b',"requestObject":{}}', ORIGIN)
    assert isinstance(found, dict)
    assert "s3" not in found["raw"]
    assert "duplicate_key" in found["flags"]


@pytest.mark.parametrize(
    ("text", "flag"),
    [
        (b'{"verb":"get","user":{"username":"\xff"}}', "bad_utf8"),
        (b'{"verb":"get","user":{"username":"\\ud800x"}}', "bad_utf8"),
        (b'{"verb":"get","user":{"username":"a"},"x":NaN}', "partial"),
        (b'{"verb":"get","user":{"username":"a"},"x":1e999}', "partial"),
        (b'{"verb":"get","user":{"username":["a"]}}', "partial"),
        (b'{"verb":"list","verb":"get","user":{}}', "duplicate_key"),
        (b'{"verb":"get","user":{},"requestObject":{"a":1,"a":2}}', "duplicate_key"),
        (b'{"verb":"get","user":{},"x":' + b'{"a":' * 5000 + b"1" + b"}" * 5001, "partial"),
    ],
)
def test_e4_what_is_wrong_is_mended_and_flagged(text: bytes, flag: str) -> None:
    (found,) = read(text, ORIGIN)
    assert isinstance(found, dict)
    assert found["action"] == "get"
    assert flag in found["flags"]


@pytest.mark.parametrize("text", [b"", b"{", b"7", b"null", b"[[[", b'{"verb":7}', b"\xff", b"{}"])
def test_what_is_no_event_is_told(text: bytes) -> None:
    (found,) = read(text, ORIGIN)
    assert isinstance(found, NotAnEvent)


def test_clouds_give_the_same_columns() -> None:
    plain = columns(benign(1))
    assert columns({"properties": {"log": json.dumps(benign(1))}}) == plain
    request = {"spec": POD}
    entry = {
        "protoPayload": {
            "methodName": "io.k8s.core.v1.pods.create",
            "resourceName": "core/v1/namespaces/a/pods/p",
            "authenticationInfo": {"principalEmail": "eve@example.org"},
            "request": request,
        },
        "timestamp": "2026-11-01T10:00:00Z",
        "insertId": "x",
    }
    found = columns(entry)
    assert (found["action"], found["k8s_resource"], found["spec_sa"]) == ("create", "pods", "bot")
    assert json.loads(found["raw"])["requestObject"] == request
