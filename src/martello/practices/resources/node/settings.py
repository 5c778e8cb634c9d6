"""Nodes and the settings of their kubelets: told by the node, by its configuration, or assumed.

Defaults and their meaning are those of Kubernetes 1.37.2: pkg/kubelet/apis/config/v1beta1/
defaults.go, pkg/kubelet/eviction/defaults_linux.go and `parseThresholdStatement`. A configuration
that names any hard threshold drops the defaults of all others, unless it says
mergeDefaultEvictionSettings (`loadConfigFile` of cmd/kubelet/app/server.go).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from typing import Any, Final

from martello.core.cluster import Cluster
from martello.core.errors import BadInput
from martello.core.resource import Resource
from martello.core.version import minor
from martello.practices.resources.amounts import Amounts, Malformed, amount, amounts, countable
from martello.practices.resources.node.model import Node, Use
from martello.practices.resources.node.summary import (
    mapping,
    number,
    own_image_disk,
    system_use,
)

DEFAULT_EVICTION: Final = {
    "memory.available": "100Mi",
    "nodefs.available": "10%",
    "nodefs.inodesFree": "5%",
    "imagefs.available": "15%",
    "imagefs.inodesFree": "5%",
}
SIGNALS: Final = frozenset(
    (*DEFAULT_EVICTION, "containerfs.available", "containerfs.inodesFree", "pid.available")
)
PIDS: Final = 32_768  # what the kernel allows a small machine
MEMORY_QOS: Final = 37  # the minor version that turns the feature on
_GIB: Final = 1 << 30
# The class of node that stands for all where nobody says what nodes there are.
_ASSUMED: Final[Amounts] = {
    "cpu": 4_000,
    "memory": 16 * _GIB * 1000,
    "ephemeral-storage": 100 * _GIB * 1000,
    "pods": 110_000,
}
# What only a kubelet's configuration tells, and what only its stats tell.
_BY_CONFIGURATION: Final = (
    "reserved",
    "eviction",
    "soft",
    "reclaim",
    "pod_pids",
    "reserved_pids",
    "swap",
    "pods_enforced",
    "cpu_quota",
    "single_kill",
    "memory_qos",
)
_BY_STATS: Final = ("pids", "inodes", "free_disk", "image_fs", "used_by_system")
_NUMBERS: Final = re.compile(r"([0-9]{1,4})(?:-([0-9]{1,4}))?")
_PERCENT: Final = re.compile(r"[0-9]{1,12}(?:\.[0-9]{0,12})?%")


def nodes(
    world: Cluster,
    kubelets: Mapping[str, Mapping[str, Any]] | None = None,
    stats: Mapping[str, Mapping[str, Any]] | None = None,
) -> tuple[Node, ...]:
    """Every Node object as a Node. One that pods are on but that is not here is assumed (4 cores,
    16 GiB, 100 GiB, 110 pods); where there is none at all, one such of the name "". `kubelets`
    (KubeletConfiguration) and `stats` (/stats/summary) are by node name; a configuration under ""
    holds for every node without one of its own. Raises BadInput.
    """
    told, seen = kubelets or {}, stats or {}
    common = told.get("")
    known = {one.ref.name: one for one in world.of_kind("Node")}
    named = [one.spec.get("nodeName") for one in world.of_kind("Pod")]
    names = {*known, *(name for name in named if isinstance(name, str) and name)} or {""}
    return tuple(
        _node(world, name, known.get(name), told.get(name, common), seen.get(name))
        for name in sorted(names)
    )


def _node(
    world: Cluster,
    name: str,
    resource: Resource | None,
    kubelet: Mapping[str, Any] | None,
    stats: Mapping[str, Any] | None,
) -> Node:
    spec = resource.spec if resource is not None else {}
    status = mapping(resource.raw.get("status")) if resource is not None else {}
    capacity = _amounts(status.get("capacity"), name) or dict(_ASSUMED)
    pids = number(stats or {}, "node", "rlimit", "maxpid") or PIDS
    inodes = number(stats or {}, "node", "fs", "inodes")
    conf = _Configuration(name, kubelet or {}, capacity, {"inodes": inodes, "pids": pids})
    version = _version(status, world.kubernetes)
    disk = number(stats or {}, "node", "fs", "capacityBytes")
    if disk is None and "ephemeral-storage" in capacity:
        disk = capacity["ephemeral-storage"] // 1000
    hard, soft, reclaim = conf.eviction(disk)
    reserved = conf.reserved() if kubelet is not None else None
    allocatable = _amounts(status.get("allocatable"), name)
    if reserved is None:
        reserved = _left(capacity, allocatable, hard) if allocatable else {}
    if not allocatable:
        allocatable = _allocatable(capacity, reserved, hard)
    old = conf.field("failCgroupV1", bool) is not True
    assumed = {*(_BY_CONFIGURATION if kubelet is None else ()), "curve"}
    assumed |= {"cgroup"} if old else set()
    assumed |= {"capacity", "allocatable", "disk"} if not status.get("capacity") else set()
    assumed |= set(_BY_STATS) if stats is None else _untold(stats)
    return Node(
        name=name,
        capacity=capacity,
        allocatable=allocatable,
        labels=resource.labels if resource is not None else {},
        taints=tuple(one for one in spec.get("taints") or () if isinstance(one, dict))
        if isinstance(spec.get("taints"), list)
        else (),
        reserved={k: v for k, v in reserved.items() if k != "pid"},
        eviction=hard,
        soft=soft,
        pod_pids=conf.pod_pids(),
        pids=pids,
        reserved_pids=reserved.get("pid", 0) // 1000,
        disk=disk,
        inodes=inodes,
        free_disk=number(stats or {}, "node", "fs", "availableBytes"),
        swap=conf.swap(),
        pods_enforced=conf.pods_enforced(),
        cpu_quota=conf.field("cpuCFSQuota", bool) is not False,
        single_kill=conf.field("singleProcessOOMKill", bool) is True,
        used_by_system=system_use(stats) if stats is not None else Use(),
        unschedulable=spec.get("unschedulable") is True,
        kubernetes=version,
        reclaim=reclaim,
        image_fs=bool(own_image_disk(stats)) if stats is not None else False,
        memory_qos=conf.gate("MemoryQoS", default=version >= MEMORY_QOS),
        assumed=frozenset(assumed),
    )


def _untold(stats: Mapping[str, Any]) -> set[str]:
    """What stats leave out."""
    told = {
        "pids": number(stats, "node", "rlimit", "maxpid"),
        "inodes": number(stats, "node", "fs", "inodes"),
        "free_disk": number(stats, "node", "fs", "availableBytes"),
        "image_fs": own_image_disk(stats),
        "used_by_system": number(stats, "node", "memory", "workingSetBytes"),
    }
    return {name for name, value in told.items() if value is None}


def _version(status: Mapping[str, Any], default: int) -> int:
    told = mapping(status.get("nodeInfo")).get("kubeletVersion")
    try:
        return minor(told) if isinstance(told, str) else default
    except BadInput:
        return default


def _amounts(value: Any, node: str) -> Amounts:
    try:
        return countable(amounts(value))
    except Malformed as error:
        raise _bad(node, str(error)) from None


def _bad(node: str, why: str) -> BadInput:
    of = f"node {node}" if node else "the nodes"
    return BadInput(f"cannot use the settings of {of}", why, "correct the kubelet's configuration")


def _left(capacity: Amounts, allocatable: Amounts, hard: Mapping[str, int]) -> Amounts:
    """What a node keeps from pods, less what its thresholds keep: reserved, as far as one sees."""
    found: Amounts = {}
    kept = {"memory": "memory.available", "ephemeral-storage": "nodefs.available"}
    for name in ("cpu", "memory", "ephemeral-storage"):
        rest = capacity.get(name, 0) - allocatable.get(name, capacity.get(name, 0))
        rest -= hard.get(kept.get(name, ""), 0) * 1000
        if rest > 0:
            found[name] = rest
    return found


def _allocatable(capacity: Amounts, reserved: Amounts, hard: Mapping[str, int]) -> Amounts:
    """What pods may ask for: `GetNodeAllocatableReservation` with `hardEvictionReservation`."""
    kept = {"memory": "memory.available", "ephemeral-storage": "nodefs.available"}
    return {
        name: max(milli - reserved.get(name, 0) - hard.get(kept.get(name, ""), 0) * 1000, 0)
        for name, milli in capacity.items()
    }


class _Configuration:
    """A KubeletConfiguration, read field by field. Raises BadInput where the kubelet would not
    start with it.
    """

    def __init__(
        self,
        node: str,
        raw: Mapping[str, Any],
        capacity: Amounts,
        counted: Mapping[str, int | None],
    ) -> None:
        self.node = node
        self.raw = raw
        self.capacity = capacity
        self.counted = counted

    def field(self, name: str, kind: type) -> Any:
        """A field, None where it is not set. Raises BadInput for one of a wrong kind."""
        value = self.raw.get(name)
        if value is None:
            return None
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise _bad(self.node, f"{name} is no {_WORDS[kind]}")
        return value

    def gate(self, name: str, *, default: bool) -> bool:
        """Whether a feature is on."""
        value = (self.field("featureGates", dict) or {}).get(name)
        return value if isinstance(value, bool) else default

    def reserved(self) -> Amounts:
        """system-reserved and kube-reserved together, with `pid`. Processors that are reserved by
        number take the place of both amounts of `cpu`.
        """
        found: Amounts = {}
        for field in ("systemReserved", "kubeReserved"):
            for name, milli in _amounts(self.field(field, dict), self.node).items():
                found[name] = found.get(name, 0) + milli
        numbers = self.field("reservedSystemCPUs", str)
        if numbers:
            found["cpu"] = self._counted(numbers) * 1000
        return found

    def _counted(self, numbers: str) -> int:
        """How many processors a list as `0-3,8` names."""
        found: set[int] = set()
        for part in numbers.split(","):
            match = _NUMBERS.fullmatch(part)
            if match is None:
                raise _bad(self.node, f"reservedSystemCPUs: {numbers[:80]!r} is no list of numbers")
            first = int(match[1])
            found.update(range(first, int(match[2] or first) + 1))
        return len(found)

    def pod_pids(self) -> int | None:
        """podPidsLimit; None where there is none (-1, 0)."""
        limit = self.field("podPidsLimit", int)
        return limit if limit is not None and limit > 0 else None

    def swap(self) -> bool:
        """Whether pods may use swap."""
        behaviour = mapping(self.raw.get("memorySwap")).get("swapBehavior")
        return behaviour in ("LimitedSwap", "UnlimitedSwap")

    def pods_enforced(self) -> bool:
        """Whether pods together are held to what is not reserved."""
        value = self.field("enforceNodeAllocatable", list)
        return self.field("cgroupsPerQOS", bool) is not False and (value is None or "pods" in value)

    def eviction(self, disk: int | None) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
        """Hard and soft thresholds and what is reclaimed beyond them, each as bytes or numbers."""
        hard = self.field("evictionHard", dict)
        if hard is None:
            hard = DEFAULT_EVICTION
        elif self.field("mergeDefaultEvictionSettings", bool) is True:
            hard = {**DEFAULT_EVICTION, **hard}
        soft = self.field("evictionSoft", dict) or {}
        reclaim = self.field("evictionMinimumReclaim", dict) or {}
        found = [self._thresholds(one, disk) for one in (hard, soft, reclaim)]
        return found[0], found[1], found[2]

    def _thresholds(self, written: Mapping[str, Any], disk: int | None) -> dict[str, int]:
        """0% and 100% are no threshold. A percentage of what nobody knows is left out."""
        found: dict[str, int] = {}
        for signal, raw in written.items():
            if signal not in SIGNALS:
                raise _bad(self.node, f"{str(signal)[:80]!r} is no eviction signal")
            if not isinstance(raw, str):
                raise _bad(self.node, f"{signal}: the threshold is no text")
            if raw.endswith("%"):
                whole = self._whole(signal, disk)
                value = self._percentage(signal, raw)
                if value and value < 1 and whole is not None:
                    found[signal] = int(float(whole) * value)
                continue
            milli = amount(raw)
            if milli is None or milli < 0:
                raise _bad(self.node, f"{signal}: {raw[:80]!r} is no amount")
            if milli:
                found[signal] = -(-countable({signal: milli})[signal] // 1000)
        return found

    def _percentage(self, signal: str, raw: str) -> float:
        """A part of 1, as the kubelet keeps it: in single precision."""
        if not _PERCENT.fullmatch(raw) or float(raw[:-1]) > 100:
            raise _bad(self.node, f"{signal}: {raw[:80]!r} is no percentage")
        return _single(_single(float(raw[:-1])) / 100)

    def _whole(self, signal: str, disk: int | None) -> int | None:
        if signal == "memory.available":
            return self.capacity.get("memory", 0) // 1000
        if signal == "pid.available":
            return self.counted["pids"]
        return disk if signal.endswith(".available") else self.counted["inodes"]


_WORDS: Final[Mapping[type, str]] = {
    bool: "truth value",
    int: "whole number",
    dict: "mapping",
    list: "list",
    str: "text",
}


def _single(value: float) -> float:
    found: float = struct.unpack("f", struct.pack("f", value))[0]
    return found
