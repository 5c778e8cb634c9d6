"""Secrets never leave the reader: each is a keyed hash."""

from __future__ import annotations

import json
from typing import Any

import pytest

from martello.adapters.audit.redact import covered, redacted

KEY = b"of this installation"
WORD = "aHVudGVyMg=="
SECRET = {"kind": "Secret", "metadata": {"name": "db"}, "data": {"password": WORD}}
APPLIED = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(SECRET)}


@pytest.mark.parametrize(
    "event",
    [
        {"objectRef": {"resource": "secrets"}, "requestObject": SECRET},
        {"objectRef": {"resource": "pods"}, "responseObject": SECRET},
        {"responseObject": {"kind": "SecretList", "items": [{"data": {"password": WORD}}]}},
        {"requestObject": {**SECRET, "data": None, "stringData": {"a": {"deep": [WORD]}}}},
        {"requestObject": {**SECRET, "metadata": {"annotations": APPLIED}, "data": {}}},
        {
            "objectRef": {"resource": "secrets"},
            "requestObject": [{"op": "replace", "path": "/data/password", "value": WORD}],
        },
        {"objectRef": {"resource": "secrets"}, "requestObject": {"data": {"password": WORD}}},
        {"responseObject": {"kind": "TokenRequest", "status": {"token": WORD}}},
        {"requestObject": {"kind": "TokenReview", "spec": {"token": WORD}}},
        {
            "objectRef": {"resource": "serviceaccounts", "subresource": "token"},
            "responseObject": {"status": {"token": WORD}},
        },
        {"requestURI": f"/api/v1/pods?watch=1&access_token={WORD}"},
        {"protoPayload": {"resourceName": "core/v1/namespaces/a/secrets/db", "request": SECRET}},
    ],
)
def test_e2_a_secret_is_covered(event: dict[str, Any]) -> None:
    before = json.dumps(event)
    text = json.dumps(redacted(event, KEY))
    assert WORD not in text
    assert "hmac:" in text
    assert json.dumps(event) == before


def test_what_is_no_secret_stays() -> None:
    event = {
        "objectRef": {"resource": "configmaps", "name": "db"},
        "requestObject": {"kind": "ConfigMap", "data": {"colour": "blue"}},
        "requestURI": "/api/v1/namespaces/a/configmaps?fieldManager=kubectl",
    }
    assert redacted(event, KEY) == event


def test_names_of_keys_stay_and_equal_secrets_are_equal() -> None:
    one = redacted({"requestObject": SECRET}, KEY)["requestObject"]["data"]
    assert one == {"password": covered(WORD, KEY)}
    assert covered(WORD, KEY) != covered(WORD, b"of another one")


def test_a_body_that_is_too_deep_is_not_kept() -> None:
    deep: Any = WORD
    for _ in range(200):
        deep = {"a": deep}
    assert redacted({"requestObject": {"kind": "Secret", "b": deep}}, KEY)["requestObject"] is None
