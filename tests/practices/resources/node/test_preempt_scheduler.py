"""Preemption against a real kube-scheduler: random small worlds, the same pods removed.

Nodes and pods are objects only; no kubelet runs, so a pod that is removed keeps its deletion
timestamp. `ROUNDS` asks for more worlds.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.support.apiserver import ApiServer, binaries

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, resource_of
from martello.practices.resources.node.model import Node, Pod
from martello.practices.resources.node.pods import pods
from martello.practices.resources.node.preempt import Choice, budgets, victims
from martello.practices.resources.node.settings import nodes

WORLDS = int(os.environ.get("ROUNDS", "16"))
SCHEDULER = "preempt-test"
SPACES = ("preempt-a", "preempt-b")
PRIORITIES = {f"preempt-{value}": value for value in (-5, 0, 10, 20, 50)}
STARTS = [f"2026-03-01T10:{minute:02}:00Z" for minute in range(40)]
CPU, MEMORY = ("0", "100m", "250m", "500m", "1"), ("0", "64Mi", "100M", "256Mi")


@pytest.fixture(scope="module")
def scheduler(apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A kube-scheduler that looks at the pods of this file alone."""
    binary = shutil.which("kube-scheduler", path=str(binaries()))
    if binary is None:
        pytest.skip("no kube-scheduler in KUBEBUILDER_ASSETS")
    directory = tmp_path_factory.mktemp("scheduler")
    settings = {
        "apiVersion": "kubescheduler.config.k8s.io/v1beta1",
        "kind": "KubeSchedulerConfiguration",
        "clientConnection": {"kubeconfig": str(apiserver.kubeconfig()), "qps": 500, "burst": 500},
        "leaderElection": {"leaderElect": False},
        "profiles": [{"schedulerName": SCHEDULER}],
    }
    (directory / "config.json").write_text(json.dumps(settings))
    command = [binary, f"--config={directory / 'config.json'}", "--port=0", "--secure-port=0"]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def even(world: int) -> bool:
    """Every other world is of equal nodes and pods of few kinds: the later rules decide there."""
    return world % 2 == 1


def node(choice: random.Random, world: int, number: int) -> dict[str, Any]:
    amounts = {
        "cpu": choice.choice(("500m", "1", "2")),
        "memory": choice.choice(("256Mi", "512Mi", "1Gi")),
        "ephemeral-storage": "1Gi",
        "pods": choice.choice(("2", "4", "10")),
        "example.com/gpu": choice.choice(("0", "1", "2")),
    }
    if even(world):
        amounts |= {"cpu": "1", "memory": "1Gi", "pods": "10"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": f"preempt-{world}-{number}",
            "labels": {"preempt-world": str(world)},
        },
        "status": {"capacity": amounts, "allocatable": amounts},
    }


def container(choice: random.Random, name: str) -> dict[str, Any]:
    requests = {"cpu": choice.choice(CPU), "memory": choice.choice(MEMORY)}
    requests = {key: value for key, value in requests.items() if choice.random() < 0.8}
    resources: dict[str, Any] = {"requests": requests}
    if choice.random() < 0.2:
        resources["limits"] = {"example.com/gpu": "1"}
    return {"name": name, "image": "web:1", "resources": resources}


def pod(choice: random.Random, world: int, name: str, priority: str) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "schedulerName": SCHEDULER,
        "priorityClassName": priority,
        "nodeSelector": {"preempt-world": str(world)},
        "tolerations": [{"operator": "Exists"}],
        "containers": [container(choice, f"c{i}") for i in range(choice.randint(1, 2))],
    }
    if even(world):
        cpu = choice.choice(("500m", "1")) if "coming" in name else "500m"
        spec["containers"] = [
            {"name": "c", "image": "web:1", "resources": {"requests": {"cpu": cpu}}}
        ]
    elif choice.random() < 0.3:
        spec["initContainers"] = [container(choice, "i")]
    labels = {"world": str(world), "app": choice.choice("abc")} if choice.random() < 0.9 else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": choice.choice(SPACES), "labels": labels},
        "spec": spec,
    }


def placed(choice: random.Random, world: int) -> Iterator[dict[str, Any]]:
    """Pods on nodes, with times of start: no two of a node the same."""
    for number in range(3):
        starts = choice.sample(STARTS, 5) if choice.random() < 0.5 else STARTS[:5]
        for index in range(2 if even(world) else choice.randint(0, 5)):
            name = f"world-{world}-{number}-{index}"
            priority = choice.choice(("preempt--5", "preempt-0", "preempt-10", "preempt-20"))
            if even(world):
                priority = choice.choice(("preempt-0", "preempt-10"))
            made = pod(choice, world, name, priority)
            made["spec"]["nodeName"] = f"preempt-{world}-{number}"
            made["status"] = {"phase": "Running", "startTime": starts[index]}
            yield made


def budget(choice: random.Random, world: int, number: int) -> dict[str, Any]:
    selected = {"matchLabels": {"world": str(world), "app": choice.choice("abc")}}
    return {
        "apiVersion": "policy/v1beta1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": f"world-{world}-{number}", "namespace": choice.choice(SPACES)},
        "spec": {"minAvailable": 1, "selector": selected if choice.random() < 0.8 else {}},
        "status": {
            "disruptionsAllowed": choice.choice((0, 0, 1)),
            "currentHealthy": 2,
            "desiredHealthy": 1,
            "expectedPods": 2,
        },
    }


