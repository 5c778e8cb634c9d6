"""What one container can hold at most of each resource of its node, and what says so.

Of a pod with several containers each resource counts the one by which most can be taken: the
attacker is in one of them, and nobody knows in which. Units as in node.model.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from martello.practices.resources.blast.model import Guard, Resource
from martello.practices.resources.node.evict import disk_bound, use
from martello.practices.resources.node.model import Node, Part, Pod

# The kubelet looks at its disk every 10 s, and walks through volumes every minute
# (volumeStatsAggPeriod), of which it hears at its next look. Meanwhile so much is written:
# 200 MiB/s, assumed. What reserves room without writing (fallocate) is faster; only a quota of the
# file system stops that.
OVERSHOOT: Final = 10 * 200 * 2**20
UNSEEN: Final = 7 * OVERSHOOT  # in an emptyDir
UNSEEN_FILES: Final = 70 * 20_000  # so many are made meanwhile, assumed
LOGS: Final = 5 * 10 * 2**20  # containerLogMaxFiles times containerLogMaxSize
_FILES: Final = 10  # of logs, while they are turned over
_LARGEST: Final = 1 << 80  # bytes that are told apart
_ENTRY: Final = 12  # bytes that the shortest entry of a directory of ext4 takes


class Cap(msgspec.Struct, frozen=True):
    """A bound of one pod's use with the container that reaches it; None: nothing bounds it."""

    most: int | None
    part: Part
    guard: Guard | None = None
    assumed: tuple[str, ...] = ()


def asked(pod: Pod, name: str) -> int:
    """Whole units that a pod requests (thousandths for cpu)."""
    amount = pod.request.get(name, 0)
    return amount if name == "cpu" else amount // 1000


