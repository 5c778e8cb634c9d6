"""The resources practice on a whole cluster with hostile pods: `make test-cluster`.

One node whose kubelet lets all pods together have 512 MiB of memory and each 128 processes:
whatever they do, the machine beside them has the rest. `martello resources blast` says first who
will be hurt, the attack says then who is; `resources admit` says first what becomes of pods, the
API server and the real quota controller say then.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.command import martello
from tests.support.real_cluster import RealCluster, real_cluster
from tests.support.resources.crowded_node import (
    IDLE,
    LEFT,
    MI,
    NAME,
    NET,
    PIDS,
    ROOM,
    asking,
    blast_of,
    ended,
    group,
    holds,
    hurt_by,
    inside,
    measure,
    pieces,
    pods_of,
    processes,
    processor_times,
    refusal,
    settle,
    start,
    throttling,
    until,
)
from tests.support.talking import namespace

_SPIN = "while :; do :; done & while :; do :; done"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCluster]:
    with real_cluster(tmp_path_factory.mktemp("cluster"), nodes=1, name=NAME, net=NET) as made:
        settle(made)
        yield made


@pytest.fixture
def space(cluster: RealCluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of a test's own; its pods go with it."""
    name = request.node.name.removeprefix("test_").replace("_", "-")[:40].strip("-")
    cluster.apply(namespace(name))
    account = ("get", "serviceaccount", "default", "-n", name)
    until(lambda: cluster.kubectl(*account, "--ignore-not-found"), "service account")
    yield name
    cluster.kubectl("delete", "pods", "-n", name, "--all", "--force", "--grace-period=0")
    until(lambda: not list(group("memory", "").glob("*/pod*")), "end of pods")


def test_a_hog_dies_alone(cluster: RealCluster, space: str) -> None:
    """A limit of memory bounds the harm to the pod itself."""
    pods = start(
        cluster,
        asking(
            f"{space}/hog", f"until [ -e /tmp/go ]; do sleep 1; done; {holds(100)}", memory="64Mi"
        ),
        asking(f"{space}/other", IDLE),
    )
    line = blast_of(cluster, f"{space}/hog")["memory"]
    assert "64Mi" in line["guard"]
    assert not line["hurt"]
    inside(cluster, f"{space}/hog", "echo > /tmp/go")
    until(lambda: ended(pods_of(cluster, space)["hog"]), "death at the limit")
    after = pods_of(cluster, space)
    assert ended(after["hog"])["exitCode"] == 137
    assert ended(after["hog"])["reason"] == "OOMKilled"
    assert after["other"]["status"]["containerStatuses"][0]["restartCount"] == 0
    assert pods["other"]["status"]["qosClass"] == "BestEffort"


def test_a_fork_bomb_stays_in_its_pod(cluster: RealCluster, space: str) -> None:
    """podPidsLimit of the kubelet, and not more."""
    bomb = "n=0; while [ $n -lt 500 ]; do sleep 60 >/dev/null 2>&1 & n=$((n+1)); done"
    pods = start(cluster, asking(f"{space}/bomb", IDLE), asking(f"{space}/other", IDLE))
    line = blast_of(cluster, f"{space}/bomb")["pids"]
    assert str(PIDS) in line["guard"] + line["take"]
    assert not line["hurt"]
    with pytest.raises(AssertionError, match=r"can't fork|temporarily unavailable|exit code"):
        inside(cluster, f"{space}/bomb", bomb)
    assert int(group("pids", "pids.max", pods["bomb"]).read_text()) == PIDS
    assert int(group("pids", "pids.current", pods["bomb"]).read_text()) >= PIDS - 4
    assert inside(cluster, f"{space}/other", "sleep 0 & wait; echo forked").strip() == "forked"


