"""Kubeconfigs are merged and read as kubectl does, and what is wrong in one is named."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from martello.adapters.cluster.kubeconfig import Access, access, in_cluster, load
from martello.core.errors import BadInput, MartelloError, NotPermitted, Unreachable
from martello.core.secret import Secret

PEM = b"-----BEGIN CERTIFICATE-----\n"


def _write(
    file: Path,
    *,
    user: Any = None,
    cluster: Any = None,
    name: str = "one",
    current: str | None = None,
    **more: Any,
) -> str:
    file.parent.mkdir(parents=True, exist_ok=True)
    body = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster or {"server": f"https://{name}.example/"}}],
        "users": [{"name": name, "user": user or {"token": f"{name}-token"}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name if current is None else current,
        **more,
    }
    file.write_text(json.dumps(body))
    return str(file)


def _token(found: Access) -> str:
    return found.credentials.token.reveal()


def test_the_current_context_and_a_named_one(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(
        """
        apiVersion: v1
        kind: Config
        current-context: b
        clusters:
        - {name: c, cluster: {server: "https://c.example:6443/k8s/clusters/x", proxy-url: null}}
        users:
        - {name: u, user: {token: t}}
        contexts:
        - {name: a, context: {cluster: c, user: u, namespace: n}}
        - {name: b, context: {cluster: c}}
        preferences: {}
        """
    )
    found = access(None, kubeconfig=str(file), environ={})
    assert (found.name, found.server) == ("b", "https://c.example:6443/k8s/clusters/x")
    assert found.credentials.headers() == []
    other = access("a", kubeconfig=str(file), environ={})
    assert (other.namespace, _token(other)) == ("n", "t")


def test_a_list_of_files_is_merged_first_one_wins(tmp_path: Path) -> None:
    one = _write(tmp_path / "1" / "config", user={"tokenFile": "token"}, current="")
    (tmp_path / "1" / "token").write_text("from-file\n")
    two = _write(tmp_path / "2" / "config", user={"token": "loser"}, current="two")
    other = _write(tmp_path / "3" / "config", name="two")
    environ = {"KUBECONFIG": f"{tmp_path}/absent:{one}::{two}:{other}"}
    assert access(None, environ=environ).server == "https://two.example"
    found = access("one", environ=environ)
    assert _token(found) == "from-file"
    assert str(tmp_path / "1" / "token") in found.credentials.source


def test_the_home_directory(tmp_path: Path) -> None:
    _write(tmp_path / ".kube" / "config")
    assert access(None, environ={"HOME": str(tmp_path)}).name == "one"


def test_relative_files_and_data(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(PEM)
    cluster = {
        "server": "https://x",
        "certificate-authority": "ca.pem",
        "tls-server-name": "api",
        "proxy-url": "http://proxy:3128",
    }
    (tmp_path / "key.pem").write_bytes(b"key")
    user = {
        "client-certificate-data": base64.b64encode(b"certificate").decode(),
        "client-certificate": "ignored",
        "client-key": "key.pem",
    }
    found = access(None, kubeconfig=_write(tmp_path / "c", user=user, cluster=cluster), environ={})
    assert found.authority == PEM
    assert (found.server_name, found.proxy) == ("api", "http://proxy:3128")
    assert (found.credentials.certificate, found.credentials.key.reveal()) == (
        b"certificate",
        "key",
    )


def test_a_password_and_impersonation(tmp_path: Path) -> None:
    user = {"username": "u", "password": "p", "as": "jane", "as-groups": ["g", "h"]}
    file = _write(tmp_path / "c", user=user)
    assert access(None, kubeconfig=file, environ={}).credentials.headers() == [
        ("Impersonate-User", "jane"),
        ("Impersonate-Group", "g"),
        ("Impersonate-Group", "h"),
        ("Authorization", "Basic " + base64.b64encode(b"u:p").decode()),
    ]


def test_inside_a_pod(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("mounted")
    (tmp_path / "ca.crt").write_bytes(PEM)
    (tmp_path / "namespace").write_text("here")
    environ = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"}
    found = in_cluster(environ, tmp_path)
    assert (found.server, found.namespace) == ("https://[fd00::1]:6443", "here")
    assert _token(found) == "mounted"
    with pytest.raises(NotPermitted, match="cannot read the token file"):
        access(None, environ={**environ, "HOME": str(tmp_path)})


def test_nothing_at_all(tmp_path: Path) -> None:
    with pytest.raises(Unreachable) as caught:
        access(None, environ={"HOME": str(tmp_path)})
    assert str(tmp_path / ".kube" / "config") in caught.value.why
    with pytest.raises(BadInput, match="cannot read"):
        access(None, kubeconfig=str(tmp_path / "absent"), environ={})


def test_an_unknown_context_offers_the_nearest(tmp_path: Path) -> None:
    file = _write(tmp_path / "c", name="production")
    with pytest.raises(BadInput, match="no context 'prodution'") as caught:
        access("prodution", kubeconfig=file, environ={})
    assert caught.value.next == "did you mean production?"


@pytest.mark.parametrize(
    ("user", "cluster", "error", "words"),
    [
        ({"auth-provider": {"name": "gcp"}}, None, NotPermitted, "auth-provider 'gcp'"),
        ({"token": 12345}, None, BadInput, "token is a number"),
        ({"tokenFile": "absent"}, None, NotPermitted, "No such file"),
        ({"client-certificate-data": "%%"}, None, BadInput, "not base64"),
        ({"client-key-data": "a2V5"}, None, BadInput, "client-key without"),
        ({"as-groups": ["g"]}, None, BadInput, "a user must be named"),
        ({"exec": ["x"]}, None, BadInput, "exec is a list"),
        (None, {"server": "ftp://x"}, BadInput, "no https:// address"),
        (None, {"server": ["x"]}, BadInput, "server is a list"),
        (None, {"server": "https://x", "certificate-authority": "no"}, NotPermitted, "No such"),
        (
            None,
            {
                "server": "https://x",
                "insecure-skip-tls-verify": True,
                "certificate-authority-data": "QQ==",
            },
            BadInput,
            "insecure-skip-tls-verify",
        ),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, user: Any, cluster: Any, error: type[MartelloError], words: str
) -> None:
    file = _write(tmp_path / "c", user=user, cluster=cluster)
    with pytest.raises(error) as caught:
        access(None, kubeconfig=file, environ={})
    assert words in str(caught.value)
    assert caught.value.why


@pytest.mark.parametrize(
    "text",
    [
        b"\xff\xfe\x00",
        b"a: [",
        b"[]",
        b"just text",
        b"clusters: {}",
        b"contexts: [1]",
        b"users: [{name: 1, user: {}}]",
        b"users: [{name: u, user: []}]",
        b"current-context: [x]",
        b"[" * 100_000,
        b"a: !!python/object:os.system x",
    ],
)
def test_no_kubeconfig(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "c"
    file.write_bytes(text)
    with pytest.raises(BadInput, match="cannot read"):
        load(str(file), {})


def test_null_lists_are_empty(tmp_path: Path) -> None:
    file = tmp_path / "c"
    file.write_text("clusters: null\nusers: null\ncontexts: null\ncurrent-context: ''\n")
    assert load(str(file), {}).contexts == {}


def test_secrets_do_not_print(tmp_path: Path) -> None:
    user = {"token": "hunter2", "client-key-data": "a2V5", "client-certificate-data": "Yw=="}
    found = access(None, kubeconfig=_write(tmp_path / "c", user=user), environ={})
    assert "hunter2" not in repr(found)
    assert str(Secret("hunter2")) == "Secret(redacted)"
