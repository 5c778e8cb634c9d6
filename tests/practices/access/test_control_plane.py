"""The parts of a real control plane beside RBAC: its Node authorizer gives the answers that ours
gives, and its controller gathers into roles what we compute in files.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.access.objects import Object, role, thing
from tests.support.access.random_world import GROUP, rule
from tests.support.access.reviews import LABEL, clear, review, stored
from tests.support.apiserver import ApiServer, Missing, binaries, run

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, resource_of
from martello.practices.access import Access
from martello.practices.access.aggregate import read_roles
from martello.practices.access.cover import covers
from martello.practices.access.model import Request
from martello.practices.access.principals import node

pytestmark = pytest.mark.apiserver

ROLES = 30
_CLUSTER_ROLES = f"/apis/{GROUP}/v1/clusterroles"
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
# What may be read once the authorizer has seen pods, volumes, attachments: it watches each apart.
_LAST = (
    {"verb": "get", "resource": "secrets", "name": "b", "namespace": "shop"},
    {"verb": "get", "resource": "secrets", "name": "b", "namespace": "ops"},
    {"verb": "get", "group": "storage.k8s.io", "resource": "volumeattachments", "name": "a"},
)
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
    minor = int(server.request("GET", "/version")["minor"].rstrip("+"))
    return Cluster(found, kubernetes=minor)


def test_reviews_of_nodes_agree(server: ApiServer) -> None:
    server.apply(_objects())
    deadline = time.monotonic() + 30
    for last in _LAST:
        while not review(server, "system:node:n1", ("system:nodes",), last):
            assert time.monotonic() < deadline, f"the authorizer does not see {last}"
            time.sleep(0.02)
    while not review(server, "system:node:n2", ("system:nodes",), _LAST[0]):
        assert time.monotonic() < deadline, "the authorizer does not see the pods"
        time.sleep(0.02)
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


@pytest.fixture
def controller(server: ApiServer) -> Iterator[ApiServer]:
    """The server with the controller that aggregates roles beside it."""
    binary = shutil.which("kube-controller-manager", path=str(binaries()))
    if binary is None:
        pytest.skip("no kube-controller-manager in KUBEBUILDER_ASSETS")
    command = [
        binary,
        f"--kubeconfig={server.kubeconfig()}",
        "--controllers=clusterrole-aggregation",
        "--leader-elect=false",
        "--port=0",
        "--secure-port=0",
    ]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet)
    try:
        yield server
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()
        clear(server)


def _roles(pick: random.Random) -> list[Object]:
    """Roles that choose by labels those that come after them: nested, and each one by several."""
    made: list[Object] = []
    for number in range(ROLES):
        labels = {LABEL: "yes", **{f"to-{pick.randrange(6)}": "y" for _ in range(2)}}
        name = f"agg-{number:02}"
        if number >= ROLES // 3:
            rules = [rule(pick, True, True) for _ in range(pick.randint(0, 3))]
            made.append(role(name, *rules, labels=labels))
            continue
        level = {"level": str(number)}
        selectors: list[Object] = [{"matchLabels": {f"to-{pick.randrange(6)}": "y"}}]
        if number:
            selectors.append({"matchLabels": {"level": str(pick.randrange(number))}})
        if pick.random() < 0.3:
            odd = {"key": f"to-{pick.randrange(6)}", "operator": "Exists"}
            selectors.append({"matchExpressions": [odd]})
        chosen = {"clusterRoleSelectors": selectors}
        made.append(role(name, labels={LABEL: "yes", **level}, aggregationRule=chosen))
    return [*made, *_odd()]


def _odd() -> list[Object]:
    """Roles in a circle with a leaf, one that gathers nothing, and a part of a role of old."""

    def top(name: str, chosen: str, own: str) -> Object:
        gathers = {"clusterRoleSelectors": [{"matchLabels": {chosen: "y"}}]}
        return role(name, labels={LABEL: "yes", own: "y"}, aggregationRule=gathers)

    part = {"rbac.authorization.k8s.io/aggregate-to-edit": "true"}
    leaf = {"verbs": ["list"], "apiGroups": [""], "resources": ["secrets"]}
    return [
        top("odd-one", "into-one", "into-two"),
        top("odd-two", "into-two", "into-one"),
        top("odd-nothing", "into-nowhere", "x"),
        role("odd-leaf", leaf, labels={LABEL: "yes", "into-one": "y"}),
        role("odd-edit", {**leaf, "verbs": ["patch"]}, labels={LABEL: "yes", **part}),
    ]


def _same(server: ApiServer, written: list[Object]) -> list[str]:
    """The aggregated roles in which the server and we differ."""
    ours = read_roles(Cluster(resource_of(each, Nowhere()) for each in written))
    listed = server.request("GET", _CLUSTER_ROLES)["items"]
    api = {"apiVersion": f"{GROUP}/v1", "kind": "ClusterRole"}
    theirs = read_roles(Cluster(resource_of({**api, **one}, Nowhere(), "s") for one in listed))
    wrong = []
    for each in written:
        if "aggregationRule" in each:
            key = ("ClusterRole", "", each["metadata"]["name"])
            mine, stored = ours[key].rules, theirs[key].rules
            if not (covers(mine, stored)[0] and covers(stored, mine)[0]):
                wrong.append(each["metadata"]["name"])
    return wrong


def test_the_controller_gathers_what_we_gather(controller: ApiServer) -> None:
    written = _roles(random.Random("aggregated"))
    for each in written:
        controller.request("POST", _CLUSTER_ROLES, each)
    defaults = [
        {"apiVersion": f"{GROUP}/v1", "kind": "ClusterRole", **one}
        for one in controller.request("GET", _CLUSTER_ROLES)["items"]
        if one["metadata"]["labels"].get(LABEL) != "yes"
    ]
    assert {"admin", "edit", "view"} <= {o["metadata"]["name"] for o in defaults}
    everything = [*written, *(_unfilled(one) for one in defaults)]
    deadline = time.monotonic() + 30
    while wrong := _same(controller, everything):
        assert time.monotonic() < deadline, wrong
        time.sleep(0.2)
    time.sleep(0.5)
    assert _same(controller, everything) == []


def _unfilled(one: Object) -> Object:
    """A role as it would be written, without what the controller has put in."""
    metadata = {k: one["metadata"].get(k) or {} for k in ("name", "labels")}
    kept = {k: v for k, v in one.items() if k != "rules" or not one.get("aggregationRule")}
    return {**kept, "metadata": metadata}
