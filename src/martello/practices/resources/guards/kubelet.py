"""Settings of kubelets, one fragment for each class of nodes: alike in processors and memory.

Reserved amounts follow the formula that GKE publishes (a quarter of the first 4 GiB, a fifth of the
next 4, a tenth of the next 8, 6 % up to 128 GiB, 2 % beyond; 6 % of the first core, 1 % of the
second, 0.5 % of the next two, 0.25 % of the others), as far as what pods ask for leaves room.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from martello.practices.resources.guards import rounding
from martello.practices.resources.guards.model import Fragment
from martello.practices.resources.node.model import Node, Pod
from martello.practices.resources.node.settings import DEFAULT_EVICTION

_PIDS: Final = 1024
_GIB: Final = 2**30
_MI: Final = 2**20
_HUGE: Final = 10**30
# Up to so many GiB, this share: then the next.
_MEMORY: Final = ((4, 0.25), (8, 0.20), (16, 0.10), (128, 0.06), (10**9, 0.02))
_CORES: Final = ((1, 0.06), (2, 0.01), (4, 0.005), (10**9, 0.0025))
_KEPT: Final = {"memory": "memory.available", "ephemeral-storage": "nodefs.available"}


def fragments(
    nodes: Sequence[Node], pods: Iterable[Pod], pids: int | None = None, level: int = 0
) -> Iterator[Fragment]:
    """What each class of nodes lacks: a limit of processes, a threshold of processes, a reserve.
    `pids` is the most that any pod was seen to have. Level 1 reserves nothing, level 2 leaves
    thresholds alone, level 3 everything.
    """
    asked: dict[str, list[Pod]] = {}
    for pod in pods:
        asked.setdefault(pod.node, []).append(pod)
    groups: dict[tuple[int, int], list[Node]] = {}
    for node in nodes:
        cores = -(-node.capacity.get("cpu", 0) // 1000)
        memory = -(-node.capacity.get("memory", 0) // (_GIB * 1000))
        groups.setdefault((cores, memory), []).append(node)
    for (cores, memory), group in sorted(groups.items()):
        body, says = _body(group, asked, pids, level)
        if body:
            head = {"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration"}
            after = tuple(_changed(node, body) for node in group)
            yield Fragment(f"{cores}-cores-{memory}Gi", {**head, **body}, after, tuple(says))


def _body(
    group: Sequence[Node], asked: dict[str, list[Pod]], pids: int | None, level: int
) -> tuple[dict[str, Any], list[str]]:
    body: dict[str, Any] = {}
    says: list[str] = []
    if level >= 3:
        return body, says
    least = min(node.pids - node.reserved_pids for node in group)
    limit = max(1, min(max(_PIDS, rounding.count(2 * (pids or 0))), least // 2))
    if any(node.pod_pids is None for node in group):
        body["podPidsLimit"] = limit
        says.append(f"podPidsLimit {limit:,} (the kernel allows {least:,} for all)")
    if level < 2 and all(_usual(node) for node in group):
        body["evictionHard"] = {**DEFAULT_EVICTION, "pid.available": "10%"}
        says.append("evictionHard with pid.available 10%")
    if level < 1 and not any(node.reserved for node in group):
        reserved = _reserved(group, asked)
        if reserved:
            body["systemReserved"] = reserved
            told = ", ".join(f"{name} {amount}" for name, amount in reserved.items())
            says.append(f"systemReserved {told}")
    return body, says


def _usual(node: Node) -> bool:
    """Whether its thresholds are the defaults, as far as anybody told."""
    return (
        "pid.available" not in node.eviction
        and node.eviction.get("memory.available", 100 * _MI) == 100 * _MI
    )


def _reserved(group: Sequence[Node], asked: dict[str, list[Pod]]) -> dict[str, str]:
    """What fits beside what pods ask for on each node of the class."""
    first = group[0]
    cores = min(first.capacity.get("cpu", 0), _HUGE) / 1000
    memory = min(first.capacity.get("memory", 0), _HUGE) / (_GIB * 1000)
    wanted = {
        "cpu": rounding.cpu(1000 * _tiered(cores, _CORES)),
        "memory": rounding.size(_tiered(memory, _MEMORY) * _GIB) * 1000,
    }
    found: dict[str, str] = {}
    for name, milli in wanted.items():
        room = min(
            node.allocatable.get(name, 0)
            - sum(pod.request.get(name, 0) for pod in asked.get(node.name, ()))
            for node in group
        )
        if milli <= room:
            found[name] = rounding.written(name, milli)
    return found


def _tiered(amount: float, tiers: Sequence[tuple[int, float]]) -> float:
    total, below = 0.0, 0.0
    for end, share in tiers:
        total += max(0.0, min(amount, end) - below) * share
        below = end
    return total


def _changed(node: Node, body: dict[str, Any]) -> Node:
    """The node as its kubelet would run it."""
    from martello.practices.resources.amounts import amounts

    changes: dict[str, Any] = {}
    known: set[str] = set()
    if "podPidsLimit" in body:
        limit = body["podPidsLimit"]
        changes["pod_pids"] = limit if node.pod_pids is None else min(limit, node.pod_pids)
        known.add("pod_pids")
    if "evictionHard" in body:
        changes["eviction"] = {**node.eviction, "pid.available": node.pids // 10}
    if "systemReserved" in body:
        reserved = amounts(body["systemReserved"])
        changes["reserved"] = reserved
        changes["allocatable"] = {
            name: max(0, milli - reserved.get(name, 0)) for name, milli in node.allocatable.items()
        }
        known.add("reserved")
    return msgspec.structs.replace(node, **changes, assumed=node.assumed - known)
