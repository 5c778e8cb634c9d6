"""What Martello says of nodes, against the kernel of this machine: as root, control groups v1."""

from __future__ import annotations

import math
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.resources.attackers import MI, pod
from tests.support.resources.groups import BUSYBOX, Groups, groups, wait

from martello.practices.resources.amounts import Amounts
from martello.practices.resources.node import cgroups, oom, qos, share
from martello.practices.resources.node.model import Node, Part, Pod, Use

KIND = 16_384  # shares of all of a test's groups: they get on while the machine is busy
WORK = 3.5  # s of processor time that a ratio is measured over


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Groups]:
    with groups(tmp_path) as made:
        made.group("", cpu_shares=KIND)
        yield made


def _node(cpu: int = 1000, memory: int = 0) -> Node:
    capacity: Amounts = {"cpu": cpu, "memory": memory * 1000}
    return Node("node", capacity, capacity, cgroup=1, kubernetes=20)


def _pod(
    name: str, requests: Amounts, limits: Amounts | None = None, use: Use | None = None
) -> Pod:
    return pod(name, Part("app", requests, limits or {}, use or Use()))


def test_a_hog_dies_at_its_limit(kernel: Groups) -> None:
    asks = {"memory": {"limit": 64 * MI}}
    command = "dd if=/dev/zero of=/dev/null bs=200M count=1; echo died $?; sleep 60"
    begun = kernel.container("pod/app", command, asks)
    assert begun.stdout
    assert "died 137" in (begun.stdout.readline() + begun.stdout.readline())
    assert kernel.table("pod/app", "memory.oom_control")["oom_kill"] == 1
    assert kernel.read("pod/app", "memory.failcnt") > 0
    assert kernel.read("pod/app", "memory.max_usage_in_bytes") == 64 * MI


def test_forks_end_at_the_limit_of_processes(kernel: Groups) -> None:
    command = "echo begun; until [ -e /go ]; do :; done; n=0\n"
    command += "while :; do sleep 60 & n=$((n+1)); echo forked $n; done"
    begun = kernel.container("pod/app", command, {"pids": {"limit": 50}})
    assert begun.stdout
    begun.stdout.readline()
    assert wait(lambda: kernel.read("pod/app", "pids.current") == 1)  # who started it is gone
    (kernel.root("pod/app") / "go").touch()
    told = begun.stdout.read()  # output and errors come by two ways
    assert told.count("forked") == 49
    assert "Resource temporarily unavailable" in told


def test_a_quota_throttles_every_period(kernel: Groups) -> None:
    """20 % of a core, wanted all the time: every period but those at the edges is throttled."""
    quota = cgroups.quota(200)
    asks = {"cpu": {"quota": quota, "period": 100_000, "shares": cgroups.shares(200)}}
    begun = kernel.container("pod/app", "echo begun; while :; do :; done", asks)
    assert begun.stdout
    begun.stdout.readline()
    assert kernel.read("pod/app", "cpu.shares") == 204
    for _ in range(3):
        before, used = kernel.table("pod/app", "cpu.stat"), kernel.read("pod/app", "cpuacct.usage")
        time.sleep(1.5)
        after = kernel.table("pod/app", "cpu.stat")
        periods = after["nr_periods"] - before["nr_periods"]
        throttled = after["nr_throttled"] - before["nr_throttled"]
        had = (kernel.read("pod/app", "cpuacct.usage") - used) / 1000 / max(periods, 1)
        assert had <= quota * 1.3  # µs a period: one period more may lie in the window
        if periods >= 10 and throttled >= 0.8 * periods and had >= 0.8 * quota:
            return
    pytest.fail(f"{throttled} of {periods} periods throttled, {had:.0f} of {quota} µs each")


def _measured(kernel: Groups, node: Node, pods: list[Pod], core: int) -> dict[str, str]:
    """Makes the groups that Martello expects, and one process in each pod's that wants all it can
    get; the groups by pod.
    """
    found: dict[str, str] = {}

    def make(group: cgroups.Group, above: str) -> None:
        if not group.children and group.pod is None:
            return  # what is outside of pods
        path = f"{above}/{group.name.replace('/', '-')}"
        kernel.group(path, cpu_shares=group.weight)
        if group.part is not None and group.pod is not None:
            found[group.pod.name] = path
        for child in group.children:
            make(child, path)

    make(cgroups.tree(node, pods), f"core{core}")
    for name, path in found.items():
        if not name.startswith("idle"):
            kernel.spin(path, core)
    return found


