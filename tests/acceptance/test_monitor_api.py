"""A real API server sends its audit events to the real receiver, and attacks on it are told."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("pyarrow")

from tests.support.apiserver import ApiServer, Missing, run
from tests.support.monitoring import Monitor, monitor
from tests.support.ports import free_port

from martello.practices.monitor import packs
from martello.practices.monitor.own import load as own

pytestmark = pytest.mark.apiserver

POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "Metadata", "resources": [{"group": "", "resources": ["secrets", "configmaps"]}]},
        {"level": "RequestResponse"},
    ],
}
RBAC = "rbac.authorization.k8s.io"


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ApiServer, Monitor]]:
    """An API server and the daemon that it reports to."""
    place = tmp_path_factory.mktemp("monitor")
    port = free_port()
    (place / "policy.json").write_text(json.dumps(POLICY))
    webhook = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "clusters": [{"name": "x", "cluster": {"server": f"http://127.0.0.1:{port}/audit"}}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "users": [{"name": "x", "user": {}}],
    }
    (place / "webhook.json").write_text(json.dumps(webhook))
    arguments = [
        f"--audit-policy-file={place / 'policy.json'}",
        f"--audit-webhook-config-file={place / 'webhook.json'}",
        "--audit-webhook-batch-max-wait=200ms",
        f"--audit-log-path={place / 'audit.log'}",
    ]
    try:
        with (
            monitor(place, "--cluster", "test", port=port) as running,
            run(users={"mallory": ()}, arguments=arguments) as server,
        ):
            server.apply([_admin("mallory")])
            yield server, running
    except Missing as missing:
        pytest.skip(str(missing))


def _admin(user: str) -> dict[str, Any]:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": f"{user}-is-admin"},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": user}],
    }


def _as(server: ApiServer, user: str) -> httpx.Client:
    """A client of somebody; of nobody without a user."""
    headers = {"User-Agent": "kubectl/v1.20.2"}
    if user:
        headers["Authorization"] = f"Bearer {server.tokens[user]}"
    trust = ssl.create_default_context(cafile=str(server.ca))
    return httpx.Client(base_url=server.url, headers=headers, verify=trust, trust_env=False)


def _pod(name: str, **spec: Any) -> dict[str, Any]:
    container = {
        "name": "main",
        "image": "registry.example.com/tool:1",
        **spec.pop("container", {}),
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": [container], **spec},
    }


def _secrets(client: httpx.Client, _: ApiServer) -> None:
    assert client.get("/api/v1/secrets").status_code == 200


def _privileged(client: httpx.Client, _: ApiServer) -> None:
    pod = _pod("priv", container={"securityContext": {"privileged": True}})
    assert client.post("/api/v1/namespaces/default/pods", json=pod).status_code == 201


def _host_path(client: httpx.Client, _: ApiServer) -> None:
    mount = {"volumeMounts": [{"name": "h", "mountPath": "/h"}]}
    volume = {"name": "h", "hostPath": {"path": "/etc"}}
    pod = _pod("host", container=mount, volumes=[volume])
    assert client.post("/api/v1/namespaces/default/pods", json=pod).status_code == 201


def _wildcard(client: httpx.Client, _: ApiServer) -> None:
    role = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "everything"},
        "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}],
    }
    assert client.post(f"/apis/{RBAC}/v1/clusterroles", json=role).status_code == 201


def _binding(client: httpx.Client, _: ApiServer) -> None:
    path = f"/apis/{RBAC}/v1/clusterrolebindings"
    assert client.post(path, json=_admin("accomplice")).status_code == 201


def _anonymous(client: httpx.Client, server: ApiServer) -> None:
    names = {"kind": "Group", "name": "system:unauthenticated", "apiGroup": RBAC}
    role = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "for-all"},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}],
    }
    reference = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "for-all"}
    bound = {**_admin("all"), "subjects": [names], "roleRef": reference}
    server.apply([role, {**bound, "metadata": {"name": "for-all"}}])
    with _as(server, "") as nobody:
        for _tried in range(50):
            if nobody.get("/api/v1/pods").status_code == 200:
                return
            time.sleep(0.1)
    raise AssertionError("nobody may list pods")


def _token(client: httpx.Client, server: ApiServer) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}}
    server.apply([{**account, "metadata": {"name": "robot", "namespace": "default"}}])
    path = "/api/v1/namespaces/default/serviceaccounts/robot/token"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    assert client.post(path, json=body).status_code == 201


def _certificate(client: httpx.Client, _: ApiServer) -> None:
    from base64 import b64encode

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ghost")])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    pem = request.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    body = {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": "ghost"},
        "spec": {
            "request": b64encode(pem).decode(),
            "signerName": "kubernetes.io/kube-apiserver-client",
            "usages": ["client auth"],
        },
    }
    path = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
    assert client.post(path, json=body).status_code == 201


def _proxy(client: httpx.Client, server: ApiServer) -> None:
    server.apply([{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}])
    client.get("/api/v1/nodes/n1/proxy/pods")


# What was done → the names that other rule sets have for it; our rules say which they cover.
K8S = "panther:Kubernetes"
ATTACKS = {
    "secrets listed in every namespace": (_secrets, f"{K8S}.Secrets.DumpAllNamespaces"),
    "privileged pod": (_privileged, f"{K8S}.Pod.Privileged.Created"),
    "host path": (_host_path, f"{K8S}.Pod.HostPath.Volume"),
    "wildcard role": (_wildcard, f"{K8S}.Role.Wildcard"),
    "binding to cluster-admin": (_binding, f"{K8S}.ClusterRoleBinding.Privileged"),
    "anonymous access": (_anonymous, f"{K8S}.API.AnonymousAccess"),
    "token created": (_token, f"{K8S}.ServiceAccount.TokenCreated"),
    "client certificate": (_certificate, f"{K8S}.ClientCertificate.Created"),
    "kubelet by proxy": (_proxy, "stratus:nodes-proxy"),
}


@pytest.mark.parametrize("attack", sorted(ATTACKS))
def test_an_attack_is_told_within_two_seconds(
    watched: tuple[ApiServer, Monitor], attack: str
) -> None:
    server, running = watched
    does, name = ATTACKS[attack]
    rules = own.aliases(packs.default()).get(name, ())
    assert rules, f"no rule of ours is called {name}"
    before = len(running.alerts)
    with _as(server, "mallory") as client:
        does(client, server)
    done = time.monotonic()
    alert = running.wait(lambda one: one["rule"] in rules, 10)
    assert alert is not None, [one["title"] for _, one in running.alerts[before:]]
    told = next(at for at, one in running.alerts if one is alert)
    assert told - done < 2
    if attack != "anonymous access":
        assert "mallory" in json.dumps(alert)


def test_log_and_webhook_give_equal_ids(watched: tuple[ApiServer, Monitor], tmp_path: Path) -> None:
    from martello.adapters.audit.batches import AuditBatches
    from martello.adapters.audit.columns import Origin

    server, running = watched
    running.process.terminate()
    running.process.wait(40)
    log = running.state / "audit.log"
    ids = {
        one
        for rows in AuditBatches([str(log)], Origin(b"k" * 32, "test"))
        for one in rows["id"].to_pylist()
    }
    from martello.store.files import LocalFiles
    from martello.store.history import History
    from martello.store.lake import Lake
    from martello.store.state import open_state

    kept = running.state / "martello"
    with open_state(f"sqlite:///{kept / 'state.db'}") as state:
        history = History(state, Lake(LocalFiles(kept / "lake")), ["audit"])
        received = {one for rows in history for one in rows["id"].to_pylist()}
    assert len(received) > 50
    assert received <= ids
    assert server.pid


CONTEXT_RULE = """
id: TST-101
title: What Falco told
kind: alert
severity: medium
when: e.rule_name == "Shell"
group: [pod_name, proc_name]
"""


def _falco(running: Monitor, container: str, number: int) -> str:
    """Sends an alert of Falco's about a container, and gives the program that it names."""
    name = f"program-{number}"
    told = {
        "rule": "Shell",
        "priority": "Notice",
        "output": "a shell",
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "output_fields": {"container.id": container[:12], "proc.name": name, "evt.type": "execve"},
    }
    assert httpx.post(f"{running.url}/falco", json=told, trust_env=False).status_code == 200
    return name


