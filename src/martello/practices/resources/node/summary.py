"""What a kubelet's /stats/summary says of the use of pods and of its node.

The fields are those of k8s.io/kubelet/pkg/apis/stats/v1alpha1. What a field lacks or has in a
wrong kind is not measured: None.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from martello.practices.resources.node.model import Use

_MOST: Final = 1 << 63


def uses(summary: Mapping[str, Any]) -> dict[str, Use]:
    """The use of every pod and container, by `namespace/pod` and `namespace/pod/container`. The
    processor's is one instant, no percentile.
    """
    found: dict[str, Use] = {}
    for pod in _pods(summary):
        reference = mapping(pod.get("podRef"))
        namespace, name = reference.get("namespace"), reference.get("name")
        if not isinstance(namespace, str) or not isinstance(name, str):
            continue
        key = f"{namespace}/{name}"
        local = mapping(pod.get("ephemeral-storage"))
        found[key] = Use(
            cpu=_cores(pod),
            memory=number(pod, "memory", "workingSetBytes"),
            pids=number(pod, "process_stats", "process_count"),
            disk=_whole(local.get("usedBytes")),
            inodes=_whole(local.get("inodesUsed")),
        )
        for container in listed(pod.get("containers")):
            if isinstance(container.get("name"), str):
                found[f"{key}/{container['name']}"] = Use(
                    cpu=_cores(container),
                    memory=number(container, "memory", "workingSetBytes"),
                    disk=_together(container, "usedBytes"),
                    inodes=_together(container, "inodesUsed"),
                )
    return found


def system_use(summary: Mapping[str, Any]) -> Use:
    """What a node uses outside of its pods: all of it less theirs."""
    node = mapping(summary.get("node"))
    pods = [use for key, use in uses(summary).items() if key.count("/") == 1]
    held = next(
        (one for one in listed(node.get("systemContainers")) if one.get("name") == "pods"), {}
    )
    cpu, memory = _cores(held), number(held, "memory", "workingSetBytes")
    return Use(
        cpu=_rest(_cores(node), cpu if cpu is not None else _sum(use.cpu for use in pods)),
        memory=_rest(
            number(node, "memory", "workingSetBytes"),
            memory if memory is not None else _sum(use.memory for use in pods),
        ),
        pids=_rest(number(node, "rlimit", "curproc"), _sum(use.pids for use in pods)),
        disk=_rest(number(node, "fs", "usedBytes"), _sum(use.disk for use in pods)),
        inodes=_rest(number(node, "fs", "inodesUsed"), _sum(use.inodes for use in pods)),
    )


def own_image_disk(summary: Mapping[str, Any]) -> bool | None:
    """Whether images lie on a disk of their own; None where the kubelet does not say."""
    node = mapping(summary.get("node"))
    images = mapping(mapping(node.get("runtime")).get("imageFs"))
    pairs = [
        (number(node, "fs", name), _whole(images.get(name))) for name in ("capacityBytes", "inodes")
    ]
    known = [(one, other) for one, other in pairs if one is not None and other is not None]
    return any(one != other for one, other in known) if known else None


def number(value: Mapping[str, Any], *path: str) -> int | None:
    """A whole number of 0 or more beneath a mapping."""
    at: Any = value
    for step in path:
        at = mapping(at).get(step)
    return _whole(at)


def mapping(value: Any) -> dict[str, Any]:
    """A mapping, empty for anything else."""
    return value if isinstance(value, dict) else {}


def listed(value: Any) -> list[dict[str, Any]]:
    """The mappings of a list, empty for anything else."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _pods(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    return listed(summary.get("pods"))


def _whole(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _MOST:
        return None
    return value


def _cores(value: Mapping[str, Any]) -> int | None:
    nano = number(value, "cpu", "usageNanoCores")
    return None if nano is None else -(-nano // 1_000_000)


def _together(container: Mapping[str, Any], name: str) -> int | None:
    """Of the writable layer and the logs."""
    parts = [number(container, place, name) for place in ("rootfs", "logs")]
    known = [one for one in parts if one is not None]
    return sum(known) if known else None


def _sum(values: Iterator[int | None]) -> int:
    return sum(value for value in values if value is not None)


def _rest(all_: int | None, pods: int) -> int | None:
    return None if all_ is None else max(all_ - pods, 0)
