"""A node and the pods on it, as the kubelet and the kernel see them.

Units: processor time in thousandths of a core, memory and disk in bytes, processes, inodes and
signals in numbers. `None` is "not measured" or "no bound", as each field says; what stands in for
a value that is not known is the reader's to say (`Node.assumed`, `Use`).
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final, Literal

import msgspec

from martello.core.version import NEWEST
from martello.practices.resources.amounts import Amounts

Signal = Literal["memory", "disk", "inodes", "pids"]
Curve = Literal["linear", "curved"]
Class = Literal["Guaranteed", "Burstable", "BestEffort"]

CRITICAL: Final = (
    2_000_000_000  # the priority from which on a pod is critical to its node or cluster
)


class Use(msgspec.Struct, frozen=True):
    """What a container or pod was seen to use; None where it was not measured."""

    cpu: int | None = None  # thousandths of a core: the 95th percentile
    memory: int | None = None  # bytes of working set: the peak
    pids: int | None = None
    disk: int | None = None  # bytes of logs, writable layer and emptyDir on disk
    inodes: int | None = None


class Part(msgspec.Struct, frozen=True):
    """One container of a pod that runs beside the others: regular, or an init container that stays.

    `requests` holds the limits where nothing else is said, and LimitRange defaults.
    """

    name: str
    requests: Amounts
    limits: Amounts
    use: Use = Use()
    sidecar: bool = False  # an init container that stays


class Volume(msgspec.Struct, frozen=True):
    """An emptyDir: where it lies, and its size limit in bytes (None: none)."""

    name: str
    memory: bool
    limit: int | None


class Pod(msgspec.Struct, frozen=True, dict=True):
    """One pod, running or to be expected of a workload.

    `request` is what scheduler and kubelet count: the sum over parts, one init container if that
    is more, and the overhead. `use` is the pod's own where only that is known; else the parts'.
    """

    namespace: str
    name: str
    workload: str  # as `deploy/web`
    parts: tuple[Part, ...]
    request: Amounts
    limit: Amounts  # only of resources that every container limits; with the overhead
    qos: Class
    priority: int = 0
    node: str = ""  # empty: not placed
    static: bool = False  # of the node's own directory: never evicted
    host_pid: bool = False
    host_network: bool = False
    volumes: tuple[Volume, ...] = ()
    use: Use = Use()
    started: float = 0.0  # seconds since the epoch; later ones are preempted first
    preempts: bool = True  # preemptionPolicy
    raw: dict[str, Any] = {}  # the pod, or the template as a pod, with the server's defaults

    @cached_property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"

    @cached_property
    def owner(self) -> str:
        """`namespace/kind/name` of the workload."""
        return f"{self.namespace}/{self.workload}"

    @property
    def critical(self) -> bool:
        """Whether the kubelet never evicts it."""
        return self.static or self.priority >= CRITICAL


class Node(msgspec.Struct, frozen=True):
    """One node and its kubelet's settings; `assumed` names the fields that nobody told."""

    name: str
    capacity: Amounts  # thousandths
    allocatable: Amounts  # thousandths
    labels: dict[str, str] = {}
    taints: tuple[dict[str, Any], ...] = ()
    reserved: Amounts = {}  # system-reserved and kube-reserved, without the eviction threshold
    eviction: dict[str, int] = {}  # hard thresholds: signal → bytes or number left; see settings
    soft: dict[str, int] = {}  # soft thresholds
    pod_pids: int | None = None  # podPidsLimit; None: no limit
    pids: int = 32_768  # what the kernel allows the node (pid_max, threads-max)
    reserved_pids: int = 0
    disk: int | None = None  # bytes of nodefs
    inodes: int | None = None
    free_disk: int | None = None  # what the node's file system had left when measured
    swap: bool = False
    cgroup: Literal[1, 2] = 2
    pods_enforced: bool = True  # enforceNodeAllocatable holds `pods`
    cpu_quota: bool = True  # cpuCFSQuota
    single_kill: bool = False  # singleProcessOOMKill
    used_by_system: Use = Use()  # all that is outside of pods
    unschedulable: bool = False
    kubernetes: int = NEWEST  # the kubelet's minor version
    reclaim: dict[str, int] = {}  # evictionMinimumReclaim, as `eviction`
    image_fs: bool = False  # whether images and writable layers lie on a disk of their own
    curve: Curve = "linear"  # how shares of processor become weights of cgroup v2
    memory_qos: bool = False  # the feature MemoryQoS: memory.high, memory.min
    assumed: frozenset[str] = frozenset()
