"""What clouds put around events: EKS, AKS, GKE and shippers of logs."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import pytest
from tests.adapters.audit.test_files import event

from martello.adapters.audit.cloud import path_of
from martello.adapters.audit.event import nanoseconds
from martello.adapters.audit.files import read_audit
from martello.core.event import AuditEvent

TEXT = json.dumps(event(1))


def read(raw: Any) -> list[AuditEvent]:
    """The events of one document."""
    return list(read_audit(["-"], stdin=BytesIO(json.dumps(raw).encode())))


def google(method: str, path: str, **more: Any) -> dict[str, Any]:
    """An entry of Cloud Audit Logs."""
    payload = {
        "methodName": method,
        "resourceName": path,
        "authenticationInfo": {"principalEmail": "a@example.org"},
        "requestMetadata": {"callerIp": "192.0.2.7", "callerSuppliedUserAgent": "kubectl"},
        **more,
    }
    return {"protoPayload": payload, "timestamp": "2026-11-01T10:00:00Z", "insertId": "x"}


@pytest.mark.parametrize(
    "wrapped",
    [
        {"category": "kube-audit", "properties": {"log": TEXT, "pod": "x"}},
        {"records": [{"properties": {"log": TEXT}}]},
        {"logEvents": [{"id": "1", "message": TEXT}]},
        {"@timestamp": "x", "@message": TEXT},
        {"log": TEXT, "stream": "stdout", "time": "x"},
        {"_source": event(1)},
        [[event(1)]],
    ],
)
def test_wrappers_are_taken_off(wrapped: Any) -> None:
    (one,) = read(wrapped)
    assert (one.api_id, one.actor_user, one.k8s_resource) == ("id-1", "bob", "pods")


def test_an_entry_of_google_is_an_event() -> None:
    (one,) = read(google("io.k8s.core.v1.pods.exec.create", "core/v1/namespaces/a/pods/p/exec"))
    place = (one.k8s_group, one.k8s_resource, one.k8s_subresource, one.k8s_name, one.k8s_ns)
    assert place == ("", "pods", "exec", "p", "a")
    assert (one.api_verb, one.actor_user, one.actor_ips) == (
        "create",
        "a@example.org",
        ("192.0.2.7",),
    )
    assert (one.api_code, one.actor_groups) == (200, None)


@pytest.mark.parametrize(("grpc", "code"), [(0, 200), (5, 404), (6, 409), (7, 403), (16, 401)])
def test_status_codes_of_google(grpc: int, code: int) -> None:
    (one,) = read(google("io.k8s.core.v1.pods.list", "core/v1/pods", status={"code": grpc}))
    assert one.api_code == code


@pytest.mark.parametrize(
    ("given", "user"),
    [
        ({"principalSubject": "b"}, "b"),
        ({"authoritySelector": "c"}, "c"),
        ({"principalEmail": "a", "principalSubject": "b"}, "a"),
    ],
)
def test_who_asked_google(given: dict[str, str], user: str) -> None:
    entry = google("io.k8s.core.v1.pods.list", "core/v1/pods", authenticationInfo=given)
    assert [one.actor_user for one in read(entry)] == [user]


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("core/v1/nodes", ("", "nodes", "", "", "")),
        ("apps/v1/namespaces/a/deployments/d/scale", ("apps", "deployments", "scale", "d", "a")),
        ("core/v1/namespaces/a", ("", "namespaces", "", "a", "a")),
        ("core/v1/namespaces/a/status", ("", "namespaces", "status", "a", "a")),
        ("livez", None),
    ],
)
def test_paths_of_google(path: str, parts: tuple[str, ...] | None) -> None:
    assert path_of(path) == parts


def test_a_path_that_is_no_resource_stays_one() -> None:
    (one,) = read(google("io.k8s.get", "livez"))
    assert (one.api_verb, one.api_uri, one.k8s_resource) == ("get", "/livez", "")


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000_000),
        ("1970-01-01T00:00:01.25Z", 1_250_000_000),
        ("1970-01-01T01:00:01.000000001+01:00", 1_000_000_001),
        ("1970-01-01t00:00:01z", 1_000_000_000),
        ("1969-01-01T00:00:00Z", 0),
        ("2026-02-30T00:00:00Z", 0),
        ("2026-02-03", 0),
        ("2026-02-03T00:00:00", 0),
        ("yesterday", 0),
        ("9" * 1000, 0),
        ("2026-11-01T10:00:00.٣Z", 0),
    ],
)
def test_times(text: str, at: int) -> None:
    assert nanoseconds(text) == at


@pytest.mark.parametrize(
    ("method", "place"),
    [
        ("io.k8s.core.v1.pods.exec.create", ("", "pods", "exec")),
        ("io.k8s.rbac.v1.clusterroles.create", ("rbac.authorization.k8s.io", "clusterroles", "")),
        ("io.k8s.networking.v1.ingresses.patch", ("networking.k8s.io", "ingresses", "")),
        ("io.k8s.get", ("", "", "")),
    ],
)
def test_an_entry_of_google_without_a_path_is_told_by_its_method(
    method: str, place: tuple[str, str, str]
) -> None:
    (one,) = read(google(method, ""))
    assert (one.k8s_group, one.k8s_resource, one.k8s_subresource) == place


@pytest.mark.parametrize(
    ("granted", "code"), [([False], 403), ([True], 200), ([True, False], 200), ([], 200)]
)
def test_what_google_did_not_grant_was_refused(granted: list[bool], code: int) -> None:
    told = [{"granted": each} for each in granted]
    (one,) = read(google("io.k8s.core.v1.pods.list", "core/v1/pods", authorizationInfo=told))
    assert one.api_code == code
