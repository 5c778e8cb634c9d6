"""Nodes: their authorizer lets them reach what their pods use; NodeRestriction limits writes."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.access.objects import Object, ask, bind, role, rule, thing

from martello.practices.access import Access
from martello.practices.access.model import Principal, Request
from martello.practices.access.nodes import restricted
from martello.practices.access.principals import node

N1 = node("n1")
SPEC: dict[str, Any] = {
    "serviceAccountName": "api",
    "imagePullSecrets": [{"name": "pull"}],
    "containers": [
        {
            "name": "c",
            "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "env", "key": "k"}}}],
            "envFrom": [{"configMapRef": {"name": "settings"}}, {"secretRef": {"name": "all"}}],
        }
    ],
    "volumes": [
        {"name": "s", "secret": {"secretName": "vol"}},
        {"name": "p", "projected": {"sources": [{"secret": {"name": "proj"}}]}},
        {"name": "d", "persistentVolumeClaim": {"claimName": "data"}},
    ],
}


def _pod(name: str, on: str, spec: dict[str, Any], **metadata: Any) -> Object:
    made = thing("Pod", name, "shop", "v1", spec={**spec, "nodeName": on})
    made["metadata"].update(metadata)
    return made


CLAIM = thing("PersistentVolumeClaim", "data", "shop", "v1", spec={"volumeName": "pv1"})
VOLUME = thing(
    "PersistentVolume",
    "pv1",
    api="v1",
    spec={"csi": {"nodePublishSecretRef": {"name": "csi", "namespace": "storage"}}},
)


def _world(*more: Object, **rest: Any) -> Access:
    return ask(_pod("web", "n1", SPEC), CLAIM, VOLUME, *more, **rest)


@pytest.mark.parametrize(
    ("verb", "resource", "name", "verdict"),
    [
        *[("get", "secrets", n, "allowed") for n in ("pull", "env", "all", "vol", "proj")],
        ("list", "secrets", "vol", "allowed"),
        ("watch", "secrets", "vol", "allowed"),
        ("get", "secrets", "other", "denied"),
        ("list", "secrets", "", "denied"),
        ("update", "secrets", "vol", "denied"),
        ("get", "configmaps", "settings", "allowed"),
        ("get", "configmaps", "vol", "denied"),
        ("get", "persistentvolumeclaims", "data", "allowed"),
        ("list", "persistentvolumeclaims", "data", "denied"),
        ("get", "services", "any", "allowed"),
        ("delete", "pods", "any", "allowed"),
        ("get", "serviceaccounts", "api", "denied"),
    ],
)
def test_what_a_node_reaches(verb: str, resource: str, name: str, verdict: str) -> None:
    asked = Request(verb, "", resource, name=name, namespace="shop")
    assert _world().can(N1, asked).verdict == verdict
    if resource in ("secrets", "configmaps"):
        assert _world().can(node("n2"), asked).verdict == "denied"


def test_volumes_their_secrets_and_tokens() -> None:
    ours = _world()
    assert ours.can(N1, Request("get", "", "persistentvolumes", name="pv1")).verdict == "allowed"
    secret = Request("get", "", "secrets", name="csi", namespace="storage")
    assert ours.can(N1, secret).verdict == "allowed"
    for name, verdict in (("api", "allowed"), ("other", "denied")):
        token = Request("create", "", "serviceaccounts", "token", name, "shop")
        assert ours.can(N1, token).verdict == verdict


@pytest.mark.parametrize(
    ("asked", "before", "since"),
    [
        (Request("get", "", "nodes", name="n1"), "allowed", "allowed"),
        (Request("get", "", "nodes", name="n2"), "allowed", "denied"),
        (Request("list", "", "nodes"), "allowed", "denied"),
        (Request("update", "", "nodes", name="n2"), "allowed", "allowed"),
        (Request("get", "", "pods", name="web", namespace="shop"), "allowed", "allowed"),
        (Request("get", "", "pods", name="far", namespace="shop"), "allowed", "denied"),
        (Request("list", "", "pods", namespace="shop"), "allowed", "denied"),
    ],
)
def test_nodes_read_themselves_alone_since_132(asked: Request, before: str, since: str) -> None:
    far = _pod("far", "n2", {})
    assert _world(far, kubernetes=31).can(N1, asked).verdict == before
    assert _world(far, kubernetes=32).can(N1, asked).verdict == since


def test_claims_and_slices_of_devices() -> None:
    claims = {"resourceClaims": [{"name": "gpu", "resourceClaimName": "gpu"}]}
    own = thing("ResourceSlice", "s", api="resource.k8s.io/v1", spec={"nodeName": "n1"})
    ours = _world(_pod("dev", "n1", claims), own)
    device = ("resource.k8s.io", "resourceclaims", "")
    for name, verdict in (("gpu", "allowed"), ("other", "denied")):
        assert ours.can(N1, Request("get", *device, name, "shop")).verdict == verdict
    asked = Request("delete", "resource.k8s.io", "resourceslices", name="s")
    assert [ours.can(w, asked).verdict for w in (N1, node("n2"))] == ["allowed", "denied"]


def test_mirror_pods_refer_to_nothing() -> None:
    mirror = _pod("m", "n1", SPEC, annotations={"kubernetes.io/config.mirror": "x"})
    ours = ask(mirror, CLAIM, VOLUME)
    asked = Request("get", "", "secrets", name="vol", namespace="shop")
    assert ours.can(N1, asked).verdict == "denied"


def test_own_leases_and_attachments() -> None:
    lease = ("coordination.k8s.io", "leases", "")
    attached = thing("VolumeAttachment", "va", api="storage.k8s.io/v1", spec={"nodeName": "n1"})
    ours = _world(attached)
    for name, space, verdict in (
        ("n1", "kube-node-lease", "allowed"),
        ("n2", "kube-node-lease", "denied"),
        ("n1", "shop", "denied"),
    ):
        assert ours.can(N1, Request("update", *lease, name, space)).verdict == verdict
    asked = Request("get", "storage.k8s.io", "volumeattachments", name="va")
    assert [ours.can(w, asked).verdict for w in (N1, node("n2"))] == ["allowed", "denied"]


def test_both_the_name_and_the_group_make_a_node() -> None:
    asked = Request("get", "", "secrets", name="vol", namespace="shop")
    assert _world().can(Principal("system:node:n1"), asked).verdict == "denied"
    assert _world().can(Principal("jo", ("system:nodes",)), asked).verdict == "denied"


def test_rbac_adds_to_what_the_authorizer_of_nodes_leaves() -> None:
    more = (role("r", rule("get", "secrets")), bind("b", "r", "group:system:nodes"))
    asked = Request("get", "", "secrets", name="other", namespace="shop")
    assert _world(*more).can(N1, asked).verdict == "allowed"


def test_which_pods_run_there_may_be_unknown() -> None:
    asked = Request("get", "", "secrets", name="other", namespace="shop")
    assert _world(unlisted={"Pod": "forbidden"}).can(N1, asked).verdict == "unknown"
    assert _world(complete=False).can(N1, asked).verdict == "unknown"


def test_who_can_lists_nodes() -> None:
    ours = _world(thing("Node", "n1", api="v1"), thing("Node", "n2", api="v1"))
    asked = Request("get", "", "secrets", name="vol", namespace="shop")
    assert [str(s) for s, _ in ours.who_can(asked)[1:]] == ["User system:node:n1"]


@pytest.mark.parametrize(
    ("asked", "refused"),
    [
        (Request("update", "", "nodes", name="n1"), False),
        (Request("patch", "", "nodes", "status", "n2"), True),
        (Request("delete", "", "pods", name="web", namespace="shop"), False),
        (Request("delete", "", "pods", name="far", namespace="shop"), True),
        (Request("create", "", "pods", namespace="shop"), True),
        (Request("get", "", "nodes", name="n2"), False),
    ],
)
def test_node_restriction(asked: Request, refused: bool) -> None:
    ours = _world(_pod("far", "n2", {}))
    assert bool(restricted(N1, asked, ours.cluster)) is refused


@pytest.mark.parametrize("spec", [7, {"volumes": 7}, {"volumes": [{"secret": {"name": 3}}]}, {}])
def test_hostile_pods_end(spec: Any) -> None:
    made = thing("Pod", "x", "shop", "v1", spec=spec)
    if isinstance(spec, dict):
        made["spec"] = {**spec, "nodeName": "n1"}
    asked = Request("get", "", "secrets", name="other", namespace="shop")
    assert ask(made).can(N1, asked).verdict == "denied"
