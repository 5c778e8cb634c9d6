"""Access reviews of nodes in a real API server with the Node authorizer: ours must say the same."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.access.objects import Object, thing
from tests.support.access.reviews import review, stored
from tests.support.apiserver import ApiServer, Missing, run

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, resource_of
from martello.practices.access import Access
from martello.practices.access.model import Request
from martello.practices.access.principals import node

pytestmark = pytest.mark.apiserver

REVIEWS = 1500
_LISTED = (
    ("v1", "Pod", "/api/v1/pods"),
    ("v1", "PersistentVolumeClaim", "/api/v1/persistentvolumeclaims"),
    ("v1", "PersistentVolume", "/api/v1/persistentvolumes"),
    ("storage.k8s.io/v1", "VolumeAttachment", "/apis/storage.k8s.io/v1/volumeattachments"),
)
_KINDS = (
    ("", "secrets"),
    ("", "configmaps"),
    ("", "persistentvolumeclaims"),
    ("", "persistentvolumes"),
    ("", "serviceaccounts"),
    ("", "pods"),
    ("", "nodes"),
    ("", "services"),
    ("", "endpoints"),
    ("", "events"),
    ("storage.k8s.io", "volumeattachments"),
    ("storage.k8s.io", "csinodes"),
    ("coordination.k8s.io", "leases"),
    ("certificates.k8s.io", "certificatesigningrequests"),
    ("node.k8s.io", "runtimeclasses"),
    ("apps", "secrets"),
)
_VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
_NAMES = ("a", "b", "c", "n1", "n2", "")
_SPACES = ("shop", "kube-node-lease", "ops", "")


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    try:
        with run(arguments=["--authorization-mode=Node"]) as made:  # beside RBAC
            yield made
    except Missing as missing:
        pytest.skip(str(missing))


def _pod(name: str, on: str, **spec: Any) -> Object:
    containers = [{"name": "c", "image": "x", **spec.pop("container", {})}]
    return thing("Pod", name, "shop", "v1", spec={"nodeName": on, "containers": containers, **spec})


def _objects() -> list[Object]:
    env = [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "b", "key": "k"}}}]
    more = [{"configMapRef": {"name": "a"}}, {"secretRef": {"name": "c"}}]
    claim: Object = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
        "volumeName": "a",
    }
    volume: Object = {
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": "1Gi"},
        "claimRef": {"namespace": "shop", "name": "a"},
        "csi": {
            "driver": "d",
            "volumeHandle": "h",
            "nodePublishSecretRef": {"name": "b", "namespace": "ops"},
            "controllerPublishSecretRef": {"name": "c", "namespace": "ops"},
        },
    }
    attachment = {"attacher": "d", "nodeName": "n1", "source": {"persistentVolumeName": "a"}}
    return [
        thing("PersistentVolume", "a", api="v1", spec=volume),
        thing("PersistentVolumeClaim", "a", "shop", "v1", spec=claim),
        thing("VolumeAttachment", "a", api="storage.k8s.io/v1", spec=attachment),
        _pod("one", "n1", container={"env": env}, serviceAccountName="a"),
        _pod(
            "two",
            "n1",
            imagePullSecrets=[{"name": "a"}],
            volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "a"}}],
        ),
        _pod("three", "n2", container={"envFrom": more}, serviceAccountName="b"),
        _pod(
            "four",
            "n2",
            volumes=[
                {"name": "s", "secret": {"secretName": "b"}},
                {"name": "m", "projected": {"sources": [{"configMap": {"name": "c"}}]}},
            ],
        ),
    ]


def _cluster(server: ApiServer) -> Cluster:
    found = list(stored(server).resources)
    for api, kind, path in _LISTED:
        for one in server.request("GET", path)["items"]:
            raw = {"apiVersion": api, "kind": kind, **one}
            found.append(resource_of(raw, Nowhere(), "server"))
    return Cluster(found)


def test_reviews_of_nodes_agree(server: ApiServer) -> None:
    server.apply(_objects())
    last = {"verb": "get", "resource": "secrets", "name": "b", "namespace": "shop"}
    deadline = time.monotonic() + 10
    for name in ("n1", "n2"):
        while not review(server, f"system:node:{name}", ("system:nodes",), last):
            assert time.monotonic() < deadline, "the authorizer does not see the pods"
            time.sleep(0.02)
    time.sleep(0.2)
    ours = Access(_cluster(server))
    pick = random.Random("nodes")
    seen = {True: 0, False: 0}
    for _ in range(REVIEWS):
        group, resource = pick.choice(_KINDS)
        asked = {
            "verb": pick.choice(_VERBS),
            "group": group,
            "resource": resource,
            "subresource": pick.choice(("", "", "", "status", "token", "proxy")),
            "name": pick.choice(_NAMES),
            "namespace": pick.choice(_SPACES),
        }
        who = node(pick.choice(("n1", "n2")))
        wanted = review(server, who.username, who.groups, asked)
        found = ours.can(who, Request(**asked))
        assert found.verdict == ("allowed" if wanted else "denied"), (who.username, asked, found)
        seen[wanted] += 1
    assert min(seen.values()) > REVIEWS // 30
