"""Guards of random worlds hold: nothing is refused, no score rises, and they bound what they say.
SEEDS=1000 makes more worlds.
"""

from __future__ import annotations

import os
import random
from typing import Any

import msgspec
import pytest
from tests.support.resources.guarded import thing, world

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, resource_of
from martello.practices.resources.admission.server import Server
from martello.practices.resources.amounts import amount
from martello.practices.resources.guards import generate, rounding
from martello.practices.resources.guards.filling import fill
from martello.practices.resources.guards.model import Evidence, Guards, Proof, Size
from martello.practices.resources.guards.most import at_most
from martello.practices.resources.guards.prove import prove, proved
from martello.practices.resources.guards.scoring import Before, State
from martello.practices.resources.node.model import Use
from martello.practices.resources.node.pods import pods
from martello.practices.resources.node.settings import nodes

SEEDS = int(os.environ.get("SEEDS", "60"))
HIGH = {
    "apiVersion": "scheduling.k8s.io/v1",
    "kind": "PriorityClass",
    "metadata": {"name": "high"},
    "value": 1000,
}


def cluster(*raws: dict[str, Any]) -> Cluster:
    """The objects as files, with one priority class."""
    return Cluster([resource_of(raw, Nowhere()) for raw in (HIGH, *raws)])


def made(given: Cluster, evidence: Evidence | None = None) -> tuple[Guards, Proof]:
    """The guards of namespace shop, and their proof."""
    return proved(given, ("shop",), evidence or Evidence(), State(nodes(given)))


def deployment(name: str = "web", replicas: int = 2, **container: Any) -> dict[str, Any]:
    """A Deployment of one container."""
    labels = {"app": name}
    spec = {"containers": [{"name": "app", "image": "x:1", **container}]}
    template = {"metadata": {"labels": labels}, "spec": spec}
    body = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return thing("Deployment", name, "shop", body)


@pytest.mark.parametrize("part", range(3))
def test_guards_of_random_worlds_hold(part: int) -> None:
    lowered = 0
    for seed in range(part, SEEDS, 3):
        given = cluster(*world(seed, "shop"))
        guards, proof = made(given)
        assert proof.holds, (seed, proof)
        assert not guards.empty
        lowered += bool(guards.left)
        for room in proof.headroom:
            assert max(room.now, room.most) <= room.hard, (seed, room)
        for score in proof.scores:
            assert list(score.worst) == sorted(score.worst, reverse=True), (seed, score)
    assert lowered < SEEDS // 6  # most of them hold as they were made


def test_ten_times_as_much_is_refused() -> None:
    refused = 0
    for seed in range(20):
        given = cluster(*world(seed, "shop"))
        guards, _ = made(given)
        server = Server(given.apply(guards.objects))
        for workload in given.workloads("shop"):
            most = 10 * at_most(workload, given) + 40
            found = server.admit(workload.resource, most)
            refused += found.verdict == "refused" and found.fitting < most
    assert refused > 20


def test_at_most_counts_autoscaler_and_surge() -> None:
    scaler = {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 10}
    given = cluster(deployment(), thing("HorizontalPodAutoscaler", "web", "shop", scaler))
    (workload,) = given.workloads("shop")
    assert at_most(workload, given) == 13  # and a quarter of ten more, rounded up
    found = fill(given, "shop", "at most")
    assert (found.pods, found.workloads) == (13, 1)


@pytest.mark.parametrize(
    ("strategy", "most"),
    [
        ({}, 5),
        ({"canary": {}}, 5),
        ({"canary": {"maxSurge": 2}}, 6),
        ({"canary": {"trafficRouting": {"nginx": {}}}}, 8),
        ({"blueGreen": {"activeService": "web"}}, 8),
        ({"blueGreen": None, "canary": [1]}, 5),
    ],
)
def test_rollouts_have_room_for_their_way_to_roll_out(strategy: Any, most: int) -> None:
    raw = {**deployment(replicas=4), "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout"}
    raw["spec"]["strategy"] = strategy
    given = cluster(raw)
    (workload,) = given.workloads("shop")
    assert at_most(workload, given) == most
    guards, proof = made(given)
    (compute,) = (one for one in guards.objects if one.ref.name == "martello-compute")
    assert int(compute.spec["hard"]["pods"]) > most
    assert proof.holds


