"""Pods on the node of a real cluster whose kubelet bounds them all together: made, measured, asked
about by `martello resources blast`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tests.support.command import martello
from tests.support.real_cluster import RealCluster

NAME: Final = "mrr"
NET: Final = "10.231"
MI = 1 << 20
ROOM, LEFT, PIDS = 512, 64, 128  # MiB of all pods, MiB of them at which one is evicted, processes
IMAGE = "docker.io/library/busybox:demo"
# Holds so much and no more: the pipe takes 64 KiB of it, and nobody reads.
_HOLD = (
    "busybox mkfifo /tmp/{name}; exec 3<>/tmp/{name}; "
    "exec dd if=/dev/zero bs={mib}M count=1 of=/tmp/{name}"
)
IDLE = "exec sleep 36000"


def asking(
    key: str, command: str, requests: dict[str, str] | None = None, **limits: str
) -> dict[str, Any]:
    """A pod of `namespace/name` that runs a command, with requests and limits."""
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


def holds(mib: int, name: str = "held") -> str:
    """A command that holds so much memory and no more, in one process."""
    return _HOLD.format(mib=mib, name=name)


def pieces(mib: int, name: str) -> str:
    """Holds so much by processes of 5 MiB: the kernel finds none of them large."""
    sizes = [5] * (mib // 5) + [mib % 5] * (mib % 5 > 0)
    each = f"busybox mkfifo /tmp/{name}$i; (exec 3<>/tmp/{name}$i; "
    each += f"exec dd if=/dev/zero bs=${{size}}M count=1 of=/tmp/{name}$i) >/dev/null 2>&1 &"
    return f"i=0; for size in {' '.join(map(str, sizes))}; do i=$((i+1)); {each} done"


def settle(cluster: RealCluster) -> None:
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
    bound = group("memory", "memory.limit_in_bytes")
    shares = Path(f"/sys/fs/cgroup/cpu/{NAME}-n1/cpu.shares")
    shares.write_text("16384")  # it gets on while the machine is busy
    until(lambda: bound.exists() and int(bound.read_text()) <= (ROOM + 1) * MI, "bounded node")


def group(controller: str, file: str, pod: dict[str, Any] | None = None) -> Path:
    """A file of the group of all pods, or of one of them."""
    root = Path(f"/sys/fs/cgroup/{controller}/{NAME}-n1/kubepods")
    if pod is None:
        return root / file
    kind = {"Burstable": "burstable", "BestEffort": "besteffort"}.get(pod["status"]["qosClass"], "")
    return root / kind / f"pod{pod['metadata']['uid']}" / file


def until(true: Callable[[], object], what: str, seconds: float = 90) -> None:
    """Waits for something; fails where it does not come."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"no {what} after {seconds:g} s"
        time.sleep(0.25)


def pods_of(cluster: RealCluster, space: str) -> dict[str, dict[str, Any]]:
    """The pods of a namespace, by name."""
    items = json.loads(cluster.kubectl("get", "pods", "-n", space, "-o", "json"))["items"]
    return {one["metadata"]["name"]: one for one in items}


def start(cluster: RealCluster, *pods: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Creates pods; what the server says of them once they run."""
    cluster.apply(*pods)
    space = pods[0]["metadata"]["namespace"]
    names = {one["metadata"]["name"] for one in pods}

    def running() -> bool:
        found = pods_of(cluster, space)
        return all(found[name]["status"]["phase"] == "Running" for name in names)

    until(running, "running pods")
    return pods_of(cluster, space)


def ended(pod: dict[str, Any]) -> dict[str, Any]:
    """How its container ended last: {} if it never did."""
    status = pod["status"].get("containerStatuses", [{}])[0]
    ended: dict[str, Any] = status.get("state", {}).get("terminated") or (
        status.get("lastState", {}).get("terminated", {})
    )
    return ended


def measure(cluster: RealCluster, space: str, wanted: dict[str, int]) -> None:
    """Waits until the kubelet has seen the pods use so many MiB."""

    def seen() -> bool:
        raw = json.loads(cluster.kubectl("get", "--raw", "/api/v1/nodes/node1/proxy/stats/summary"))
        used = {
            one["podRef"]["name"]: one.get("memory", {}).get("workingSetBytes", 0)
            for one in raw["pods"]
            if one["podRef"]["namespace"] == space
        }
        return all(abs(used.get(name, 0) - mib * MI) < 6 * MI for name, mib in wanted.items())

    until(seen, "measured use", 150)


def blast_of(cluster: RealCluster, key: str) -> dict[str, dict[str, Any]]:
    """What is said of a pod in this live world, by resource."""
    space, name = key.split("/")
    told = martello(
        "resources", "blast", f"{space}/pod/{name}", "--kubeconfig", str(cluster.kubeconfig),
        "-o", "json", "--fail-on", "never",
    )  # fmt: skip
    assert told.out, told.err
    (row,) = told.report["rows"]
    return {line["resource"]: line for line in row["lines"]}


def hurt_by(line: dict[str, Any]) -> list[tuple[str, str]]:
    """Whom a line of a blast hurts, by name, and how."""
    return [(one["name"].rpartition("/")[2], one["effect"]) for one in line["hurt"]]


def inside(cluster: RealCluster, key: str, command: str) -> str:
    """Runs a command in a pod; what it wrote."""
    space, name = key.split("/")
    return cluster.kubectl("exec", "-n", space, name, "--", "sh", "-c", command)


def processes(pod: dict[str, Any]) -> list[int]:
    """The processes of a pod."""
    root = group("cpu", "", pod)
    return [int(p) for f in root.glob("*/cgroup.procs") for p in f.read_text().split()]


def processor_times(pods: dict[str, dict[str, Any]]) -> dict[str, int]:
    """Processor time that pods had so far, in nanoseconds."""
    return {n: int(group("cpuacct", "cpuacct.usage", p).read_text()) for n, p in pods.items()}


def throttling(pod: dict[str, Any]) -> tuple[int, int]:
    """Enforcement periods of a pod so far, and those in which it was held back."""
    tables = [f.read_text().splitlines() for f in group("cpu", "", pod).glob("*/cpu.stat")]
    rows = [dict(line.split() for line in table) for table in tables]
    periods, throttled = ([int(row[n]) for row in rows] for n in ("nr_periods", "nr_throttled"))
    return max(periods), max(throttled)


def refusal(cluster: RealCluster, file: Path) -> str:
    """Creates an object; why it was refused."""
    try:
        cluster.kubectl("create", "-f", str(file))
    except AssertionError as error:
        return str(error)
    return ""
