"""The resources practice on a whole cluster with hostile pods: `make test-cluster`.

One node whose kubelet lets all pods together have 512 MiB of memory and each 128 processes:
whatever they do, the machine beside them has the rest. `martello resources blast` says first who
will be hurt, the attack says then who is; `resources admit` says first what becomes of pods, the
API server and the real quota controller say then.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.command import martello
from tests.support.real_cluster import RealCluster, real_cluster
from tests.support.talking import namespace

NAME, NET = "mrr", "10.231"
MI = 1 << 20
ROOM, LEFT, PIDS = 512, 64, 128  # MiB of all pods, MiB of them at which one is evicted, processes
IMAGE = "docker.io/library/busybox:demo"
# Holds so much and no more: the pipe takes 64 KiB of it, and nobody reads.
_HOLD = (
    "busybox mkfifo /tmp/{name}; exec 3<>/tmp/{name}; "
    "exec dd if=/dev/zero bs={mib}M count=1 of=/tmp/{name}"
)
_SPIN = "while :; do :; done & while :; do :; done"
IDLE = "exec sleep 36000"


def _pod(
    key: str, command: str, requests: dict[str, str] | None = None, **limits: str
) -> dict[str, Any]:
    space, name = key.split("/")
    container = {
        "name": "app",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", command],
        "resources": {"requests": requests or {}, "limits": limits},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": space},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
    }


def _holds(mib: int, name: str = "held") -> str:
    return _HOLD.format(mib=mib, name=name)


def _pieces(mib: int, name: str) -> str:
    """Holds so much by processes of 5 MiB: the kernel finds none of them large."""
    sizes = [5] * (mib // 5) + [mib % 5] * (mib % 5 > 0)
    each = f"busybox mkfifo /tmp/{name}$i; (exec 3<>/tmp/{name}$i; "
    each += f"exec dd if=/dev/zero bs=${{size}}M count=1 of=/tmp/{name}$i) >/dev/null 2>&1 &"
    return f"i=0; for size in {' '.join(map(str, sizes))}; do i=$((i+1)); {each} done"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCluster]:
    with real_cluster(tmp_path_factory.mktemp("cluster"), nodes=1, name=NAME, net=NET) as made:
        _settle(made)
        yield made


def _settle(cluster: RealCluster) -> None:
    """Starts the kubelet again with bounds on what pods take together."""
    told = cluster.place / "pid" / "kubelet1"
    pid = int(told.read_text())
    own = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
    node = json.loads(cluster.kubectl("get", "node", "node1", "-o", "json"))
    capacity = int(node["status"]["capacity"]["memory"].removesuffix("Ki")) // 1024
    path = cluster.place / "node1" / "kubelet.yaml"
    known = ("eviction", "enforceNodeAllocatable", "systemReserved", "podPidsLimit")
    kept = [line for line in path.read_text().splitlines() if not line.startswith(known)]
    kept += [
        f'evictionHard: {{memory.available: "{LEFT}Mi", nodefs.available: "1%"}}',
        "evictionPressureTransitionPeriod: 5s",
        "enforceNodeAllocatable: [pods]",
        f'systemReserved: {{memory: "{capacity - ROOM}Mi"}}',
        f"podPidsLimit: {PIDS}",
    ]
    path.write_text("\n".join(kept) + "\n")
    os.kill(pid, signal.SIGTERM)
    time.sleep(2)
    command = ["nsenter", f"--net=/run/netns/{NAME}-n1", *own]
    with (cluster.place / "log" / "kubelet1.log").open("ab") as log:
        begun = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    cluster.children.append(begun)
    told.write_text(str(begun.pid))
    bound = _group("memory", "memory.limit_in_bytes")
    shares = Path(f"/sys/fs/cgroup/cpu/{NAME}-n1/cpu.shares")
    shares.write_text("16384")  # it gets on while the machine is busy
    _until(lambda: bound.exists() and int(bound.read_text()) <= (ROOM + 1) * MI, "bounded node")


def _group(controller: str, file: str, pod: dict[str, Any] | None = None) -> Path:
    """A file of the group of all pods, or of one of them."""
    root = Path(f"/sys/fs/cgroup/{controller}/{NAME}-n1/kubepods")
    if pod is None:
        return root / file
    kind = {"Burstable": "burstable", "BestEffort": "besteffort"}.get(pod["status"]["qosClass"], "")
    return root / kind / f"pod{pod['metadata']['uid']}" / file


def _until(true: Callable[[], object], what: str, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"no {what} after {seconds:g} s"
        time.sleep(0.25)


@pytest.fixture
def space(cluster: RealCluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of a test's own; its pods go with it."""
    name = request.node.name.removeprefix("test_").replace("_", "-")[:40].strip("-")
    cluster.apply(namespace(name))
    account = ("get", "serviceaccount", "default", "-n", name)
    _until(lambda: cluster.kubectl(*account, "--ignore-not-found"), "service account")
    yield name
    cluster.kubectl("delete", "pods", "-n", name, "--all", "--force", "--grace-period=0")
    _until(lambda: not list(_group("memory", "").glob("*/pod*")), "end of pods")


