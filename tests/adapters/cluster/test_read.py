"""A live cluster is read as far as the reader may list it, and what may not be is said."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.support.apiserver import ApiServer

from martello.adapters.cluster.kinds import REQUIRED
from martello.adapters.cluster.kubeconfig import access
from martello.adapters.cluster.read import read, read_cluster, read_clusters
from martello.core.errors import BadInput, NotPermitted, Unreachable
from martello.core.reading import Reading

pytestmark = pytest.mark.apiserver

VALUE = "c3VwZXItc2VjcmV0LXZhbHVl"


def _pod(name: str, namespace: str, **labels: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"containers": [{"name": "app", "image": "example.org/app:1"}]},
    }


def _definition(kind: str, plural: str, schema: dict[str, Any]) -> dict[str, Any]:
    group = "read.example.org"
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [version],
        },
    }


def _nested(*path: str) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": "array",
        "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    }
    for key in reversed(path):
        schema = {"type": "object", "properties": {key: schema}}
    return schema


@pytest.fixture(scope="module")
def filled(apiserver: ApiServer) -> ApiServer:
    applied = {"kubectl.kubernetes.io/last-applied-configuration": f'{{"data":"{VALUE}"}}'}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "db", "namespace": "read-a", "annotations": applied},
        "data": {"password": VALUE},
    }
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "read-half"},
        "rules": [
            {"apiGroups": [""], "resources": ["pods", "namespaces"], "verbs": ["list", "get"]},
            {"apiGroups": ["apps"], "resources": ["*"], "verbs": ["list"]},
        ],
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "read-half"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "read-half",
        },
        "subjects": [
            {"kind": "ServiceAccount", "name": "half", "namespace": "read-a"},
            {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "half"},
        ],
    }
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "half", "namespace": "read-a"},
    }
    pods = [_pod(f"p{n:02}", "read-a", app="web", tier=f"t{n % 2}") for n in range(20)]
    plain = _definition("Plain", "plains", _nested("spec", "list"))
    template = _definition("Roll", "rolls", _nested("spec", "template", "spec", "containers"))
    objects = [*pods, _pod("other", "read-b"), secret, role, binding, account]
    apiserver.apply([*objects, plain, template])
    return apiserver


def _names(reading: Reading, kind: str, namespace: str | None = None) -> list[str]:
    return sorted(r.ref.name for r in reading.world().of_kind(kind, namespace))


def test_the_administrator_sees_everything(filled: ApiServer) -> None:
    counted: dict[str, int] = {}
    reading = read_cluster(kubeconfig=str(filled.kubeconfig()), progress=counted.__setitem__)
    assert reading.unlisted == {}
    assert reading.unassessed == ()
    assert reading.kubernetes is not None
    assert reading.kubernetes >= 20
    assert (reading.target, reading.cluster) == ("cluster:test", "test")
    assert _names(reading, "Pod", "read-a") == [f"p{n:02}" for n in range(20)]
    assert counted["pods"] >= 21
    first = next(iter(reading.world().of_kind("Pod", "read-a")))
    assert (first.raw["apiVersion"], first.raw["kind"]) == ("v1", "Pod")
    assert str(first.locate(("spec",))) == "cluster:test"
    assert "managedFields" not in first.metadata
    assert first.ref.cluster == "test"
    assert "ClusterRole.rbac.authorization.k8s.io" in reading.world().kinds


def test_custom_resources_with_pod_templates_are_listed(filled: ApiServer) -> None:
    counted: dict[str, int] = {}
    reading = read_cluster(kubeconfig=str(filled.kubeconfig()), progress=counted.__setitem__)
    assert "rolls" in counted
    assert "plains" not in counted
    definitions = list(reading.world().of_kind("CustomResourceDefinition.apiextensions.k8s.io"))
    assert {"rolls.read.example.org", "plains.read.example.org"} <= {
        d.ref.name for d in definitions
    }
    assert all("schema" not in v for d in definitions for v in d.spec["versions"])


def test_secrets_are_names_only(filled: ApiServer) -> None:
    reading = read_cluster(kubeconfig=str(filled.kubeconfig()))
    (secret,) = reading.world().of_kind("Secret", "read-a")
    assert set(secret.raw) == {"apiVersion", "kind", "metadata"}
    assert secret.raw["kind"] == "Secret"
    assert secret.annotations == {}
    assert VALUE not in repr([r.raw for r in reading.resources])


def test_half_of_it(filled: ApiServer) -> None:
    token = filled.service_account_token("read-a", "half")
    reading = read_cluster(kubeconfig=str(filled.kubeconfig({"token": token})))
    assert len(_names(reading, "Pod")) >= 21
    assert "Service" in reading.unlisted
    assert "ConfigMap" in reading.unlisted
    assert "Deployment.apps" not in reading.unlisted
    asked = [u for u in reading.unassessed if u.asked]
    service = next(u for u in asked if u.reason.startswith("Service:"))
    assert "list services was refused (403)" in service.reason
    assert service.reason.endswith(": system:serviceaccount:read-a:half holds no rule for it")
    # A reader without secrets is what we recommend: that alone makes no scan incomplete.
    assert [u.reason[:7] for u in reading.unassessed if not u.asked] == ["Secret:"]


def test_pages_are_joined(filled: ApiServer) -> None:
    found = access(None, kubeconfig=str(filled.kubeconfig()))
    whole = asyncio.run(read(found))
    paged = asyncio.run(read(found, page=7))
    assert [r.ref for r in paged.resources] == [r.ref for r in whole.resources]
    assert [r.raw for r in paged.resources] == [r.raw for r in whole.resources]


def test_namespaces_and_labels(filled: ApiServer) -> None:
    file = str(filled.kubeconfig())
    one = read_cluster(kubeconfig=file, namespaces=["read-b", "read-b", "absent"])
    assert _names(one, "Pod") == ["other"]
    assert _names(one, "Namespace") == ["read-b"]
    assert "get namespace absent failed (404)" in one.unlisted["Namespace"]
    two = read_cluster(kubeconfig=file, namespaces=["read-a", "read-b"])
    assert len(_names(two, "Pod")) == 21
    some = read_cluster(kubeconfig=file, labels="tier in (t1),app")
    assert _names(some, "Pod") == [f"p{n:02}" for n in range(1, 20, 2)]
    assert some.unlisted["Pod"] == "only those labelled tier in (t1),app were listed"
    assert "Namespace" not in some.unlisted


def test_refused_outside_the_asked_namespace_is_not_asked(filled: ApiServer) -> None:
    file = str(filled.kubeconfig("half"))
    reading = read_cluster(kubeconfig=file, namespaces=["read-a"])
    nodes = next(u for u in reading.unassessed if u.reason.startswith("Node:"))
    assert not nodes.asked
    services = next(u for u in reading.unassessed if u.reason.startswith("Service:"))
    assert services.asked
    assert "in namespace read-a" in services.reason


def test_client_certificate_and_impersonation(filled: ApiServer) -> None:
    certificate, key = filled.authority.client("someone", "system:masters")
    files = {"client-certificate": certificate.name, "client-key": key.name}
    assert read_cluster(kubeconfig=str(filled.kubeconfig(files))).unlisted == {}
    as_half = {**files, "as": "half"}
    assert "Service" in read_cluster(kubeconfig=str(filled.kubeconfig(as_half))).unlisted
    file = str(filled.kubeconfig())
    assert "Service" in read_cluster(kubeconfig=file, acting_as="half", groups=("g",)).unlisted
    both = read_cluster(kubeconfig=file, acting_as="half", groups=("system:masters", "g"))
    assert both.unlisted == {}


def test_expired_or_unknown_token(filled: ApiServer) -> None:
    file = str(filled.kubeconfig({"token": "long-gone"}))
    with pytest.raises(NotPermitted) as caught:
        read_cluster(kubeconfig=file)
    assert "401" in caught.value.what
    assert "the token in user test-user" in caught.value.why
    assert caught.value.next
    assert "long-gone" not in str(caught.value)


def test_nobody_signed_in(filled: ApiServer) -> None:
    with pytest.raises(NotPermitted) as caught:
        read_cluster(kubeconfig=str(filled.kubeconfig({})))
    assert "system:anonymous" in caught.value.why


def test_an_untrusted_server(filled: ApiServer) -> None:
    stranger = filled.kubeconfig(cluster={"server": filled.url})
    with pytest.raises(Unreachable, match="cannot trust") as caught:
        read_cluster(kubeconfig=str(stranger))
    assert "self" in caught.value.why or "issuer" in caught.value.why
    careless = {"server": filled.url, "insecure-skip-tls-verify": True}
    assert read_cluster(kubeconfig=str(filled.kubeconfig(cluster=careless))).resources


def test_tls_server_name(filled: ApiServer) -> None:
    server = {"server": filled.url, "certificate-authority": str(filled.ca)}
    named = filled.kubeconfig(cluster={**server, "tls-server-name": "localhost"})
    assert read_cluster(kubeconfig=str(named), namespaces=["read-b"]).resources
    wrong = filled.kubeconfig(cluster={**server, "tls-server-name": "elsewhere.example"})
    with pytest.raises(Unreachable, match="cannot trust"):
        read_cluster(kubeconfig=str(wrong))


def test_several_clusters(filled: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    good = filled.kubeconfig(context="good")
    gone = filled.kubeconfig(context="gone", cluster={"server": "https://127.0.0.1:9"})
    monkeypatch.setenv("KUBECONFIG", f"{good}:{gone}")
    one, two = read_clusters(["good", "gone"], namespaces=["read-b"])
    assert (one.cluster, two.cluster) == ("good", "gone")
    assert one.resources
    assert two.resources == ()
    assert set(two.unlisted) == {kind.group_kind for kind in REQUIRED}
    assert "nothing listens there" in two.unassessed[0].reason
    with pytest.raises(Unreachable, match="cannot reach https://127"):
        read_clusters(["gone"])
    with pytest.raises(BadInput, match="no context 'god'"):
        read_clusters(["good", "god"])