def test_a_pod_that_comes_later_is_named_and_makes_its_alerts_graver(
    watched: tuple[ApiServer, Monitor], tmp_path: Path
) -> None:
    """By `--kubeconfig` alone: pods and what their accounts reach are read again and again."""
    server, _ = watched
    (tmp_path / "rule.yaml").write_text(CONTEXT_RULE)
    container, path = "c0ffee" * 10 + "beef", "/api/v1/namespaces/later/pods"
    config = str(server.kubeconfig())
    words = ("--cluster", "test", "--kubeconfig", config, "--rules", str(tmp_path / "rule.yaml"))
    with monitor(tmp_path, *words, port=free_port()) as running:

        def alert(number: int) -> dict[str, Any]:
            program = _falco(running, container, number)
            found = running.wait(lambda one: one["entity"].get("proc_name") == program)
            assert found is not None, "".join(running.errors)
            return dict(found)

        first = alert(0)
        assert "pod_name" not in first["entity"]
        assert (first["severity"], first["raised"]) == ("medium", [])
        account = {"name": "robot", "namespace": "later"}
        subject = {"kind": "ServiceAccount", **account}
        server.apply(
            [
                {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account},
                {**_admin("robot"), "subjects": [subject]},
            ]
        )
        pod = _pod("late", serviceAccountName="robot")
        server.request("POST", path, {**pod, "metadata": {"name": "late", "namespace": "later"}})
        made = server.request("GET", f"{path}/late")
        state: dict[str, Any] = {
            "name": "main",
            "containerID": f"containerd://{container}",
            "image": "x",
        }
        state |= {"ready": True, "restartCount": 0, "imageID": "x"}
        status = {"phase": "Running", "containerStatuses": [state]}
        server.request("PUT", f"{path}/late/status", {**made, "status": status})
        named, deadline = first, time.monotonic() + 60
        number = 0
        while not named["raised"] and time.monotonic() < deadline:
            time.sleep(1)
            number += 1
            named = alert(number)
        assert named["entity"]["pod_name"] == "late"
        columns = named["evidence"][0]["columns"]
        assert (columns["k8s_ns"], columns["pod_workload"]) == ("later", "pod/late")
        assert named["severity"] == "high"
        assert any("later/robot" in one for one in named["raised"])