def test_a_default_is_never_below_what_is_asked_or_measured() -> None:
    asked = {"requests": {"memory": "3Gi"}}
    given = cluster(deployment("big", resources=asked), deployment("free"))
    measured = {"shop/deploy/free/app": Size(cpu=80, memory=900 * 2**20)}
    guards, proof = made(given, Evidence(sizes=measured))
    (limits,) = (one for one in guards.objects if one.ref.kind == "LimitRange")
    default = amount(limits.spec["limits"][0]["default"]["memory"])
    assert default is not None
    assert default >= 3 * 2**30 * 1000
    assert guards.assumed == ("the memory of shop/deploy/big/app",)
    assert proof.holds
    (patch,) = guards.patches
    assert patch.body["spec"]["template"]["spec"]["containers"] == [
        {
            "name": "app",
            "resources": {
                "requests": {"cpu": "80m", "memory": "1Gi"},
                "limits": {"memory": "1Gi"},
            },
        }
    ]


def test_a_proof_that_does_not_hold_says_who_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    given = cluster(deployment(replicas=4, resources={"limits": {"memory": "1Gi"}}))
    monkeypatch.setattr(rounding, "size", lambda least: 2**30)  # quotas too small
    guards = generate.generate(given, ("shop",), Evidence())
    proof = prove(given, guards, Before(given, State(nodes(given))))
    assert not proof.holds
    assert proof.refused[0].object == "Deployment shop/web"
    assert "of 4 pods: exceeded quota: martello-compute" in proof.refused[0].says


def test_what_refuses_is_left_out_and_said() -> None:
    """A ratio that no default limit can keep: the namespace is only counted."""
    item = {"type": "Container", "maxLimitRequestRatio": {"memory": "1"}}
    old = thing("LimitRange", "old", "shop", {"limits": [item]})
    pair = {"requests": {"memory": "64Mi"}}
    given = cluster(
        old, deployment(resources={**pair, "limits": pair["requests"]}), deployment("b")
    )
    guards, proof = made(given)
    assert proof.holds
    keys = {key for one in guards.objects for key in one.spec.get("hard", ())}
    assert "count/secrets" in keys
    assert proof.already  # without a request the ratio refuses web's neighbour, guards or not


def test_nothing_of_an_earlier_run_counts() -> None:
    given = cluster(deployment())
    first, _ = made(given)
    again, proof = made(given.apply(first.objects))
    assert [one.raw for one in again.objects] == [one.raw for one in first.objects]
    assert proof.holds


def test_quotas_that_are_there_keep_their_keys() -> None:
    held = thing("ResourceQuota", "own", "shop", {"hard": {"requests.cpu": "9", "pods": "9"}})
    guards, proof = made(cluster(held, deployment()))
    keys = {key for one in guards.objects for key in one.spec.get("hard", ()) if one.spec["hard"]}
    assert "requests.cpu" not in keys
    assert "limits.memory" in keys
    assert proof.holds


def test_priority_classes_that_are_used_stay_open() -> None:
    own = deployment()
    own["spec"]["template"]["spec"]["priorityClassName"] = "high"
    guards, proof = made(cluster(own))
    (closed,) = (one for one in guards.objects if one.ref.name == "martello-priority")
    (scope,) = closed.spec["scopeSelector"]["matchExpressions"]
    assert scope["values"] == ["system-cluster-critical", "system-node-critical"]
    assert proof.holds


