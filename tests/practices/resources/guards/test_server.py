"""A real kube-apiserver takes all that is in a namespace with its guards, each workload at
its most, and refuses more. GUARDED=40 makes more worlds.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.apiserver import ApiServer, Missing, run
from tests.support.command import martello
from tests.support.resources.guarded import deployment, hook, may, priority_class, thing, world

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, resource_of
from martello.practices.resources.admission.pods import pod_from
from martello.practices.resources.guards.model import Evidence
from martello.practices.resources.guards.most import at_most
from martello.practices.resources.guards.prove import proved
from martello.practices.resources.guards.scoring import State
from martello.practices.resources.node.settings import nodes

WORLDS = int(os.environ.get("GUARDED", "5"))
_SETTLED = 1.5  # seconds until the admission plug-ins have heard of what was made
HIGH = {
    "apiVersion": "scheduling.k8s.io/v1",
    "kind": "PriorityClass",
    "metadata": {"name": "high"},
    "value": 1000,
}


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    """A kube-apiserver with the plug-ins that guards speak to."""
    flags = ("--enable-admission-plugins=LimitRanger,ResourceQuota,NodeRestriction",)
    try:
        with run(arguments=flags) as found:
            found.request("POST", found.collection(HIGH), HIGH)
            yield found
    except Missing as missing:
        pytest.skip(str(missing))


def _in_force(server: ApiServer, raw: dict[str, Any]) -> None:
    """Makes a quota, and plays the controller that fills its status."""
    made = server.request("POST", server.collection(raw), raw)
    hard = raw["spec"]["hard"]
    status = {"hard": hard, "used": dict.fromkeys(hard, "0")}
    path = f"{server.collection(raw)}/{raw['metadata']['name']}/status"
    server.request("PUT", path, {**made, "status": status})


def _sent(server: ApiServer, raw: dict[str, Any], name: str = "") -> str:
    """What the server says to an object: nothing where it takes it."""
    body = {**raw, "metadata": {**raw["metadata"], **({"name": name} if name else {})}}
    answer = server.request("POST", server.collection(body), body, check=False)
    return "" if answer["kind"] != "Status" else str(answer["message"])


@pytest.mark.apiserver
def test_everything_is_let_in_and_more_is_not(server: ApiServer, tmp_path: Path) -> None:
    spaces = {f"guarded-{seed}": world(seed, f"guarded-{seed}") for seed in range(WORLDS)}
    proofs = {}
    for space, raws in spaces.items():
        given = Cluster([resource_of(raw, Nowhere()) for raw in (HIGH, *raws)], kubernetes=20)
        guards, proof = proved(given, (space,), Evidence(), State(nodes(given)))
        assert proof.holds
        proofs[space] = given, proof
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}}
        server.request("POST", "/api/v1/namespaces", body)
        for raw in (*raws, *(one.raw for one in guards.objects)):
            if raw["kind"] == "ResourceQuota":
                _in_force(server, raw)
            elif raw["kind"] == "LimitRange":
                server.request("POST", server.collection(raw), raw)
    time.sleep(_SETTLED)
    sent = refused = 0
    for space, raws in spaces.items():
        given, proof = proofs[space]
        doubtful = {one.object.split("/")[-1] for one in (*proof.already, *proof.unassessed)}
        for raw in raws:
            if raw["kind"] not in ("ResourceQuota", "LimitRange"):
                assert _sent(server, raw) == "", (space, raw)
        last: dict[str, Any] = {}
        for workload in given.workloads(space):
            pod = pod_from(workload)
            if workload.resource.ref.name in doubtful:
                continue
            for number in range(at_most(workload, given)):
                name = f"{pod['metadata']['name']}-{number}"
                assert _sent(server, pod, name) == "", (space, name)
                sent += 1
            last = pod
        if last:
            for number in range(200):
                told = _sent(server, last, f"more-{number}")
                if told:
                    assert "exceeded quota: martello-" in told
                    refused += 1
                    break
            else:
                pytest.fail(f"{space}: 200 pods more are let in")
    print(f"{len(spaces)} worlds, {sent} pods let in, {refused} refused after that")
    assert sent > 3 * WORLDS
    assert refused >= WORLDS - 1
    words = ("resources", "quota", "-f", "cluster", "-o", "json", "--allow-incomplete")
    done = martello(*words, "--write", str(tmp_path / "guards"), kubeconfig=server.kubeconfig())
    assert done.code == 0, done.out + done.err
    live = json.loads(done.out)[
        "proof"
    ]  # of the cluster as it is by now, its own guards taken away
    assert live["pods"] > sent
    assert not live["refused"]


@pytest.mark.apiserver
def test_priority_classes_are_for_those_who_use_them(server: ApiServer) -> None:
    """Guards of priority classes: what uses a class is let in at its most, in its new class too;
    one more is not, nor anybody in a class that a namespace does not use.
    """
    classes = [priority_class("urgent", 2000)]
    raws = [
        *hook(),
        deployment("policy", "gate"),
        *(deployment(f"etl-{n}", f"tenant-{n}", 1 + n % 3) for n in range(WORLDS)),
        *(deployment("plain", f"tenant-{n}", 9) for n in range(WORLDS)),
        deployment("plain", "gate", 9),
    ]
    for raw in raws:
        if raw["metadata"]["name"].startswith("etl"):
            spec = raw["spec"]["template"]["spec"]
            spec["priorityClassName"] = "urgent" if raw["spec"]["replicas"] > 1 else "high"
    high = server.request("GET", f"{server.collection(HIGH)}/high")
    room = {"cpu": "64", "memory": "256Gi", "ephemeral-storage": "1Ti", "pods": "999"}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}}
    large = {**node, "status": {"capacity": room, "allocatable": room}}
    found = [resource_of(raw, Nowhere()) for raw in (large, high, *classes, *raws)]
    given = Cluster(found, kubernetes=20)
    spaces = ("gate", *(f"tenant-{n}" for n in range(WORLDS)))
    rights = State(nodes(given), may=may, levels=("container", "namespace"))
    guards, proof = proved(given, spaces, Evidence(), rights)
    assert proof.holds
    (patch,) = guards.patches
    assert [one.owner for one in proof.kept] == ["gate/deploy/policy"]
    for raw in (*classes, *(one.raw for one in guards.classes)):
        assert _sent(server, raw) == ""
    for space in spaces:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}}
        server.request("POST", "/api/v1/namespaces", body)
    for one in guards.objects:
        if one.ref.kind == "ResourceQuota":
            _in_force(server, one.raw)
        else:
            server.request("POST", server.collection(one.raw), one.raw)
    time.sleep(_SETTLED)
    after = given.apply((*guards.classes, patch.after))
    let_in = refused = 0
    for workload in after.workloads():
        space, pod = workload.namespace, pod_from(workload)
        own = pod["spec"].get("priorityClassName")
        if own is None:
            continue  # its room is left to others: not what bounds them here
        most = at_most(workload, after)
        for number in range(most):
            assert _sent(server, pod, f"one-{number}") == "", (space, own)
            let_in += 1
        stored = server.request("GET", f"{server.collection(pod)}/one-0")
        assert stored["spec"]["priority"] == {"urgent": 2000, "high": 1000}.get(own, 1_000_000)
        never = "Never" if own == "martello-platform" else "PreemptLowerPriority"
        assert stored["spec"]["preemptionPolicy"] == never
        others = {"urgent", "high", "martello-platform", "system-cluster-critical"} - {own}
        for name in sorted((*others, "system-node-critical")):
            other = {**pod, "spec": {**pod["spec"], "priorityClassName": name}}
            told = _sent(server, other, "other")
            assert "exceeded quota: martello-priority, requested: pods=1" in told, (space, name)
            refused += 1
        plain = {key: value for key, value in pod["spec"].items() if key != "priorityClassName"}
        assert _sent(server, {**pod, "spec": plain}, "plain") == ""
        bound = f"martello-priority-{own}"
        amounts = {"memory": "4Mi", "ephemeral-storage": "1Mi"}
        small = {"requests": {"cpu": "1m", **amounts}, "limits": amounts}
        tiny = {
            **pod,
            "spec": {
                **pod["spec"],
                "containers": [{**pod["spec"]["containers"][0], "resources": small}],
            },
        }
        told = ""
        for number in range(30):
            told = told or _sent(server, tiny, f"more-{number}")
        assert f"exceeded quota: {bound}" in told, (space, told)
        refused += 1
    print(f"{len(spaces)} namespaces, {let_in} pods let in, {refused} refused")
    assert let_in > WORLDS


@pytest.mark.apiserver
def test_no_quota_counts_events(server: ApiServer) -> None:
    """Why no guard says `count/events`: the server lets events in whatever such a quota says."""
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "events"}}
    server.request("POST", "/api/v1/namespaces", body)
    for key in ("count/events", "count/configmaps"):
        name = key.partition("/")[2]
        _in_force(server, thing("ResourceQuota", name, "events", {"hard": {key: "0"}}))
    time.sleep(_SETTLED)
    about = {"kind": "Pod", "namespace": "events", "name": "web"}
    event = thing("Event", "one", "events", involvedObject=about, reason="Tried", type="Normal")
    assert _sent(server, event) == ""
    assert "exceeded quota" in _sent(server, thing("ConfigMap", "one", "events"))
