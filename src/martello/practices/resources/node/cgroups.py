"""The tree of control groups that a kubelet makes: weights, caps and bounds.

Read in Kubernetes 1.20.2 and 1.37.2, pkg/kubelet/cm: `MilliCPUToShares`, `MilliCPUToQuota`,
`ResourceConfigForPod` (helpers_linux.go), `getNodeAllocatableAbsoluteImpl`
(node_container_manager_linux.go: capacity less what is reserved, *without* the eviction
thresholds), `setCPUCgroupConfig` (qos_container_manager_linux.go). The kubelet turns shares into
weights of cgroup v2 along a line to this day (`getCPUWeight`, cgroup_manager_linux.go); the curve
is the runtime's (runc from 1.3.2, crun from 1.23: `ConvertCPUSharesToCgroupV2Value` of
opencontainers/cgroups) and so holds for containers alone, not for pods and classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import msgspec

from martello.practices.resources.node.model import Curve, Node, Part, Pod

LEAST_SHARES: Final = 2
MOST_SHARES: Final = 262_144
PERIOD: Final = 100_000  # microseconds
_LEAST_QUOTA: Final = 1_000
_PAGE: Final = 4096
_THROTTLING: Final = 0.9  # memoryThrottlingFactor
_SYSTEM: Final = {1: 1024, 2: 100}  # the kernel's default for a group that nobody weighs


class Group(msgspec.Struct, frozen=True):
    """One group. `weight` counts among its siblings only; None is "no bound".

    A leaf is a container (`pod`, `part`) or all that is outside of pods (neither).
    """

    name: str
    weight: int  # cpu.shares (v1) or cpu.weight (v2)
    cap: int | None = None  # thousandths of a core
    memory: int | None = None  # bytes
    pids: int | None = None
    children: tuple[Group, ...] = ()
    pod: Pod | None = None
    part: Part | None = None
    high: int | None = None  # memory.high, bytes


def shares(milli: int) -> int:
    """cpu.shares of a request in thousandths of a core: 2 to 262144."""
    return min(max(milli * 1024 // 1000, LEAST_SHARES), MOST_SHARES)


def quota(milli: int) -> int:
    """Microseconds of each period of 100 ms for a limit in thousandths of a core; 0: no quota."""
    return max(milli * PERIOD // 1000, _LEAST_QUOTA) if milli > 0 else 0


def weight(shares: int, curve: Curve = "linear") -> int:
    """cpu.weight (cgroup v2, 1 to 10000) of cpu.shares."""
    if shares >= MOST_SHARES:
        return 10_000
    if shares <= LEAST_SHARES:
        return 1
    if curve == "linear":
        return 1 + (shares - LEAST_SHARES) * 9999 // (MOST_SHARES - LEAST_SHARES)
    log = math.log2(shares)
    return math.ceil(math.pow(10, (log * log + 125 * log) / 612.0 - 7.0 / 34.0))


def tree(node: Node, pods: Sequence[Pod]) -> Group:
    """The root group of a node: what is outside of pods, and `kubepods` with its classes, pods and
    containers.
    """
    held = {
        name: max(amount - (node.reserved.get(name, 0) if node.pods_enforced else 0), 0)
        for name, amount in node.capacity.items()
    }
    of_class: dict[str, list[Group]] = {"Guaranteed": [], "Burstable": [], "BestEffort": []}
    asked = 0
    for pod in pods:
        of_class[pod.qos].append(_pod(node, pod))
        if pod.qos == "Burstable":
            asked += pod.request.get("cpu", 0)
    kubepods = Group(
        "kubepods",
        _weigh(node, held.get("cpu", 0)),
        memory=held.get("memory", 0) // 1000,
        pids=max(node.pids - node.reserved_pids, 0) if node.pods_enforced else node.pids,
        children=(
            *of_class["Guaranteed"],
            Group("burstable", _weigh(node, asked), children=tuple(of_class["Burstable"])),
            Group("besteffort", _weigh(node, 0), children=tuple(of_class["BestEffort"])),
        ),
    )
    return Group("", 1, children=(Group("system", _SYSTEM[node.cgroup]), kubepods))


def _weigh(node: Node, milli: int) -> int:
    """The weight of a group that the kubelet makes itself."""
    return shares(milli) if node.cgroup == 1 else weight(shares(milli))


def _cap(node: Node, limit: int | None) -> int | None:
    """A processor limit as it is enforced: whole microseconds of a period, at least 1 ms."""
    if not limit or not node.cpu_quota:
        return None
    return quota(limit) * 1000 // PERIOD


def _memory(limit: int | None) -> int | None:
    return -(-limit // 1000) if limit else None


def _pod(node: Node, pod: Pod) -> Group:
    """BestEffort pods get the least shares; caps where every container has one."""
    asked = 0 if pod.qos == "BestEffort" else pod.request.get("cpu", 0)
    return Group(
        pod.key,
        _weigh(node, asked),
        cap=_cap(node, pod.limit.get("cpu")),
        memory=_memory(pod.limit.get("memory")),
        pids=node.pod_pids,
        children=tuple(_part(node, pod, part) for part in pod.parts),
        pod=pod,
    )


def _part(node: Node, pod: Pod, part: Part) -> Group:
    asked = shares(part.requests.get("cpu", 0))
    memory = _memory(part.limits.get("memory"))
    return Group(
        part.name,
        asked if node.cgroup == 1 else weight(asked, node.curve),
        cap=_cap(node, part.limits.get("cpu")),
        memory=memory,
        pod=pod,
        part=part,
        high=_high(node, part, memory),
    )


def _high(node: Node, part: Part, limit: int | None) -> int | None:
    """memory.high by MemoryQoS: the request and nine tenths of the way from there to the limit, or
    to what the node can give (1.37.2: generateLinuxContainerResources).
    """
    if not node.memory_qos or node.cgroup == 1:
        return None
    request = _memory(part.requests.get("memory")) or 0
    if request and request == limit:
        return None
    top = limit if limit is not None else node.allocatable.get("memory", 0) // 1000
    high = math.floor((request + (top - request) * _THROTTLING) / _PAGE) * _PAGE
    return high if high > request else None
