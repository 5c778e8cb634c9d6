"""What is set today: requests and limits, autoscalers, and flags by which use follows limits."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Final

from martello.core.cluster import Cluster
from martello.core.path import look_up
from martello.core.sizing import Key, Runtime, Scaler, Sizes, Today
from martello.core.workload import Container
from martello.practices.resources.amounts import amount, countable
from martello.practices.resources.replicas import AUTOSCALER, target

VERTICAL: Final = "VerticalPodAutoscaler.autoscaling.k8s.io"
SHORT: Final[Mapping[str, str]] = {
    "Deployment": "deploy",
    "StatefulSet": "sts",
    "DaemonSet": "ds",
    "ReplicaSet": "rs",
    "ReplicationController": "rc",
    "CronJob": "cronjob",
    "Job": "job",
    "Pod": "pod",
}
_HEAP: Final = re.compile(r"-Xmx(\d+)([kKmMgGtT]?)\b|-XX:MaxHeapSize=(\d+)([kKmMgGtT]?)\b")
_SHARE: Final = re.compile(r"-XX:MaxRAMPercentage=([\d.]+)")
_OLD_SPACE: Final = re.compile(r"--max[-_]old[-_]space[-_]size=(\d+)")
_UNITS: Final[Mapping[str, int]] = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_JAVA: Final = re.compile(r"(?<![a-z])(?:openjdk|temurin|java|jdk|jre|corretto)(?![a-z])")


def today(world: Cluster) -> dict[Key, Today]:
    """Every container of every workload that makes pods by itself."""
    scalers, verticals, demands = _scalers(world), _verticals(world), _demands(world)
    found: dict[Key, Today] = {}
    for workload in world.workloads():
        ref = workload.resource.ref
        if world.root(workload.resource).ref != ref:
            continue
        name = f"{SHORT.get(ref.kind, ref.kind.lower())}/{ref.name}"
        aim = (ref.namespace, ref.kind, ref.name)
        for container in workload.containers:
            if container.role in ("init", "ephemeral"):
                continue
            key = Key(ref.namespace, name, str(container.raw.get("name") or ""))
            found[key] = Today(
                ref=ref,
                sizes=_sizes(container),
                replicas=_whole(workload.resource.spec.get("replicas", 1)),
                scalers=scalers.get(aim, ()),
                vertical=verticals.get(aim, ""),
                runtime=tuple(_runtime(container)),
                sidecar=container.role == "sidecar",
                demands=demands.get(ref.namespace, ""),
            )
    return found


def _sizes(container: Container) -> Sizes:
    """Its requests and limits; a missing request is the limit, as the server fills it in."""
    values = {}
    for part in ("requests", "limits"):
        raw = look_up(container.raw, ("resources", part))
        for resource in ("cpu", "memory"):
            written = raw.get(resource) if isinstance(raw, dict) else None
            values[part, resource] = _amount(written)
    cpu, memory = values["limits", "cpu"], values["limits", "memory"]
    asked = values["requests", "cpu"], values["requests", "memory"]
    return Sizes(
        cpu if asked[0] is None else asked[0],
        memory if asked[1] is None else asked[1],
        cpu,
        memory,
    )


def _amount(written: Any) -> float | None:
    """Cores or bytes; None where nothing, or nothing that the server would take, is written."""
    found = None if written is None else amount(written)
    return None if found is None else countable({"": found})[""] / 1000


def _scalers(world: Cluster) -> dict[tuple[str, str, str], tuple[Scaler, ...]]:
    found: dict[tuple[str, str, str], tuple[Scaler, ...]] = {}
    for scaler in world.of_kind(AUTOSCALER):
        aim = target(scaler)
        if aim is not None:
            found[aim] = (*found.get(aim, ()), *_targets(scaler.ref.name, scaler.spec))
    return found


def _targets(name: str, spec: Mapping[str, Any]) -> Iterator[Scaler]:
    plain = spec.get("targetCPUUtilizationPercentage")
    if isinstance(plain, int):
        yield Scaler(name, "cpu", plain)
    metrics = spec.get("metrics")
    for metric in metrics if isinstance(metrics, list) else ():
        for part in ("resource", "containerResource"):
            of = metric.get(part) if isinstance(metric, dict) else None
            if not isinstance(of, dict):
                continue
            percent = look_up(of, ("target", "averageUtilization"))
            percent = of.get("targetAverageUtilization") if percent is None else percent
            if isinstance(percent, int) and of.get("name") in ("cpu", "memory"):
                yield Scaler(name, of["name"], percent, str(of.get("container") or ""))


def _verticals(world: Cluster) -> dict[tuple[str, str, str], str]:
    found = {}
    for one in world.of_kind(VERTICAL):
        aim = look_up(one.spec, ("targetRef",))
        if isinstance(aim, dict):
            mode = look_up(one.spec, ("updatePolicy", "updateMode")) or "Recreate"
            key = (one.ref.namespace, str(aim.get("kind")), str(aim.get("name")))
            found[key] = f"{one.ref.name} ({mode})"
    return found


def _demands(world: Cluster) -> dict[str, str]:
    """Namespace → who wants every container to have a limit of processor time: a quota for
    limits.cpu, a LimitRange with a maximum, or with a default, which would be filled in.
    """
    found: dict[str, str] = {}
    for quota in world.of_kind("ResourceQuota"):
        hard = quota.spec.get("hard")
        if isinstance(hard, dict) and "limits.cpu" in hard:
            found[quota.ref.namespace] = f"ResourceQuota {quota.ref.name}"
    for ranged in world.of_kind("LimitRange"):
        for item in _list(ranged.spec.get("limits")):
            if not isinstance(item, dict) or item.get("type") != "Container":
                continue
            values = [item.get("max"), item.get("default")]
            if any(isinstance(value, dict) and "cpu" in value for value in values):
                found[ranged.ref.namespace] = f"LimitRange {ranged.ref.name}"
    return found


def _runtime(container: Container) -> Iterator[Runtime]:
    """How the program in it sizes itself, by its arguments and environment. Of a flag that is given
    twice the last counts; the JVM and node read variables before their arguments, and the JVM
    _JAVA_OPTIONS after them.
    """
    raw = container.raw
    early: list[str] = []
    late: list[str] = []
    words = [w for part in ("command", "args") for w in _list(raw.get(part)) if isinstance(w, str)]
    for entry in _list(raw.get("env")):
        if isinstance(entry, dict) and isinstance(entry.get("value"), str):
            if entry.get("name") == "GOMEMLIMIT":
                size = _go(entry["value"])
                if size:
                    yield Runtime("GOMEMLIMIT", bytes=size)
            (late if entry.get("name") == "_JAVA_OPTIONS" else early).append(entry["value"])
    text = " ".join((*early, *words, *late))[-100_000:]
    heap, share, old = _last(_HEAP, text), _last(_SHARE, text), _last(_OLD_SPACE, text)
    if heap:
        number, unit = (heap[1], heap[2]) if heap[1] else (heap[3], heap[4])
        yield Runtime("-Xmx", bytes=float(int(number[:15]) * _UNITS[unit.lower()]))
    elif share:
        yield Runtime("MaxRAMPercentage", percent=_number(share[1]))
    elif _JAVA.search(str(raw.get("image") or "")) or "java" in words[:1]:
        yield Runtime("java", percent=25.0)
    if old:
        yield Runtime("max-old-space-size", bytes=float(int(old[1][:15]) << 20))


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    return next(iter(deque(pattern.finditer(text), maxlen=1)), None)


def _go(text: str) -> float:
    match = re.fullmatch(r"(\d{1,15})(B|KiB|MiB|GiB|TiB)?", text)
    if not match:
        return 0.0
    power = ("B", "KiB", "MiB", "GiB", "TiB").index(match[2] or "B")
    return float(int(match[1]) << (10 * power))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