def create(server: ApiServer, one: dict[str, Any]) -> str:
    """Writes an object, its status too; its path."""
    collection = server.collection(one)
    made = server.request("POST", collection, one)
    path = f"{collection}/{one['metadata']['name']}"
    if one["kind"] != "Node" and "status" in one:
        server.request("PUT", f"{path}/status", {**made, "status": one["status"]})
    return path


def listed(server: ApiServer, version: str, plural: str) -> list[dict[str, Any]]:
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    answer = server.request("GET", f"{root}/{plural}")
    kind = answer["kind"].removesuffix("List")
    return [{"apiVersion": version, "kind": kind, **item} for item in answer["items"]]


@pytest.fixture
def worlds(apiserver: ApiServer, scheduler: None) -> Iterator[list[dict[str, Any]]]:
    """The pods that are to come, one a world; all else is there already, and goes afterwards."""
    classes = [
        {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": name},
            "value": value,
        }
        for name, value in PRIORITIES.items()
    ]
    classes.append(
        {**classes[-1], "metadata": {"name": "preempt-never"}, "preemptionPolicy": "Never"}
    )
    spaces = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": n}} for n in SPACES]
    made: list[dict[str, Any]] = []
    coming: list[dict[str, Any]] = []
    for world in range(WORLDS):
        choice = random.Random(f"preempt {world}")
        made += [node(choice, world, number) for number in range(3)]
        made += placed(choice, world)
        made += [budget(choice, world, number) for number in range(choice.randint(0, 2))]
        priority = choice.choice(
            ("preempt-10", "preempt-20", "preempt-50", "preempt-50", "preempt-never")
        )
        coming.append(pod(choice, world, f"coming-{world}", priority))
    apiserver.apply(spaces)
    paths = [create(apiserver, one) for one in classes]
    with ThreadPoolExecutor(6) as pool:
        paths += pool.map(lambda one: create(apiserver, one), made)
        try:
            yield coming
        finally:
            paths += [f"{apiserver.collection(one)}/{one['metadata']['name']}" for one in coming]
            now = {"gracePeriodSeconds": 0}
            jobs = [
                pool.submit(apiserver.request, "DELETE", path, now, check=False)
                for path in reversed(paths)
            ]
            for job in jobs:
                job.result()


def expected(server: ApiServer, coming: list[dict[str, Any]]) -> dict[str, tuple[Choice, ...]]:
    """What Martello says of each pod that is to come, from the objects that are there."""
    raw = [
        *listed(server, "v1", "nodes"),
        *listed(server, "v1", "pods"),
        *listed(server, "policy/v1beta1", "poddisruptionbudgets"),
        *listed(server, "scheduling.k8s.io/v1", "priorityclasses"),
        *coming,
    ]
    world = Cluster([resource_of(one, Nowhere()) for one in raw], kubernetes=20)
    on: dict[str, list[Pod]] = {}
    new: dict[str, Pod] = {}
    for one in pods(world):
        on.setdefault(one.node, []).append(one)
        if one.name.startswith("coming-"):
            new[one.name] = one
    groups: dict[str, list[Node]] = {}
    for place in nodes(world):
        groups.setdefault(place.labels.get("preempt-world", ""), []).append(place)
    all_ = budgets(world)
    return {
        name: victims(one, groups[name.removeprefix("coming-")], on, all_, kubernetes=20)
        for name, one in new.items()
    }


def outcomes(server: ApiServer, count: int) -> list[dict[str, Any]]:
    """All pods, once the scheduler has come to a decision about each of those that came."""
    deadline = time.monotonic() + 60
    while True:
        found = listed(server, "v1", "pods")
        new = [one for one in found if one["metadata"]["name"].startswith("coming-")]
        decided = [
            one
            for one in new
            if one["spec"].get("nodeName")
            or any(c["type"] == "PodScheduled" for c in one["status"].get("conditions", ()))
        ]
        if len(decided) == count:
            return found
        assert time.monotonic() < deadline, f"{len(decided)} of {count} pods are decided about"
        time.sleep(0.2)


def test_the_scheduler_removes_the_same_pods(
    apiserver: ApiServer, worlds: list[dict[str, Any]]
) -> None:
    ours = expected(apiserver, worlds)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda one: create(apiserver, one), worlds))
    found = outcomes(apiserver, len(worlds))
    by_name = {one["metadata"]["name"]: one for one in found}
    gone: dict[str, set[str]] = {}
    for one in found:
        if one["metadata"].get("deletionTimestamp"):
            world = one["metadata"]["name"].split("-")[1]
            gone.setdefault(world, set()).add(one["metadata"]["name"])
    wrong = []
    for number in range(len(worlds)):
        name = f"coming-{number}"
        theirs = gone.get(str(number), set())
        chosen = by_name[name]["status"].get("nominatedNodeName", "")
        told = {choice.node: {one.name for one in choice.victims} for choice in ours[name]}
        if (told.get(chosen) != theirs) if chosen else (theirs or told):
            wrong.append((name, chosen, theirs, told))
    assert not wrong
    happened = [choice for choices_ in ours.values() for choice in choices_]
    assert len(happened) >= len(worlds) / 4  # the worlds are about something