def test_processor_time_falls_as_predicted(cluster: RealCluster, space: str) -> None:
    """Two pods that want all of it get it as they asked; a limit holds to its periods."""
    pods = start(
        cluster,
        asking(f"{space}/small", _SPIN, {"cpu": "150m"}),
        asking(f"{space}/large", _SPIN, {"cpu": "450m"}),
        asking(f"{space}/bound", _SPIN, {"cpu": "100m"}, cpu="100m"),
    )
    for name in ("small", "large"):  # on one core: the kernel spreads by its own lights
        for pid in processes(pods[name]):
            os.sched_setaffinity(pid, {0})
    for pid in processes(pods["bound"]):
        os.sched_setaffinity(pid, {1})
    assert int(group("cpu", "cpu.shares", pods["small"]).read_text()) == 153
    assert int(group("cpu", "cpu.cfs_quota_us", pods["bound"]).read_text()) == 10_000
    for _ in range(4):
        before, stat = processor_times(pods), throttling(pods["bound"])
        begun = time.monotonic()
        time.sleep(6)
        took = time.monotonic() - begun
        had = {name: (now - before[name]) / 1e9 for name, now in processor_times(pods).items()}
        periods, throttled = (a - b for a, b in zip(throttling(pods["bound"]), stat, strict=True))
        share = had["small"] / (had["small"] + had["large"])
        assert had["bound"] <= 0.1 * took * 1.15 + 0.02
        if abs(share - 0.25) < 0.04 and throttled > 0.8 * periods > 20:
            break
    else:
        pytest.fail(f"small had {share:.3f} of both; {throttled} of {periods} throttled")
    line = blast_of(cluster, f"{space}/bound")["cpu"]
    assert "100m" in line["guard"]


def test_neighbours_are_hurt_exactly_as_predicted(cluster: RealCluster, space: str) -> None:
    """Grown slowly it has two evicted, in the order that was said; grown at once it has a third
    killed; who asked for all it uses and is bounded by it stays.
    """
    for _ in range(3):
        start(
            cluster,
            asking(f"{space}/x", IDLE, {"memory": "300Mi"}),
            asking(f"{space}/first", holds(70)),
            asking(f"{space}/second", holds(70), {"memory": "30Mi"}),
            asking(f"{space}/third", holds(40), {"memory": "60Mi"}),
            asking(f"{space}/steady", holds(10), memory="30Mi", cpu="50m"),
        )
        measure(cluster, space, {"first": 70, "second": 70, "third": 40, "steady": 10})
        line = blast_of(cluster, f"{space}/x")["memory"]
        assert line["guard"] == ""
        hurt = hurt_by(line)
        assert hurt == [("first", "evicted"), ("second", "evicted"), ("third", "killed")]
        seen = _slowly(cluster, space, 2)
        assert seen == ["first", "second"]
        if _at_once(cluster, space):
            break
        cluster.kubectl("delete", "pods", "-n", space, "--all", "--force", "--grace-period=0")
    after = pods_of(cluster, space)
    assert ended(after["third"])["exitCode"] == 137
    assert after["steady"]["status"]["phase"] == "Running"
    assert after["steady"]["status"]["containerStatuses"][0]["restartCount"] == 0


def _slowly(cluster: RealCluster, space: str, count: int) -> list[str]:
    """Grows by the least that crosses the threshold, again and again; who was evicted."""
    seen: list[str] = []
    for turn in range(count):
        table = group("memory", "memory.stat").read_text().splitlines()
        idle = next(
            int(line.split()[1]) for line in table if line.startswith("total_inactive_file")
        )
        used = int(group("memory", "memory.usage_in_bytes").read_text()) - idle
        more = (ROOM - LEFT) - used // MI + 5
        inside(cluster, f"{space}/x", pieces(more, f"f{turn}"))

        def gone() -> list[str]:
            found = pods_of(cluster, space)
            return [n for n, p in found.items() if p["status"].get("reason") == "Evicted"]

        until(lambda: len(gone()) > len(seen), "eviction", 90)  # noqa: B023
        seen += [name for name in gone() if name not in seen]
        assert "x" not in seen
    return seen


