"""Answers of kubelets, cut down to what is read: a configuration may hold headers with secrets, and
the summaries of a large cluster are large.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

FIELDS: Final = frozenset(
    (
        "cgroupsPerQOS",
        "cpuCFSQuota",
        "enforceNodeAllocatable",
        "evictionHard",
        "evictionMinimumReclaim",
        "evictionSoft",
        "failCgroupV1",
        "featureGates",
        "kubeReserved",
        "memorySwap",
        "mergeDefaultEvictionSettings",
        "podPidsLimit",
        "reservedSystemCPUs",
        "singleProcessOOMKill",
        "systemReserved",
    )
)
_MOST_PODS: Final = 5_000  # of one node
_MOST_ENTRIES: Final = 200  # of a mapping in a configuration
_LONGEST: Final = 300  # characters of a text

# Which fields of a summary are kept: a mapping goes deeper, () is the value itself, a list is of
# such mappings.
_SIZES: Final = ("availableBytes", "capacityBytes", "usedBytes")
_COUNTS: Final = ("inodes", "inodesFree", "inodesUsed")
_FS: Final = dict.fromkeys((*_SIZES, *_COUNTS), ())
_CPU: Final = {"usageNanoCores": ()}
_MEMORY: Final = {"workingSetBytes": (), "availableBytes": ()}
_CONTAINER: Final = {"name": (), "cpu": _CPU, "memory": _MEMORY, "rootfs": _FS, "logs": _FS}
_SUMMARY: Final[Mapping[str, Any]] = {
    "node": {
        "nodeName": (),
        "cpu": _CPU,
        "memory": _MEMORY,
        "fs": _FS,
        "runtime": {"imageFs": _FS},
        "rlimit": {"maxpid": (), "curproc": ()},
        "systemContainers": [_CONTAINER],
    },
    "pods": [
        {
            "podRef": {"namespace": (), "name": ()},
            "cpu": _CPU,
            "memory": _MEMORY,
            "process_stats": {"process_count": ()},
            "ephemeral-storage": _FS,
            "containers": [_CONTAINER],
        }
    ],
}


class Foreign(ValueError):
    """An answer is not what it should be; the message says what it is not."""


def configuration(raw: Any) -> dict[str, Any]:
    """A KubeletConfiguration, bare or as `configz` wraps it, with the fields that are read. Raises
    Foreign.
    """
    found = raw.get("kubeletconfig", raw) if isinstance(raw, dict) else None
    if not isinstance(found, dict) or ("kubeletconfig" not in raw and not _says(found)):
        raise Foreign("it is no KubeletConfiguration")
    return {name: _bounded(value) for name, value in found.items() if name in FIELDS}


def _says(raw: Mapping[str, Any]) -> bool:
    version = raw.get("apiVersion")
    return (
        raw.get("kind") == "KubeletConfiguration"
        and isinstance(version, str)
        and version.startswith("kubelet.config.k8s.io/")
    )


def _bounded(value: Any) -> Any:
    """A value, at most so many entries of it; what is nested deeper than one level is no value."""
    if isinstance(value, str):
        return value[:_LONGEST]
    if isinstance(value, dict | list) and len(value) > _MOST_ENTRIES:
        raise Foreign(f"a field of it has more than {_MOST_ENTRIES} entries")
    if isinstance(value, dict):
        return {str(k)[:_LONGEST]: _flat(v) for k, v in value.items()}
    return [_flat(v) for v in value] if isinstance(value, list) else _flat(value)


def _flat(value: Any) -> Any:
    if isinstance(value, str):
        return value[:_LONGEST]
    return None if isinstance(value, dict | list) else value


def summary(raw: Any) -> dict[str, Any]:
    """What /stats/summary says, with the fields that are read. Raises Foreign."""
    if not isinstance(raw, dict) or not isinstance(raw.get("node"), dict):
        raise Foreign("it is no summary of a node")
    pods = raw.get("pods")
    if isinstance(pods, list) and len(pods) > _MOST_PODS:
        raise Foreign(f"it names more than {_MOST_PODS:,} pods")
    found: dict[str, Any] = _cut(raw, _SUMMARY)
    return found


def _cut(raw: Any, shape: Any) -> Any:
    """The part of a value that has the shape; None where it has not."""
    if isinstance(shape, tuple):
        return _flat(raw)
    if isinstance(shape, list):
        return [_cut(one, shape[0]) for one in raw[:_MOST_PODS]] if isinstance(raw, list) else []
    if not isinstance(raw, dict):
        return {}
    return {name: _cut(raw[name], inner) for name, inner in shape.items() if name in raw}