def test_amounts_are_those_that_people_write() -> None:
    assert [rounding.count(n) for n in (0, 1, 9.2, 11, 61, 101, 1201)] == [
        *(0, 1, 10, 12, 80, 120, 1500)
    ]
    assert [rounding.cpu(n) for n in (1, 212, 1430, 10_001)] == [10, 250, 1500, 12_000]
    mi = 2**20
    sizes = (1, 65 * mi, 402 * mi, 1025 * mi)
    assert [rounding.size(n) // mi for n in sizes] == [16, 80, 448, 1280]
    assert rounding.written("requests.memory", 1536 * mi * 1000) == "1536Mi"
    for least in range(1, 3000, 7):
        assert rounding.count(least) >= least
        assert rounding.cpu(least) >= least
        assert least * mi <= rounding.size(least * mi) <= max(16 * mi, least * mi * 5 // 4 + 4 * mi)


def test_live_pods_count_as_they_are() -> None:
    """A live world: pods that are there are admitted as stored, finished ones count as objects."""
    owner = deployment(replicas=1)
    owner["metadata"]["uid"] = "u1"
    refs = [{"kind": "Deployment", "name": "web", "uid": "u1", "controller": True}]
    raws = [HIGH, owner]
    for number, phase in enumerate(("Running", "Running", "Succeeded")):
        pod = thing("Pod", f"web-{number}", "shop", owner["spec"]["template"]["spec"])
        pod["metadata"]["ownerReferences"] = refs
        pod["spec"] = {**pod["spec"], "nodeName": "n"}
        pod["status"] = {"phase": phase}
        raws.append(pod)
    given = Cluster([resource_of(raw, Nowhere(), "live") for raw in raws], name="live")
    found = fill(given, "shop", "now")
    assert found.pods == 3
    state = State(tuple(msgspec.structs.replace(one, name="n") for one in nodes(given)))
    guards, proof = proved(given, ("shop",), Evidence(), state)
    rooms = {(room.key): (room.now, room.most) for room in proof.headroom}
    assert rooms["pods"] == (2000, 2000)
    assert rooms["count/pods"] == (3000, 3000)
    assert proof.holds
    assert not guards.left


@pytest.mark.parametrize("seed", range(4))
def test_no_score_rises_in_a_cluster_of_nodes(seed: int) -> None:
    """Many namespaces on small nodes, with random use: what is asked for changes, nobody moves."""
    choice = random.Random(seed)
    size = {"cpu": "4", "memory": "8Gi", "ephemeral-storage": "50Gi", "pods": "110"}
    raws = []
    for number in range(4):
        metadata = {"name": f"n{number}"}
        status = {"capacity": size, "allocatable": size}
        raws.append({"apiVersion": "v1", "kind": "Node", "metadata": metadata, "status": status})
    spaces = tuple(f"ns-{number}" for number in range(8))
    for number, space in enumerate(spaces):
        raws += world(100 * seed + number, space)
    given = cluster(*raws)
    use = {
        f"{pod.key}/{part.name}": Use(
            cpu=choice.choice((1, 20, 300, 1500)), memory=choice.choice((5, 80, 600)) * 2**20
        )
        for pod in pods(given)
        for part in pod.parts
        if choice.random() < 0.7
    }
    _, proof = proved(given, spaces, Evidence(), State(nodes(given), use))
    assert proof.holds, proof.scores
    (score,) = proof.scores
    assert not score.risen
    assert score.mean[0] > score.mean[-1]


@pytest.mark.parametrize("level", [1, 2])
def test_guards_that_leave_things_out_hold_too(level: int) -> None:
    for seed in range(20):
        given = cluster(*world(seed, "shop"))
        guards = generate.generate(given, ("shop",), Evidence(), {"shop": level})
        proof = prove(given, guards, Before(given, State(nodes(given))))
        assert not proof.refused, (seed, proof.refused)
        keys = {key for one in guards.objects for key in one.spec.get("hard", ())}
        assert "limits.memory" not in keys
        assert ("limits.ephemeral-storage" in keys) == (level < 2)
