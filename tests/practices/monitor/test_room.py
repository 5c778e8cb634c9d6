"""What is remembered is bounded in bytes, whatever texts an attacker writes."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

from martello.practices.monitor.alerts.attribute import Authors
from martello.practices.monitor.alerts.trail import Trail
from martello.practices.monitor.baseline import Baselines

MIB = 1 << 20
SECOND = 1_000_000_000


def taken(work: Callable[[], object]) -> float:
    """MiB that are still there when something is done."""
    tracemalloc.start()
    try:
        kept = work()
        found = tracemalloc.get_traced_memory()[0] / MIB
        assert kept is not None
        return found
    finally:
        tracemalloc.stop()


def long(number: int) -> str:
    """A text of 64 KiB that no other one is."""
    return f"{number:065536}"


def test_sessions_and_what_waits_for_them() -> None:
    def sessions() -> Trail:
        trail = Trail()
        for number in range(1_500):
            pod = {"k8s_ns": "shop", "k8s_resource": "pods", "k8s_name": f"web-{number}"}
            who = {"actor_user": f"u{number}", "actor_agent": long(number), "api_id": str(number)}
            trail.note({"kind": "audit", "k8s_subresource": "exec", "time": 1, **pod, **who})
        last = {"kind": "process", "k8s_ns": "shop", "pod_name": "web-1499", "time": 2}
        assert trail.behind({**last, "proc_flags": ["entered"]}) is not None
        return trail

    def waiting() -> Trail:
        trail = Trail()
        for number in range(1_500):
            event = {"kind": "process", "k8s_ns": "shop", "pod_name": "web", "time": number}
            trail.wait({**event, "proc_flags": ["entered"]}, long(number))
        return trail

    assert taken(sessions) < 40
    assert taken(waiting) < 24


def test_authors() -> None:
    def noted() -> Authors:
        authors = Authors(most_bytes=8 * MIB)
        write = {"kind": "audit", "api_verb": "create", "k8s_resource": "deployments"}
        for number in range(500):
            user = {"actor_user": "alice", "k8s_ns": "shop", "time": number}
            authors.note({**write, **user, "k8s_name": long(number)})
            authors.note({**write, **user, "k8s_name": "web"})
        assert authors.forgotten > 300
        assert authors.behind(("shop", "Deployment", "web")) is not None
        return authors

    assert taken(noted) < 12


def process(number: int, replica: int, **more: Any) -> dict[str, Any]:
    """A program of a replica of shop/web."""
    return {
        "kind": "process",
        "k8s_ns": "shop",
        "pod_workload": "deploy/web",
        "container_name": "main",
        "pod_name": f"web-{replica:020}",
        "proc_exe": "/bin/" + "".join(chr(97 + int(digit)) for digit in str(number)),
        "time": (1_000 + number) * SECOND // 1_000,
        **more,
    }


def test_what_is_compared_with_other_replicas() -> None:
    def observed() -> Baselines:
        baselines = Baselines()
        baselines.observe(process(n, n % 5, proc_args=[long(n)]) for n in range(1_500))
        assert baselines.uncompared
        return baselines

    assert taken(observed) < 44


def test_replicas_of_a_value_are_remembered_once_by_name() -> None:
    def observed() -> Baselines:
        baselines = Baselines(threshold=100)
        for replica in range(64):
            baselines.observe(process(n, replica) for n in range(250))
        return baselines

    assert taken(observed) < 1
