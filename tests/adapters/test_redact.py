"""No secret value leaves; types, names and the shape of tokens stay."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest

from martello.adapters.redact import MARKER, Redactor

GITHUB = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"


def _redact(raw: dict[str, Any]) -> dict[str, Any]:
    before = json.dumps(raw)
    result = Redactor().object(raw)
    assert json.dumps(raw) == before
    return result


def _container(**fields: Any) -> dict[str, Any]:
    container = {"name": "app", "image": "example.org/app:1", **fields}
    return {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [container]}}


def _of(raw: dict[str, Any], field: str) -> Any:
    return raw["spec"]["containers"][0][field]


def test_secrets_keep_their_keys_and_types() -> None:
    raw = {
        "kind": "Secret",
        "data": {"a": "aHVudGVyMg==", "empty": "", "odd": 7, "list": ["x"]},
        "stringData": {"b": "hunter2", "c": None, "d": True},
    }
    result = _redact(raw)
    assert base64.b64decode(result["data"]["a"]).decode() == MARKER
    assert result["data"] == {**result["data"], "empty": "", "odd": 0}
    assert result["stringData"] == {"b": MARKER, "c": None, "d": True}
    assert "hunter2" not in json.dumps(result)


@pytest.mark.parametrize("data", ["hunter2", ["hunter2"], {"k": {"deep": "hunter2"}}])
def test_malformed_secrets_too(data: Any) -> None:
    assert "hunter2" not in json.dumps(_redact({"kind": "Secret", "data": data}))


@pytest.mark.parametrize(
    "name", ["DB_PASSWORD", "password", "API_KEY", "githubToken", "AWS_SECRET_ACCESS_KEY", "x-pass"]
)
def test_literal_environment(name: str) -> None:
    raw = _container(env=[{"name": name, "value": "hunter2"}, {"name": "PLAIN", "value": "stays"}])
    assert _of(_redact(raw), "env") == [
        {"name": name, "value": MARKER},
        {"name": "PLAIN", "value": "stays"},
    ]


@pytest.mark.parametrize(
    "value",
    [
        "",
        "$(OTHER)",
        "${OTHER}",
        "changeme",
        "xxxx",
        "/run/secrets/db",
        "vault:db#password",
        "https://example.org/x",
    ],
)
def test_placeholders_stay(value: str) -> None:
    raw = _container(env=[{"name": "PASSWORD", "value": value}])
    assert _redact(raw) == raw


def test_an_odd_value_keeps_its_type() -> None:
    raw = _container(env=[{"name": "PASSWORD", "value": 123456}])
    assert _of(_redact(raw), "env") == [{"name": "PASSWORD", "value": 0}]


def test_tokens_keep_their_shape_wherever_they_stand() -> None:
    jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9.c2lnbmF0dXJl"
    key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7\n-----END RSA PRIVATE KEY-----"
    lines = [f"curl -H 'x: {GITHUB}'", jwt, key, "AKIAIOSFODNN7EXAMPLE"]
    args = _of(_redact(_container(args=lines)), "args")
    assert GITHUB not in args[0]
    assert re.search(r"ghp_[A-Za-z0-9]{36}", args[0])
    assert re.fullmatch(r"eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+", args[1])
    assert args[1] != jwt
    assert "MIIEpAIBAAKCAQEA7" not in args[2]
    assert args[2].startswith("-----BEGIN RSA PRIVATE KEY-----\n")
    assert re.fullmatch(r"AKIA[A-Z0-9]{16}", args[3])
    assert args[3] != lines[3]


def test_command_lines() -> None:
    given = [
        "--db-password=hunter2",
        "--token",
        "hunter2",
        "run --api-key hunter2 --verbose",
        "--password=$(PASSWORD)",
        "--secret-file",
        "--verbose",
        "postgres://app:hunter2@db/app",
    ]
    args = _of(_redact(_container(args=given)), "args")
    assert "hunter2" not in json.dumps(args)
    assert args[0] == f"--db-password={MARKER}"
    assert args[4:7] == given[4:7]
    assert args[7] == "postgres://app:aaaaaa0@db/app"


def test_config_maps_and_copies_in_annotations() -> None:
    applied = "kubectl.kubernetes.io/last-applied-configuration"
    raw = {
        "kind": "ConfigMap",
        "metadata": {"name": "c", "annotations": {applied: '{"data":"hunter2"}', "a": "b"}},
        "data": {
            "password": "hunter2",
            "settings": "size: 5\ndb.password = hunter2\n",
            "app.json": '{"apiKey": "hunter2", "token": ""}',
        },
    }
    result = _redact(raw)
    assert result["metadata"]["annotations"] == {applied: MARKER, "a": "b"}
    assert result["data"] == {
        "password": MARKER,
        "settings": f"size: 5\ndb.password = {MARKER}\n",
        "app.json": f'{{"apiKey": "{MARKER}", "token": ""}}',
    }


def test_only_commands_hold_flags_and_settings() -> None:
    raw = {
        "kind": "ValidatingAdmissionPolicy",
        "spec": {"expression": "object.token=='x'", "image": "example.org/token-service:1.2"},
    }
    assert _redact(raw) == raw


def test_what_holds_no_secret_is_shared() -> None:
    raw = _container(command=["sleep", "3600"])
    assert _redact(raw)["spec"] is raw["spec"]


def test_deep_nesting_is_refused() -> None:
    deep: Any = "x"
    for _ in range(5000):
        deep = [deep]
    for raw in ({"kind": "X", "spec": deep}, {"kind": "Secret", "data": deep}):
        with pytest.raises(RecursionError):
            Redactor().object(raw)


@pytest.mark.parametrize(
    "text",
    [
        "a" * 500_000,
        "a-" * 250_000,
        "-" * 500_000,
        "secret" * 80_000,
        "--secret" * 60_000 + " ",
        "secret " + "\t" * 500_000,
        "eyJaaaaaaaa-" * 40_000,
        " " * 500_000 + "z z",
        "://" + "a" * 500_000,
    ],
    ids=lambda text: text[:12],
)
def test_the_longest_word_costs_no_more_than_its_length(text: str) -> None:
    # a ConfigMap may hold a MiB of one word: trying every part of it would take days
    raw = {"kind": "ConfigMap", "data": {"blob": text, "password": text}}
    assert _redact(raw)["data"]["blob"] == text
    assert _of(_redact(_container(args=[text])), "args") == [text]


def test_a_secret_setting_is_found_behind_others() -> None:
    text = (
        "a=b:password=hunter2\nfoo.password: hunter2\nx-api-key = hunter2\nrun --the-token hunter2"
    )
    data = _redact({"kind": "ConfigMap", "data": {"f": text}})["data"]["f"]
    assert data.count(MARKER) == 3
    args = _of(_redact(_container(args=[text])), "args")[0]
    assert "--the-token " + MARKER in args