def _at_once(cluster: RealCluster, space: str) -> bool:
    """Splits into small processes until the kernel kills; whether that came before the kubelet
    looked and evicted the attacker, who is over its request now.
    """
    inside(cluster, f"{space}/x", pieces(200, "s"))
    end = time.monotonic() + 20
    while time.monotonic() < end:
        found = pods_of(cluster, space)
        if ended(found["third"]).get("exitCode") == 137:
            return True
        if found["x"]["status"].get("reason") == "Evicted":
            return False
        time.sleep(0.2)
    raise AssertionError("neither killed nor evicted")


def test_admission_is_predicted(cluster: RealCluster, space: str, tmp_path: Path) -> None:
    """A LimitRange and a quota that the real controller manager keeps: what becomes of one pod
    after the other, whom they hit, and what is written into them.
    """
    meta = {"name": "bounds", "namespace": space}
    item = {
        "type": "Container",
        "defaultRequest": {"cpu": "50m"},
        "default": {"cpu": "100m", "memory": "32Mi"},
        "max": {"memory": "64Mi", "cpu": "1"},
    }
    hard = {"requests.cpu": "200m", "limits.memory": "128Mi", "pods": "4"}
    cluster.apply(
        {"apiVersion": "v1", "kind": "LimitRange", "metadata": meta, "spec": {"limits": [item]}},
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": hard}},
    )
    asked = ("get", "resourcequota", "bounds", "-n", space, "-o", "json")

    def used() -> dict[str, str]:
        found: dict[str, str] = json.loads(cluster.kubectl(*asked))["status"].get("used", {})
        return found

    until(lambda: set(used()) == set(hard), "status of the quota")
    time.sleep(2)  # caches of admission
    series = [
        asking(f"{space}/plain", IDLE),
        asking(f"{space}/high", IDLE, memory="65Mi"),
        asking(f"{space}/below", IDLE, {"cpu": "200m"}),
        asking(f"{space}/fits", IDLE, {"cpu": "100m"}, memory="64Mi", cpu="200m"),
        asking(f"{space}/over", IDLE, {"cpu": "60m"}),
        asking(f"{space}/memory", IDLE, {"cpu": "1m"}, memory="33Mi"),
        asking(f"{space}/last", IDLE, {"cpu": "50m"}, memory="32Mi"),
        asking(f"{space}/spent", IDLE),
    ]
    for number, pod in enumerate(series):
        file = tmp_path / f"{number}.json"
        file.write_text(json.dumps(pod))
        here = ("--kubeconfig", str(cluster.kubeconfig))
        told = martello("resources", "admit", str(file), "-n", space, *here, "-o", "json")
        assert told.out, told.err
        (said,) = told.report["objects"]
        before = used()
        error = refusal(cluster, file)
        if error:
            assert said["verdict"] == "refused", (said, error)
            assert ("is forbidden" if said["code"] == 403 else "is invalid") in error, said
            for reason in said["reasons"]:
                assert reason["says"] in error.replace("\\", ""), (reason, error)
            assert used() == before
            continue
        assert said["verdict"] == "admitted", said
        name = pod["metadata"]["name"]
        made = json.loads(cluster.kubectl("get", "pod", name, "-n", space, "-o", "json"))
        assert made["status"]["qosClass"] == said["qosClass"]
        stored = made["spec"]["containers"][0]["resources"]
        for one in said["filled"]:
            words = one["path"].split(".")
            if "resources" in words:
                kind, resource = words[-2:]
                assert stored[kind][resource] == one["value"], (one, stored)
        after = {share["key"]: share["after"] for share in said["quotas"]}
        assert after
        until(lambda: {k: used().get(k) for k in after} == after, f"use {after}", 30)  # noqa: B023
    assert used()["pods"] == "3"
