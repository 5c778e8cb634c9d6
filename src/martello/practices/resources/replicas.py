"""How many pods a workload is meant to have at least, by its own word or its autoscaler's."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.core.workload import Workload

AUTOSCALER: Final = "HorizontalPodAutoscaler.autoscaling"
SCALED: Final = "ScaledObject.keda.sh"
_COUNTED: Final = frozenset(
    (
        "Deployment",
        "StatefulSet",
        "ReplicaSet",
        "ReplicationController",
        "DeploymentConfig",
        "Rollout",
        "CloneSet",
    )
)


class Bounds(msgspec.Struct, frozen=True):
    """What an autoscaler keeps to."""

    scaler: Resource
    least: int


def expected(workload: Workload, cluster: Cluster) -> int | None:
    """The least number of pods; None where nobody says it: a missing `replicas` is left to whoever
    scales the workload, and DaemonSets and Jobs have no number of their own.
    """
    ref = workload.resource.ref
    if ref.kind == "Pod":
        return 1
    bounds = _scalers(cluster).get((ref.namespace, ref.kind, ref.name))
    if bounds is not None:
        return 0 if idle(workload, bounds.scaler) else bounds.least
    if ref.kind not in _COUNTED:
        return None
    return whole(workload.resource.spec.get("replicas"))


def wanted(workload: Workload, cluster: Cluster) -> int:
    """How many pods it makes at a time, as far as it is known: its own number, or its autoscaler's
    least if that is more (which lowers it only later); one for each node, or as many as a Job runs
    at once; 1 where nobody says it.
    """
    spec = workload.resource.spec
    match workload.resource.ref.group_kind:
        case "DaemonSet.apps":
            return sum(1 for _ in cluster.of_kind("Node")) or 1
        case "CronJob.batch" | "Job.batch":
            if workload.resource.ref.kind == "CronJob":
                template = spec.get("jobTemplate")
                spec = template.get("spec") or {} if isinstance(template, dict) else {}
            at_once = whole(spec.get("parallelism")) if isinstance(spec, dict) else None
            all_of_it = whole(spec.get("completions")) if isinstance(spec, dict) else None
            at_once = 1 if at_once is None else at_once
            return max(0, at_once if all_of_it is None else min(at_once, all_of_it))
    least = expected(workload, cluster)
    own = whole(spec.get("replicas")) if workload.resource.ref.kind in _COUNTED else None
    return max(0, max((n for n in (own, least) if n is not None), default=1))


def idle(workload: Workload, scaler: Resource) -> bool:
    """Whether an autoscaler leaves the workload alone, because somebody set it to no replicas: a
    HorizontalPodAutoscaler is off then, unless its own least is 0. KEDA wakes what it scales.
    """
    off = workload.resource.spec.get("replicas") == 0
    return off and scaler.ref.group_kind == AUTOSCALER and scaler.spec.get("minReplicas") != 0


def whole(value: Any) -> int | None:
    """An integer, also where it is written as `3.0`, as the server reads it; None for anything
    else.
    """
    if isinstance(value, float) and value.is_integer() and abs(value) < 1 << 53:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def target(scaler: Resource) -> tuple[str, str, str] | None:
    """Namespace, kind and name of what an autoscaler scales; None where it says no such thing."""
    reference = scaler.spec.get("scaleTargetRef")
    if not isinstance(reference, dict):
        return None
    kind, name = reference.get("kind"), reference.get("name")
    if kind is None and scaler.ref.kind == "ScaledObject":
        kind = "Deployment"
    if not isinstance(kind, str) or not isinstance(name, str):
        return None
    return scaler.ref.namespace, kind, name


@lru_cache(maxsize=2)
def _scalers(cluster: Cluster) -> dict[tuple[str, str, str], Bounds]:
    found: dict[tuple[str, str, str], Bounds] = {}
    for kind, key, default in ((AUTOSCALER, "minReplicas", 1), (SCALED, "minReplicaCount", 0)):
        for scaler in cluster.of_kind(kind):
            aim = target(scaler)
            least = whole(scaler.spec.get(key, default))
            if aim is not None and least is not None:
                found[aim] = Bounds(scaler, least)
    return found