def _all(cluster: RealCluster, space: str) -> dict[str, dict[str, Any]]:
    items = json.loads(cluster.kubectl("get", "pods", "-n", space, "-o", "json"))["items"]
    return {one["metadata"]["name"]: one for one in items}


def _run(cluster: RealCluster, *pods: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Creates pods; what the server says of them once they run."""
    cluster.apply(*pods)
    space = pods[0]["metadata"]["namespace"]
    names = {one["metadata"]["name"] for one in pods}

    def running() -> bool:
        found = _all(cluster, space)
        return all(found[name]["status"]["phase"] == "Running" for name in names)

    _until(running, "running pods")
    return _all(cluster, space)


def _state(pod: dict[str, Any]) -> dict[str, Any]:
    """How its container ended last: {} if it never did."""
    status = pod["status"].get("containerStatuses", [{}])[0]
    ended: dict[str, Any] = status.get("state", {}).get("terminated") or (
        status.get("lastState", {}).get("terminated", {})
    )
    return ended


def _measured(cluster: RealCluster, space: str, wanted: dict[str, int]) -> None:
    """Waits until the kubelet has seen the pods use so many MiB."""

    def seen() -> bool:
        raw = json.loads(cluster.kubectl("get", "--raw", "/api/v1/nodes/node1/proxy/stats/summary"))
        used = {
            one["podRef"]["name"]: one.get("memory", {}).get("workingSetBytes", 0)
            for one in raw["pods"]
            if one["podRef"]["namespace"] == space
        }
        return all(abs(used.get(name, 0) - mib * MI) < 6 * MI for name, mib in wanted.items())

    _until(seen, "measured use", 150)


def _blast(cluster: RealCluster, key: str) -> dict[str, dict[str, Any]]:
    """What is said of a pod in this live world, by resource."""
    space, name = key.split("/")
    told = martello(
        "resources", "blast", f"{space}/pod/{name}", "--kubeconfig", str(cluster.kubeconfig),
        "-o", "json", "--fail-on", "never",
    )  # fmt: skip
    assert told.out, told.err
    (row,) = told.report["rows"]
    return {line["resource"]: line for line in row["lines"]}


def _hurt(line: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["name"].rpartition("/")[2], one["effect"]) for one in line["hurt"]]


def _inside(cluster: RealCluster, key: str, command: str) -> str:
    space, name = key.split("/")
    return cluster.kubectl("exec", "-n", space, name, "--", "sh", "-c", command)


def test_a_hog_dies_alone(cluster: RealCluster, space: str) -> None:
    """A limit of memory bounds the harm to the pod itself."""
    pods = _run(
        cluster,
        _pod(
            f"{space}/hog", f"until [ -e /tmp/go ]; do sleep 1; done; {_holds(100)}", memory="64Mi"
        ),
        _pod(f"{space}/other", IDLE),
    )
    line = _blast(cluster, f"{space}/hog")["memory"]
    assert "64Mi" in line["guard"]
    assert not line["hurt"]
    _inside(cluster, f"{space}/hog", "echo > /tmp/go")
    _until(lambda: _state(_all(cluster, space)["hog"]), "death at the limit")
    after = _all(cluster, space)
    assert _state(after["hog"])["exitCode"] == 137
    assert _state(after["hog"])["reason"] == "OOMKilled"
    assert after["other"]["status"]["containerStatuses"][0]["restartCount"] == 0
    assert pods["other"]["status"]["qosClass"] == "BestEffort"


def test_a_fork_bomb_stays_in_its_pod(cluster: RealCluster, space: str) -> None:
    """podPidsLimit of the kubelet, and not more."""
    bomb = "n=0; while [ $n -lt 500 ]; do sleep 60 >/dev/null 2>&1 & n=$((n+1)); done"
    pods = _run(cluster, _pod(f"{space}/bomb", IDLE), _pod(f"{space}/other", IDLE))
    line = _blast(cluster, f"{space}/bomb")["pids"]
    assert str(PIDS) in line["guard"] + line["take"]
    assert not line["hurt"]
    with pytest.raises(AssertionError, match=r"can't fork|temporarily unavailable|exit code"):
        _inside(cluster, f"{space}/bomb", bomb)
    assert int(_group("pids", "pids.max", pods["bomb"]).read_text()) == PIDS
    assert int(_group("pids", "pids.current", pods["bomb"]).read_text()) >= PIDS - 4
    assert _inside(cluster, f"{space}/other", "sleep 0 & wait; echo forked").strip() == "forked"


def test_processor_time_falls_as_predicted(cluster: RealCluster, space: str) -> None:
    """Two pods that want all of it get it as they asked; a limit holds to its periods."""
    pods = _run(
        cluster,
        _pod(f"{space}/small", _SPIN, {"cpu": "150m"}),
        _pod(f"{space}/large", _SPIN, {"cpu": "450m"}),
        _pod(f"{space}/bound", _SPIN, {"cpu": "100m"}, cpu="100m"),
    )
    for name in ("small", "large"):  # on one core: the kernel spreads by its own lights
        for pid in _pids(pods[name]):
            os.sched_setaffinity(pid, {0})
    for pid in _pids(pods["bound"]):
        os.sched_setaffinity(pid, {1})
    assert int(_group("cpu", "cpu.shares", pods["small"]).read_text()) == 153
    assert int(_group("cpu", "cpu.cfs_quota_us", pods["bound"]).read_text()) == 10_000
    for _ in range(4):
        before, stat = _times(pods), _throttled(pods["bound"])
        begun = time.monotonic()
        time.sleep(6)
        took = time.monotonic() - begun
        had = {name: (now - before[name]) / 1e9 for name, now in _times(pods).items()}
        periods, throttled = (a - b for a, b in zip(_throttled(pods["bound"]), stat, strict=True))
        share = had["small"] / (had["small"] + had["large"])
        assert had["bound"] <= 0.1 * took * 1.15 + 0.02
        if abs(share - 0.25) < 0.04 and throttled > 0.8 * periods > 20:
            break
    else:
        pytest.fail(f"small had {share:.3f} of both; {throttled} of {periods} throttled")
    line = _blast(cluster, f"{space}/bound")["cpu"]
    assert "100m" in line["guard"]


def _pids(pod: dict[str, Any]) -> list[int]:
    root = _group("cpu", "", pod)
    return [int(p) for f in root.glob("*/cgroup.procs") for p in f.read_text().split()]


def _times(pods: dict[str, dict[str, Any]]) -> dict[str, int]:
    return {n: int(_group("cpuacct", "cpuacct.usage", p).read_text()) for n, p in pods.items()}


def _throttled(pod: dict[str, Any]) -> tuple[int, int]:
    tables = [f.read_text().splitlines() for f in _group("cpu", "", pod).glob("*/cpu.stat")]
    rows = [dict(line.split() for line in table) for table in tables]
    periods, throttled = ([int(row[n]) for row in rows] for n in ("nr_periods", "nr_throttled"))
    return max(periods), max(throttled)


def test_neighbours_are_hurt_exactly_as_predicted(cluster: RealCluster, space: str) -> None:
    """Grown slowly it has two evicted, in the order that was said; grown at once it has a third
    killed; who asked for all it uses and is bounded by it stays.
    """
    for _ in range(3):
        _run(
            cluster,
            _pod(f"{space}/x", IDLE, {"memory": "300Mi"}),
            _pod(f"{space}/first", _holds(70)),
            _pod(f"{space}/second", _holds(70), {"memory": "30Mi"}),
            _pod(f"{space}/third", _holds(40), {"memory": "60Mi"}),
            _pod(f"{space}/steady", _holds(10), memory="30Mi", cpu="50m"),
        )
        _measured(cluster, space, {"first": 70, "second": 70, "third": 40, "steady": 10})
        line = _blast(cluster, f"{space}/x")["memory"]
        assert line["guard"] == ""
        hurt = _hurt(line)
        assert hurt == [("first", "evicted"), ("second", "evicted"), ("third", "killed")]
        seen = _slowly(cluster, space, 2)
        assert seen == ["first", "second"]
        if _at_once(cluster, space):
            break
        cluster.kubectl("delete", "pods", "-n", space, "--all", "--force", "--grace-period=0")
    after = _all(cluster, space)
    assert _state(after["third"])["exitCode"] == 137
    assert after["steady"]["status"]["phase"] == "Running"
    assert after["steady"]["status"]["containerStatuses"][0]["restartCount"] == 0


def _slowly(cluster: RealCluster, space: str, count: int) -> list[str]:
    """Grows by the least that crosses the threshold, again and again; who was evicted."""
    seen: list[str] = []
    for turn in range(count):
        table = _group("memory", "memory.stat").read_text().splitlines()
        idle = next(
            int(line.split()[1]) for line in table if line.startswith("total_inactive_file")
        )
        used = int(_group("memory", "memory.usage_in_bytes").read_text()) - idle
        more = (ROOM - LEFT) - used // MI + 5
        _inside(cluster, f"{space}/x", _pieces(more, f"f{turn}"))

        def gone() -> list[str]:
            found = _all(cluster, space)
            return [n for n, p in found.items() if p["status"].get("reason") == "Evicted"]

        _until(lambda: len(gone()) > len(seen), "eviction", 90)  # noqa: B023
        seen += [name for name in gone() if name not in seen]
        assert "x" not in seen
    return seen


def _at_once(cluster: RealCluster, space: str) -> bool:
    """Splits into small processes until the kernel kills; whether that came before the kubelet
    looked and evicted the attacker, who is over its request now.
    """
    _inside(cluster, f"{space}/x", _pieces(200, "s"))
    end = time.monotonic() + 20
    while time.monotonic() < end:
        found = _all(cluster, space)
        if _state(found["third"]).get("exitCode") == 137:
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

    _until(lambda: set(used()) == set(hard), "status of the quota")
    time.sleep(2)  # caches of admission
    series = [
        _pod(f"{space}/plain", IDLE),
        _pod(f"{space}/high", IDLE, memory="65Mi"),
        _pod(f"{space}/below", IDLE, {"cpu": "200m"}),
        _pod(f"{space}/fits", IDLE, {"cpu": "100m"}, memory="64Mi", cpu="200m"),
        _pod(f"{space}/over", IDLE, {"cpu": "60m"}),
        _pod(f"{space}/memory", IDLE, {"cpu": "1m"}, memory="33Mi"),
        _pod(f"{space}/last", IDLE, {"cpu": "50m"}, memory="32Mi"),
        _pod(f"{space}/spent", IDLE),
    ]
    for number, pod in enumerate(series):
        file = tmp_path / f"{number}.json"
        file.write_text(json.dumps(pod))
        here = ("--kubeconfig", str(cluster.kubeconfig))
        told = martello("resources", "admit", str(file), "-n", space, *here, "-o", "json")
        assert told.out, told.err
        (said,) = told.report["objects"]
        before = used()
        error = _created(cluster, file)
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
        _until(lambda: {k: used().get(k) for k in after} == after, f"use {after}", 30)  # noqa: B023
    assert used()["pods"] == "3"


def _created(cluster: RealCluster, file: Path) -> str:
    """Creates an object; why it was refused."""
    try:
        cluster.kubectl("create", "-f", str(file))
    except AssertionError as error:
        return str(error)
    return ""
