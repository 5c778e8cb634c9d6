"""How many pods a workload makes at its most: at its autoscaler's maximum, in a rolling update."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from martello.core.cluster import Cluster
from martello.core.path import look_up
from martello.core.resource import Resource
from martello.core.workload import Workload
from martello.practices.resources.admission.charges import claim_requests
from martello.practices.resources.amounts import Amounts, Malformed
from martello.practices.resources.replicas import AUTOSCALER, SCALED, idle, target, wanted, whole

_SHARE: Final = re.compile(r"[0-9]{1,6}%")
_SCALED: Final = 100  # maxReplicaCount of a ScaledObject that says none


def at_most(workload: Workload, world: Cluster) -> int:
    """Pods at once: the greatest number that its autoscaler may set, and what a rolling update adds
    (maxSurge). Runs of a CronJob that may overlap count twice, and so do the nodes of a DaemonSet:
    one that comes tomorrow is of no use without its pods.
    """
    ref, spec = workload.resource.ref, workload.resource.spec
    count = scaled(workload, world)[0]
    match ref.group_kind:
        case "Deployment.apps":
            if _strategy(spec, "strategy") == "Recreate":
                return count
            return count + _rolling(spec, "strategy", "maxSurge", count)
        case "DaemonSet.apps":
            return 2 * count + _rolling(spec, "updateStrategy", "maxSurge", 2 * count)
        case "DeploymentConfig.apps.openshift.io":
            if _strategy(spec, "strategy") == "Recreate":
                return count
            return count + _rolling(spec, "strategy", "maxSurge", count, "rollingParams")
        case "Rollout.argoproj.io":
            if _twice(spec.get("strategy")):
                return 2 * count
            return count + _rolling(spec, "strategy", "maxSurge", count, "canary")
        case "CronJob.batch" if spec.get("concurrencyPolicy", "Allow") == "Allow":
            return 2 * count
    return count


def scaled(workload: Workload, world: Cluster) -> tuple[int, Resource | None]:
    """Pods at the greatest number that an autoscaler may set, and which one sets it; None where
    none sets more than there are anyway.
    """
    ref = workload.resource.ref
    count, by = wanted(workload, world), None
    for scaler, most in _scalers(world).get((ref.namespace, ref.kind, ref.name), ()):
        if most > count and not idle(workload, scaler):
            count, by = most, scaler
    return count, by


def overlaps(workload: Workload, count: int) -> bool:
    """Whether a rolling update of so many pods makes a new one before an old one goes."""
    spec = workload.resource.spec
    match workload.resource.ref.group_kind:
        case "Deployment.apps":
            if _strategy(spec, "strategy") == "Recreate":
                return False
            more = _rolling(spec, "strategy", "maxSurge", count)
            return more > 0 and not _rolling(spec, "strategy", "maxUnavailable", count)
        case "DaemonSet.apps":
            if _strategy(spec, "updateStrategy") == "OnDelete":
                return False
            return _rolling(spec, "updateStrategy", "maxSurge", count) > 0
    return False


def _strategy(spec: dict[str, Any], field: str) -> str:
    written = spec.get(field)
    return str(written.get("type", "")) if isinstance(written, dict) else ""


def _twice(strategy: Any) -> bool:
    """Whether a Rollout keeps all old pods until all new ones are there: blue and green, and a
    canary to which traffic is routed (argo-rollouts.readthedocs.io).
    """
    if not isinstance(strategy, dict):
        return False
    canary = strategy.get("canary")
    routed = isinstance(canary, dict) and canary.get("trafficRouting") is not None
    return routed or strategy.get("blueGreen") is not None


def _rolling(
    spec: dict[str, Any], field: str, key: str, count: int, inner: str = "rollingUpdate"
) -> int:
    """maxSurge or maxUnavailable, a number or a share: the former is rounded up, the latter down.
    Of a Deployment each is 25 % where nobody says it, of a DaemonSet 0 and 1.
    """
    up = key == "maxSurge"
    written = spec.get(field)
    rolling = written.get(inner) if isinstance(written, dict) else None
    value = rolling.get(key) if isinstance(rolling, dict) else None
    if value is None:
        value = "25%" if field == "strategy" else int(not up)
    if isinstance(value, str) and _SHARE.fullmatch(value):
        share = count * int(value[:-1])
        return -(-share // 100) if up else share // 100
    return max(0, whole(value) or 0)


@lru_cache(maxsize=2)
def _scalers(world: Cluster) -> dict[tuple[str, str, str], tuple[tuple[Resource, int], ...]]:
    found: dict[tuple[str, str, str], tuple[tuple[Resource, int], ...]] = {}
    kinds = ((AUTOSCALER, "maxReplicas", 1), (SCALED, "maxReplicaCount", _SCALED))
    for kind, key, default in kinds:
        for scaler in world.of_kind(kind):
            aim, most = target(scaler), whole(scaler.spec.get(key, default))
            if aim is not None and most is not None:
                found[aim] = (*found.get(aim, ()), (scaler, most))
    return found


def history(world: Cluster, namespace: str) -> Amounts:
    """What gathers beside what runs, by key of a quota, in thousandths: old ReplicaSets of
    Deployments, finished Jobs of CronJobs with their pods, claims that StatefulSets are going to
    make.
    """
    found: Amounts = {}
    for workload in world.workloads(namespace):
        for key, number in (*_kept(workload, world), *_claims(workload, world)):
            found[key] = found.get(key, 0) + number
    return found


def _kept(workload: Workload, world: Cluster) -> Iterator[tuple[str, int]]:
    spec = workload.resource.spec
    match workload.resource.ref.group_kind:
        case "Deployment.apps":
            limit = whole(spec.get("revisionHistoryLimit"))
            yield "count/replicasets.apps", 1000 * (10 if limit is None else max(0, limit))
        case "CronJob.batch":
            done = whole(spec.get("successfulJobsHistoryLimit"))
            failed = whole(spec.get("failedJobsHistoryLimit"))
            jobs = (3 if done is None else max(0, done)) + (1 if failed is None else max(0, failed))
            yield "count/jobs.batch", 1000 * (jobs + 2)
            yield "count/pods", 1000 * jobs * max(1, wanted(workload, world))


def _claims(workload: Workload, world: Cluster) -> Iterator[tuple[str, int]]:
    ref, spec = workload.resource.ref, workload.resource.spec
    listed = spec.get("volumeClaimTemplates")
    if ref.group_kind != "StatefulSet.apps" or not isinstance(listed, list):
        return
    count = at_most(workload, world)
    for template in listed:
        raw = template.get("spec") if isinstance(template, dict) else None
        if not isinstance(raw, dict):
            continue
        head = look_up(template, ("metadata", "name"))
        begins = f"{head}-{ref.name}-"
        here = sum(
            one.ref.name.startswith(begins)
            for one in world.of_kind("PersistentVolumeClaim", ref.namespace)
        )
        coming = max(0, count - here)
        yield "count/persistentvolumeclaims", 1000 * coming
        try:
            yield "requests.storage", coming * claim_requests(raw).get("storage", 0)
        except Malformed:
            continue
