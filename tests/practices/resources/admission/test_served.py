"""What no API serves, and namespaces that are not there: refused where it is certain, as a real
kube-apiserver does it, and never called admitted where it is not known.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.apiserver import Missing, run
from tests.support.command import martello
from tests.support.resources.admitting import says, thing, world

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, Resource, resource_of
from martello.practices.resources.admission import quotas
from martello.practices.resources.admission.pipeline import Admission
from martello.practices.resources.admission.server import Server

Raw = dict[str, Any]


def _raw(api: str, kind: str, *, space: str = "", **more: Any) -> Raw:
    metadata = {"name": "x", **({"namespace": space} if space else {})}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **more}


def _of(raw: Raw, cluster: str = "") -> Resource:
    return resource_of(raw, Nowhere(), cluster)


def _asked(raw: Raw, here: Cluster | None = None) -> Admission:
    return Server(world() if here is None else here).admit(_of(raw))


def _definition(*, served: bool = True, version: str = "v1") -> Raw:
    versions = [{"name": version, "served": served}]
    spec = {"group": "example.com", "names": {"kind": "Thing"}, "versions": versions}
    return _raw("apiextensions.k8s.io/v1", "CustomResourceDefinition", spec=spec)


@pytest.mark.parametrize(
    ("api", "kind", "told"),
    [
        ("v1", "Banana", "serves no Banana in v1"),
        ("v1", "Deployment", "it does in apps/v1"),
        ("apps/v7", "Deployment", "it does in apps/v1"),
        ("policy/v1beta1", "PodDisruptionBudget", "ended with 1.25; it does in policy/v1"),
        ("audit.k8s.io/v1", "Policy", "a file for kube-apiserver"),
        ("kubelet.config.k8s.io/v1beta1", "KubeletConfiguration", "a file for the kubelet"),
        ("kubeadm.k8s.io/v1beta3", "ClusterConfiguration", "a file for kubeadm"),
        ("apiserver.config.k8s.io/v1", "AdmissionConfiguration", "a file for kube-apiserver"),
        ("kustomize.config.k8s.io/v1beta1", "Kustomization", "a file for kustomize"),
        ("kind.x-k8s.io/v1alpha4", "Cluster", "a file for kind"),
        ("autoscaling/v1", "Scale", "it is sent to scale of an object"),
        ("policy/v1", "Eviction", "it is sent to pods/eviction of an object"),
    ],
    ids=lambda value: str(value).split(" ", maxsplit=1)[0],
)
def test_what_no_api_serves_is_refused(api: str, kind: str, told: str) -> None:
    found = _asked(_raw(api, kind))
    assert (found.verdict, found.code) == ("refused", 404)
    assert told in says(found)[0]


@pytest.mark.parametrize(
    ("api", "kind"),
    [("example.com/v1", "Thing"), ("lifecycle.k8s.io/v1alpha1", "Eviction")],
)
def test_what_may_be_served_is_unassessed(api: str, kind: str) -> None:
    found = _asked(_raw(api, kind, space="default"))
    assert found.verdict == "unassessed"
    assert api in found.reason


def test_a_definition_serves_its_versions() -> None:
    asked = _raw("example.com/v1", "Thing", space="default")
    assert _asked(asked, world(_of(_definition()))).verdict == "admitted"
    other = _asked(asked, world(_of(_definition(version="v2"))))
    assert other.code == 404
    assert "serves v2" in says(other)[0]
    assert _asked(asked, world(_of(_definition(served=False)))).code == 404
    server = Server(world())
    assert server.admit(_of(_definition())).verdict == "admitted"
    assert server.admit(_of(asked)).verdict == "admitted"


def test_a_live_world_knows_what_it_serves() -> None:
    api = _raw("apiregistration.k8s.io/v1", "APIService")
    asked = _raw("example.com/v1", "Thing", space="default")
    knows = world(_of(api), live=True)
    assert _asked(asked, knows).code == 404
    hidden = {"CustomResourceDefinition.apiextensions.k8s.io": "forbidden"}
    assert _asked(asked, world(_of(api), live=True, unlisted=hidden)).verdict == "unassessed"
    api["metadata"]["name"] = "v1.example.com"
    assert _asked(asked, world(_of(api), live=True)).verdict == "unassessed"
    there = _of(_raw("example.com/v1", "Thing"), "test")
    assert _asked(asked, world(there, live=True)).verdict == "admitted"


def test_a_namespace_is_there_or_assumed_or_made() -> None:
    asked = _raw("v1", "ConfigMap", space="shop")
    assert any("shop is not in the world" in note for note in _asked(asked).notes)
    beside = thing("Service", "s", {})
    assert _asked(asked, world(beside)).notes == ()
    other = _of(_raw("v1", "Namespace"))
    lost = _asked(asked, world(other, live=True))
    assert (lost.code, says(lost)) == (404, ['namespaces "shop" not found'])
    assert _asked(asked, world(other, live=True, read=["x"])).verdict == "admitted"
    server = Server(world(other, live=True))
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    assert server.admit(_of(space)).verdict == "admitted"
    assert server.admit(_of(asked)).verdict == "admitted"


def test_what_lies_in_no_namespace_has_none() -> None:
    """The server drops it; so no namespace is missed, and no quota asked."""
    other = _of(_raw("v1", "Namespace"))
    roles = "clusterroles.rbac.authorization.k8s.io"
    space = {"name": "q", "namespace": "shop"}
    held = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": space}
    none = _of({**held, "spec": {"hard": {f"count/{roles}": "0"}}}, "test")
    asked = _raw("rbac.authorization.k8s.io/v1", "ClusterRole", space="shop")
    assert _asked(asked, world(other, none, live=True)).verdict == "admitted"
    made = _definition()
    made["spec"]["scope"] = "Cluster"
    custom = _raw("example.com/v1", "Thing", space="shop")
    assert _asked(custom, world(other, _of(made), live=True)).verdict == "admitted"
    made["spec"]["scope"] = "Namespaced"
    assert _asked(custom, world(other, _of(made), live=True)).code == 404
    api = _raw("apiregistration.k8s.io/v1", "APIService")
    api["metadata"]["name"] = "v1.example.com"  # nobody knows whether its kinds lie in namespaces
    assert _asked(custom, world(other, _of(api), live=True)).verdict == "unassessed"


def test_a_name_that_the_server_makes_up_is_a_new_one() -> None:
    metadata = {"namespace": "default"}
    raw = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    found = _asked(raw)
    assert found.code == 422
    assert says(found) == ["metadata.name: Required value: name or generateName is required"]
    raw["metadata"] = {**metadata, "generateName": "x-"}
    assert _asked(raw, world(_of(raw))).code == 201
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "metadata": {}}
    assert _asked(review).verdict == "admitted"


def test_many_quotas_are_read_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    known = quotas._quota

    def counting(resource: Resource, here: Cluster) -> quotas.Quota:
        read.append(resource.ref.name)
        return known(resource, here)

    monkeypatch.setattr(quotas, "_quota", counting)
    server = Server(world())
    for number in range(30):
        server.admit(thing("ResourceQuota", f"q{number}", {"hard": {"pods": "5"}}))
    assert len(read) == 30


def test_what_is_there_may_change_while_its_namespace_goes() -> None:
    dying = _raw("v1", "Namespace", status={"phase": "Terminating"})
    dying["metadata"]["name"] = "dying"
    asked = _raw("v1", "ConfigMap", space="dying")
    assert _asked(asked, world(_of(dying), live=True)).code == 403
    found = _asked(asked, world(_of(dying), _of(asked, "test"), live=True))
    assert (found.verdict, found.code) == ("admitted", 200)


@pytest.mark.parametrize(
    ("minor", "verdict"), [(26, "admitted"), (31, "admitted"), (32, "refused")]
)
def test_a_beta_of_what_was_on_is_on(minor: int, verdict: str) -> None:
    asked = _raw("flowcontrol.apiserver.k8s.io/v1beta3", "FlowSchema")
    assert _asked(asked, world(kubernetes=minor)).verdict == verdict
    new = _raw("admissionregistration.k8s.io/v1beta1", "ValidatingAdmissionPolicy")
    assert _asked(new, world(kubernetes=28)).verdict == "unassessed"


@pytest.mark.apiserver
def test_like_a_real_server(tmp_path: Path) -> None:
    there = _raw("v1", "Secret", space="dying")
    kinds = [
        _raw("v1", "ConfigMap", space="default"),
        _raw("v1", "ConfigMap", space="lost"),
        _raw("v1", "ConfigMap", space="dying"),
        _raw("v1", "Banana", space="default"),
        _raw("example.com/v1", "Thing", space="default"),
        _raw("audit.k8s.io/v1", "Policy"),
        _raw("rbac.authorization.k8s.io/v1", "ClusterRole", space="lost"),
        there,
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "default"}},
        _raw("v1", "ComponentStatus"),
        _raw("autoscaling/v1", "Scale", space="default"),
    ]
    file = tmp_path / "objects.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": kinds}))
    paths = [
        "/api/v1/namespaces/default/configmaps",
        "/api/v1/namespaces/lost/configmaps",
        "/api/v1/namespaces/dying/configmaps",
        "/api/v1/namespaces/default/bananas",
        "/apis/example.com/v1/namespaces/default/things",
        "/apis/audit.k8s.io/v1/policies",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles",
        "/api/v1/namespaces/dying/secrets/x",
        "/api/v1/namespaces/default/secrets",
        "/api/v1/componentstatuses",
        "/apis/autoscaling/v1/namespaces/default/scales",
    ]
    try:
        with run() as server:
            dying = {"metadata": {"name": "dying"}}
            server.request("POST", "/api/v1/namespaces", dying)
            server.request("POST", "/api/v1/namespaces/dying/secrets", there)
            server.request("DELETE", "/api/v1/namespaces/dying")
            words = ("resources", "admit", str(file), "-f", "cluster", "-o", "json")
            done = martello(*words, kubeconfig=server.kubeconfig())
            told = json.loads(done.out)["objects"]
            assert len(told) == len(kinds)
            same = 0
            for raw, path, one in zip(kinds, paths, told, strict=True):
                method = "PUT" if raw is there else "POST"
                answer = server._client.request(method, path, json=raw)
                assert one["code"] == answer.status_code, one
                if answer.is_error and "namespace" in answer.text:
                    assert one["says"] == answer.json()["message"]
                    same += 1
            assert same == 2
    except Missing as missing:
        pytest.skip(str(missing))