def test_a_core_is_shared_as_predicted(kernel: Groups) -> None:
    """One core with a class of pods that asked for nothing; one with a sibling that sleeps."""
    node = _node()
    asked = [_pod("worker", {"cpu": 1000}), _pod("beggar", {})]
    equal: Amounts = {"cpu": 500, "memory": MI * 1000}
    nested = [_pod("steady", equal, equal), _pod("eager", {"cpu": 500}), _pod("idle", {"cpu": 500})]
    assert nested[0].qos == "Guaranteed"
    worlds = [(asked, 0), (nested, 1)]
    places = [_measured(kernel, node, pods, core) for pods, core in worlds]
    for _ in range(3):
        ratios = _window(kernel, places)
        wrong = [
            f"{name}: {had:.4f} of the core, predicted {told:.4f}"
            for (pods, _), found in zip(worlds, ratios, strict=True)
            for name, told in _predicted(node, pods).items()
            if not _near(had := found[name], told)
        ]
        if not wrong:
            break
    assert not wrong, wrong
    assert _predicted(node, asked)["beggar"] == pytest.approx(2 / 1026)
    assert _predicted(node, nested)["eager"] == pytest.approx(2 / 3, abs=0.01)


def _near(had: float, told: float) -> bool:
    """Within 6 % of the core; a starved one runs for one slice of some ms, seldom."""
    if told == 0:
        return had == 0
    if told < 0.01:
        return 0 < had < 3 * told + 0.004 / WORK
    return abs(had - told) < 0.06


def _predicted(node: Node, pods: list[Pod]) -> dict[str, float]:
    demands = {(p.key, "app"): 0.0 if p.name == "idle" else math.inf for p in pods}
    got = share.served(node, pods, demands)
    everything = sum(got.values())
    return {p.name: got[p.key, "app"] / everything for p in pods}


def _window(kernel: Groups, places: list[dict[str, str]]) -> list[dict[str, float]]:
    """The part of each core's time that each pod had."""
    before = [
        {name: kernel.read(path, "cpuacct.usage") for name, path in p.items()} for p in places
    ]
    end = time.monotonic() + 12
    while True:
        time.sleep(0.1)
        had = [
            {n: (kernel.read(path, "cpuacct.usage") - b[n]) / 1e9 for n, path in p.items()}
            for p, b in zip(places, before, strict=True)
        ]
        if all(sum(one.values()) >= WORK for one in had) or time.monotonic() > end:
            break
    return [{n: v / sum(one.values()) for n, v in one.items()} for one in had]


def test_the_kernel_kills_in_the_predicted_order(kernel: Groups) -> None:
    """Three pods below one limit; who asked for most of it grows."""
    bound = 96 * MI
    node = _node(memory=bound)
    base = 9 * MI  # of an interpreter
    pods = [
        _pod("best", {}, use=Use(memory=base + 4 * MI)),
        _pod("burst", {"memory": 20 * MI * 1000}, use=Use(memory=base + 16 * MI)),
        _pod("grown", {"memory": 90 * MI * 1000}, use=Use(memory=base)),
    ]
    expected = [one.pod.name for one in oom.order(node, pods)]
    assert expected == ["best", "burst", "grown"]
    assert oom.memory(node) == bound
    kernel.group("pods", memory_limit_in_bytes=bound)
    hogs = {}
    for one in pods:
        kernel.group(f"pods/{one.name}")
        adjust = qos.oom_score_adj(one, one.parts[0], node)
        hogs[one.name] = kernel.hog(f"pods/{one.name}", adjust)
        assert hogs[one.name].grow(((one.use.memory or one.parts[0].use.memory or 0) - base) // MI)
    died: list[str] = []
    for _ in range(60):
        grew = hogs["grown"].grow(2)
        if not grew:
            wait(lambda: hogs["grown"].dead)
        time.sleep(0.02)
        died += [name for name, one in hogs.items() if name not in died and one.dead]
        if not grew:
            break
    assert died == expected
    play = oom.kills(node, pods, pods[2], pods[2].parts[0], None)
    assert [one.pod.name for one in play.victims] == ["best", "burst"]


def test_files_in_memory_outlive_who_wrote_them(kernel: Groups, tmp_path: Path) -> None:
    """A pod of the lowest rank fills a volume of memory; it dies first, and the next one too."""
    kernel.group("pods", memory_limit_in_bytes=64 * MI)
    mount = tmp_path / "memory"
    mount.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(mount)], check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        for name in ("writer", "good"):
            kernel.group(f"pods/{name}")
        go = tmp_path / "go"
        text = (
            f"until [ -e {go} ]; do sleep 0.02; done; dd if=/dev/zero of={mount}/f bs=1M count=48"
        )
        writer = subprocess.Popen(
            [BUSYBOX, "sh", "-c", f"{text} 2>/dev/null; while :; do sleep 1; done"], text=True
        )
        kernel.processes.append(writer)
        Path(f"/proc/{writer.pid}/oom_score_adj").write_text("1000")
        kernel.enter("pods/writer", writer.pid)
        go.touch()
        assert wait(lambda: kernel.read("pods", "memory.usage_in_bytes") >= 48 * MI)
        good = kernel.hog("pods/good", 63)
        assert not all(good.grow(2) for _ in range(20))
        assert wait(lambda: good.dead)
        assert wait(lambda: writer.poll() is not None)
        assert kernel.read("pods", "memory.usage_in_bytes") >= 48 * MI
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=False)
