"""Exec plugins are run as client-go runs them; each way to fail has its own words."""

from __future__ import annotations

import json
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from tests.support.apiserver import ApiServer

from martello.adapters.cluster.kubeconfig import Access, access
from martello.adapters.cluster.read import read_cluster
from martello.core.errors import NotPermitted

V1 = "client.authentication.k8s.io/v1"


def _credential(status: Any, version: str = V1) -> str:
    return json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": status})


def _script(directory: Path, body: str, name: str = "plugin") -> Path:
    file = directory / name
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return file


def _access(directory: Path, seconds: float = 20, **stanza: Any) -> Access:
    user = {"exec": {"apiVersion": V1, "interactiveMode": "Never", **stanza}}
    body = {
        "clusters": [{"name": "c", "cluster": {"server": "https://c.example"}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "c",
    }
    file = directory / "config"
    file.write_text(json.dumps(body))
    environ = {"PATH": "/usr/bin:/bin", "OUTER": "kept"}
    return access(None, kubeconfig=str(file), environ=environ, plugin_seconds=seconds)


def test_arguments_environment_and_information(tmp_path: Path) -> None:
    body = (
        """printf '%s|%s|%s|%s' "$1" "$OUTER" "$INNER" "$KUBERNETES_EXEC_INFO" > seen
    echo '"""
        + _credential({"token": "t-1"})
        + "'"
    )
    _script(tmp_path, f"cd {tmp_path}\n{body}")
    found = _access(
        tmp_path,
        command="./plugin",
        args=["--flag"],
        env=[{"name": "INNER", "value": "set"}],
        provideClusterInfo=True,
    )
    assert found.credentials.token.reveal() == "t-1"
    assert found.credentials.source == "what the exec plugin plugin gave"
    flag, outer, inner, info = (tmp_path / "seen").read_text().split("|", 3)
    assert (flag, outer, inner) == ("--flag", "kept", "set")
    assert json.loads(info) == {
        "apiVersion": V1,
        "kind": "ExecCredential",
        "spec": {"interactive": False, "cluster": {"server": "https://c.example"}},
    }


def test_the_older_version_and_a_certificate(tmp_path: Path) -> None:
    older = "client.authentication.k8s.io/v1beta1"
    pair = {"clientCertificateData": "CERT", "clientKeyData": "KEY"}
    _script(tmp_path, f"echo '{_credential(pair, older)}'")
    found = _access(tmp_path, command="./plugin", apiVersion=older).credentials
    assert (found.certificate, found.key.reveal()) == (b"CERT", "KEY")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("echo first >&2; echo 'sign in first' >&2; exit 3", "ended with code 3: sign in first"),
        ("exit 1", "ended with code 1"),
        ("echo nothing", "no JSON"),
        ("echo '[]'", "no ExecCredential"),
        ("echo '" + _credential({"token": "t"}, "client.example/v1") + "'", "another version"),
        ("echo '" + _credential(None) + "'", "has no status"),
        ("echo '" + _credential({"token": 5}) + "'", "is no string"),
        ("echo '" + _credential({}) + "'", "neither token nor certificate"),
        ("echo '" + _credential({"token": "t", "clientKeyData": "k"}) + "'", "only half"),
    ],
)
def test_each_failure_has_its_words(tmp_path: Path, body: str, words: str) -> None:
    _script(tmp_path, body)
    with pytest.raises(NotPermitted) as caught:
        _access(tmp_path, command="./plugin")
    assert words in caught.value.why
    assert "plugin" in caught.value.next


def test_a_plugin_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    _script(tmp_path, "sleep 60 & sleep 60")
    began = time.monotonic()
    with pytest.raises(NotPermitted, match="gave no credentials") as caught:
        _access(tmp_path, seconds=0.3, command="./plugin")
    assert "within 0.3 s" in caught.value.why
    assert time.monotonic() - began < 4


def test_a_missing_plugin_gives_its_hint(tmp_path: Path) -> None:
    with pytest.raises(NotPermitted, match="cannot sign in") as caught:
        _access(tmp_path, command="no-such-plugin", installHint="Install it\n from the store")
    assert caught.value.next == "Install it from the store"


def test_what_cannot_be_run(tmp_path: Path) -> None:
    with pytest.raises(NotPermitted, match="cannot sign in") as caught:
        _access(tmp_path, command="./plugin", apiVersion="client.authentication.k8s.io/v1alpha1")
    assert "v1alpha1" in caught.value.why
    _script(tmp_path, "true")
    with pytest.raises(NotPermitted) as caught:
        _access(tmp_path, command="./plugin", interactiveMode="Always")
    assert "no terminal" in caught.value.why


@pytest.mark.apiserver
def test_it_signs_in(apiserver: ApiServer, tmp_path: Path) -> None:
    token = {"token": apiserver.tokens["admin"]}
    plugin = _script(tmp_path, f"echo '{_credential(token)}'")
    user = {"exec": {"apiVersion": V1, "command": str(plugin), "interactiveMode": "Never"}}
    assert read_cluster(kubeconfig=str(apiserver.kubeconfig(user))).unlisted == {}