def limited(part: Part, name: str) -> int | None:
    """Whole units of a container's limit, rounded up (thousandths for cpu)."""
    limit = part.limits.get(name)
    if not limit:  # the kubelet reads a limit of 0 as none
        return None
    return limit if name == "cpu" else -(-limit // 1000)


def cpu_use(pod: Pod, part: Part) -> tuple[int, bool]:
    """The demand of a container in thousandths of a core, and whether it was measured."""
    used = part.use.cpu
    if used is None and pod.use.cpu is not None:
        total = sum(one.requests.get("cpu", 0) for one in pod.parts)
        share = part.requests.get("cpu", 0)
        return pod.use.cpu * share // total if total else pod.use.cpu // len(pod.parts), True
    if used is None:
        return part.requests.get("cpu", 0), False
    return used, True


def memory_use(pod: Pod) -> tuple[int, bool]:
    """The bytes that a pod uses, and whether they were measured."""
    used = use(pod, "memory")
    return (asked(pod, "memory"), False) if used is None else (used, True)


def part_memory(part: Part) -> int:
    """The bytes that a container uses: measured, else what it requests."""
    return (
        part.use.memory if part.use.memory is not None else part.requests.get("memory", 0) // 1000
    )


def cpu(pod: Pod, node: Node) -> Cap:
    """Thousandths of a core."""
    return _worst(pod, "cpu", lambda part: cpu_use(pod, part)[0], node.cpu_quota)


def memory(pod: Pod) -> Cap:
    """Bytes of the whole pod, with the other containers at what they use.

    What a container leaves in an emptyDir of memory stays with the pod when it is killed and begins
    anew, so such a volume lifts the bound to the pod's, or by the size that the volume may have.
    """
    worst = _worst(pod, "memory", part_memory)
    volumes = [volume for volume in pod.volumes if volume.memory]
    if worst.most is None:
        return worst
    others = sum(part_memory(part) for part in pod.parts if part is not worst.part)
    most = worst.most + others
    whole = pod.limit.get("memory")
    if volumes and whole is None:
        if any(volume.limit is None for volume in volumes):
            return Cap(None, worst.part)
        most += sum(volume.limit or 0 for volume in volumes)
    if whole is not None:
        bound = -(-whole // 1000)
        most = bound if volumes else min(most, bound)
    return Cap(most, worst.part, worst.guard)


def _worst(pod: Pod, name: str, used: Any, enforced: bool = True) -> Cap:
    """The container with no limit that requests most, else the one that can grow most."""
    free = [part for part in pod.parts if not enforced or limited(part, name) is None]
    if free:
        return Cap(None, max(free, key=lambda part: part.requests.get(name, 0)))
    part = max(pod.parts, key=lambda one: (limited(one, name) or 0) - used(one))
    most = limited(part, name) or 0
    return Cap(most, part, Guard(f"limit {show(name, most)}"))


def pids(pod: Pod, node: Node) -> Cap:
    """Processes and threads of the pod."""
    part = pod.parts[0]
    assumed = tuple(sorted({"pod_pids", "pids"} & node.assumed))
    if node.pod_pids is not None:
        return Cap(node.pod_pids, part, Guard(f"podPidsLimit {node.pod_pids:,}"), assumed)
    return Cap(None, part, None, assumed)


class Storage(msgspec.Struct, frozen=True):
    """What a pod can hold of the node's file system, and how much of it before it is measured."""

    disk: Cap
    inodes: Cap
    volume: bool  # whether it may write to an emptyDir on disk

    @property
    def overshoot(self) -> int:
        """Bytes that it can write before the kubelet measures them."""
        return UNSEEN if self.volume else OVERSHOOT


def storage(pod: Pod) -> Storage:
    """Bytes: logs, writable layer, emptyDirs. Limits are kept by evicting the pod, after the
    kubelet has measured, so critical pods have none; logs by turning them over.

    No setting bounds inodes; a bound of bytes does, because each name takes room in its directory.
    """
    places = set(writable(pod))
    part, volume = pod.parts[0], any(name for _, name in places)
    if not places:
        says = f"read-only root, logs of {size(LOGS)}"
        disk = Cap(LOGS * len(pod.parts) + OVERSHOOT, part, Guard(says))
        files = Cap(_FILES * len(pod.parts), part, Guard("read-only root"))
        return Storage(disk, files, volume=False)
    most, says = _bounded(pod, places)
    if most is None:
        free = Cap(None, pod.parts[min(places)[0]])
        return Storage(free, free, volume)
    disk = Cap(most + (UNSEEN if volume else OVERSHOOT), part, Guard(says))
    return Storage(disk, Cap((disk.most or 0) // _ENTRY, part, disk.guard), volume)


def _bounded(pod: Pod, places: set[tuple[int, str]]) -> tuple[int | None, str]:
    """The bytes at which it is evicted for its own limits."""
    if pod.critical:
        return None, ""
    bound = disk_bound(pod)
    free = [index for index, part in enumerate(pod.parts) if not _limits_disk(part)]
    if bound and not any(index in free for index, _ in places):
        return bound, f"limit {size(bound)}"
    sizes = [volume.limit for volume in pod.volumes if not volume.memory]
    if all(name for _, name in places) and None not in sizes:
        total = sum(one or 0 for one in sizes)
        return total, f"sizeLimit {size(total)}"
    return None, ""


def _limits_disk(part: Part) -> bool:
    return limited(part, "ephemeral-storage") is not None


def writable(pod: Pod) -> Iterator[tuple[int, str]]:
    """Where containers can write to the node's disk: (place of the container, volume; empty: its
    root).
    """
    raw = _containers(pod)
    on_disk = {volume.name for volume in pod.volumes if not volume.memory}
    for index, part in enumerate(pod.parts):
        own = raw.get(part.name)
        if own is None:
            yield index, ""
            continue
        security = own.get("securityContext")
        if not (isinstance(security, dict) and security.get("readOnlyRootFilesystem") is True):
            yield index, ""
        mounts = own.get("volumeMounts")
        for mount in mounts if isinstance(mounts, list) else ():
            if not isinstance(mount, dict) or mount.get("readOnly") is True:
                continue
            if isinstance(mount.get("name"), str) and mount["name"] in on_disk:
                yield index, mount["name"]


def own_limit(pod: Pod, part: Part, name: str) -> bool:
    """Whether the workload itself says the limit, rather than a LimitRange."""
    own = _containers(pod).get(part.name)
    if own is None:
        return True
    resources = own.get("resources")
    limits = resources.get("limits") if isinstance(resources, dict) else None
    return isinstance(limits, dict) and name in limits


def _containers(pod: Pod) -> dict[str, dict[str, Any]]:
    spec = pod.raw.get("spec")
    found: dict[str, dict[str, Any]] = {}
    for key in ("initContainers", "containers"):
        listed = spec.get(key) if isinstance(spec, dict) else None
        for one in listed if isinstance(listed, list) else ():
            if isinstance(one, dict) and isinstance(one.get("name"), str):
                found[one["name"]] = one
    return found


def show(name: Resource | str, amount: int) -> str:
    """An amount of a resource as Kubernetes writes it."""
    if name == "cpu":
        return f"{amount}m"
    return size(amount)


def size(count: int) -> str:
    """Bytes in the largest binary unit that keeps two figures: `310Mi`, `18Gi`."""
    amount, unit = float(min(count, _LARGEST)), ""
    for larger in ("Ki", "Mi", "Gi", "Ti"):
        if abs(amount) < 1024:
            break
        amount, unit = amount / 1024, larger
    digits = 0 if unit == "" or amount >= 10 or amount == int(amount) else 1
    return f"{amount:,.{digits}f}{unit}"
