"""The pods of a world: those that run, or those that its workloads are going to make.

What a pod asks for is added up as the scheduler and the kubelet do (`PodRequests`, `PodLimits` of
k8s.io/component-helpers/resource, 1.37): containers and sidecars, one init container if that is
more, the pod's own figures in their place, the overhead. A cap on the whole pod holds where every
container has one (`ResourceConfigForPod`; init containers too in 1.37.2, not in 1.20.2).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec

from martello.core.cluster import Cluster
from martello.core.errors import BadInput
from martello.core.resource import Resource
from martello.core.workload import Workload
from martello.practices.resources.admission import versions
from martello.practices.resources.admission.limit_ranges import defaulted, orders, ranges
from martello.practices.resources.admission.totals import Level, pod_totals
from martello.practices.resources.amounts import (
    Amounts,
    Malformed,
    Need,
    amount,
    amounts,
    countable,
    needs,
)
from martello.practices.resources.node.model import Class, Part, Pod, Use, Volume
from martello.practices.resources.node.qos import SIDECARS, qos_class
from martello.practices.resources.replicas import expected, whole

MOST: Final = 200_000  # pods of one world
_OVER: Final = ("Succeeded", "Failed")
_MIRROR: Final = "kubernetes.io/config.mirror"
_SYSTEM_CLASSES: Final = {
    "system-node-critical": 2_000_001_000,
    "system-cluster-critical": 2_000_000_000,
}
_SHORT: Final = {
    "Deployment": "deploy",
    "StatefulSet": "sts",
    "DaemonSet": "ds",
    "ReplicaSet": "rs",
    "ReplicationController": "rc",
}
_NOTHING: Final = Use()


class Rank(NamedTuple):
    """A pod's priority, and whether it preempts others."""

    priority: int
    preempts: bool


def pods(world: Cluster, use: Mapping[str, Use] | None = None) -> tuple[Pod, ...]:
    """All pods: of a live world (some pod is on a node) its pods that are not over, else the
    replicas of every workload, not placed, named `web-0`, `web-1` (`web-deploy-0` where several
    workloads of the namespace have one name). Pods without a container are none. `use` is
    by `namespace/pod` and `namespace/pod/container`, or by workload in the pod's place:
    `namespace/deploy/web`, `namespace/deploy/web/container`. Raises BadInput for amounts that no
    server takes, and for too many pods.
    """
    measured = use or {}
    found: list[Pod] = []
    for pod in _live(world, measured) if _runs(world) else _expected(world, measured):
        if not pod.parts:
            continue  # no server stores it
        found.append(pod)
        if len(found) > MOST:
            raise BadInput(
                "too many pods",
                f"the workloads want more than {MOST:,} of them",
                "look at fewer namespaces at a time",
            )
    return tuple(found)


def _runs(world: Cluster) -> bool:
    return any(pod.spec.get("nodeName") for pod in world.of_kind("Pod"))


def _live(world: Cluster, use: Mapping[str, Use]) -> Iterator[Pod]:
    for resource in world.of_kind("Pod"):
        status = _mapping(resource.raw.get("status"))
        workload = world.workload(resource)
        if workload is None or status.get("phase") in _OVER:
            continue
        pod = _shaped(world, workload, owner_of(world, resource), placed=True)
        started = status.get("startTime")
        node = resource.spec.get("nodeName")
        class_ = status.get("qosClass")
        yield _with_use(
            msgspec.structs.replace(
                pod,
                name=resource.ref.name,
                node=node if isinstance(node, str) else "",
                qos=class_ if class_ in ("Guaranteed", "Burstable", "BestEffort") else pod.qos,
                static=_MIRROR in resource.annotations,
                started=_seconds(started) if isinstance(started, str) else math.inf,
            ),
            use,
        )


def _expected(world: Cluster, use: Mapping[str, Use]) -> Iterator[Pod]:
    named = Counter(
        (one.resource.ref.namespace, one.resource.ref.name) for one in world.workloads()
    )
    for workload in world.workloads():
        ref = workload.resource.ref
        count = replicas(world, workload)
        if not count:
            continue
        pod = _shaped(world, workload, _named(ref.kind, ref.name), placed=False)
        alone, stem = ref.kind == "Pod", ref.name
        if named[ref.namespace, ref.name] > 1:
            stem = f"{ref.name}-{pod.workload.partition('/')[0]}"
        alike: dict[tuple[Use, ...], tuple[Part, ...]] = {}  # replicas that are equal share parts
        for index in range(min(count, MOST + 1)):
            name = ref.name if alone else f"{stem}-{index}"
            one = _with_use(msgspec.structs.replace(pod, name=name), use)
            parts = alike.setdefault(tuple(part.use for part in one.parts), one.parts)
            yield msgspec.structs.replace(one, parts=parts)


def replicas(world: Cluster, workload: Workload) -> int:
    """How many pods a workload is going to make: of a DaemonSet one a node, of a Job its
    parallelism, one where nobody says it.
    """
    count = expected(workload, world)
    if count is not None:
        return max(count, 0)
    kind, spec = workload.resource.ref.kind, workload.resource.spec
    if kind == "DaemonSet":
        return max(sum(1 for _ in world.of_kind("Node")), 1)
    if kind == "CronJob":
        spec = _mapping(_mapping(spec.get("jobTemplate")).get("spec"))
    given = whole(spec.get("parallelism")) if kind in ("Job", "CronJob") else None
    return 1 if given is None else max(given, 0)


def absent(world: Cluster, found: Iterable[Pod]) -> tuple[str, ...]:
    """The workloads of files, as `namespace/deploy/web`, that are meant to have pods and have none
    among those that were found; Jobs come and go. Of a live world none: there what is not is not.
    """
    if world.name:
        return ()
    here = {pod.owner for pod in found}
    lacking: dict[str, None] = {}
    for workload in world.workloads():
        resource = workload.resource
        over = _mapping(resource.raw.get("status")).get("phase") in _OVER
        if over or resource.ref.kind in ("Job", "CronJob") or not replicas(world, workload):
            continue
        owner = f"{workload.namespace}/{owner_of(world, resource)}"
        if owner not in here:
            lacking[owner] = None
    return tuple(lacking)


def _shaped(world: Cluster, workload: Workload, owner: str, *, placed: bool) -> Pod:
    """A pod of a workload, without a name. A placed one went through admission already."""
    resource = workload.resource
    try:
        asked = needs(workload)
        if not placed:
            order = next(orders(ranges(world, workload.namespace)))
            asked = tuple(defaulted(need, order) for need in asked)
        level = _level(workload)
        written, overhead = _overhead(world, workload)
    except Malformed as error:
        where = resource.locate(error.path)
        raise BadInput(
            f"cannot reckon with {resource.ref.local}", f"{where}: {error}", "correct the amount"
        ) from None
    minor = world.kubernetes
    request, limit = pod_totals(asked, level, overhead, max(minor, versions.OVERHEAD))
    counted = level if minor >= versions.POD_LEVEL else None
    rank = _rank(world, workload)
    return Pod(
        namespace=workload.namespace,
        name="",
        workload=owner,
        parts=tuple(
            Part(
                need.name,
                countable(need.requests),
                countable(need.limits),
                sidecar=need.role == "sidecar",
            )
            for need in asked
            if need.role == "regular" or (need.role == "sidecar" and minor >= SIDECARS)
        ),
        request=countable(request),
        limit=countable(_capped(asked, limit, counted, minor)),
        qos=_class(asked, counted),
        priority=rank.priority,
        host_pid=workload.pod.get("hostPID") is True,
        host_network=workload.pod.get("hostNetwork") is True,
        volumes=tuple(_volumes(workload)),
        preempts=rank.preempts,
        raw={
            "metadata": workload.metadata,
            "spec": {**workload.pod, **written} if written else workload.pod,
        },
    )


def _class(asked: Sequence[Need], level: Level | None) -> Class:
    own = (level.requests, level.limits) if level is not None else None
    return qos_class([(need.requests, need.limits) for need in asked], own)


def _capped(asked: Sequence[Need], limit: Amounts, level: Level | None, minor: int) -> Amounts:
    """The limits that hold for the whole pod: those that every container has, or the pod itself."""
    counted = [need for need in asked if not need.init or minor >= SIDECARS]
    own = level.limits if level is not None else {}
    return {
        name: milli
        for name, milli in limit.items()
        if own.get(name) or all(need.limits.get(name) for need in counted)
    }


def _level(workload: Workload) -> Level | None:
    """What the pod asks for as a whole; a request that it leaves out is what its containers ask
    for, and its limit where they ask for none.
    """
    written = workload.pod.get("resources")
    if not isinstance(written, dict) or not (written.get("requests") or written.get("limits")):
        return None
    path = (*workload.path, "resources")
    limits = amounts(written.get("limits"), (*path, "limits"))
    requests = amounts(written.get("requests"), (*path, "requests"))
    named = {name for need in needs(workload) for name in need.requests}
    filled = {name: milli for name, milli in limits.items() if name not in named}
    return Level({**filled, **requests}, limits)


def _overhead(world: Cluster, workload: Workload) -> tuple[dict[str, Any], Amounts]:
    """The pod's overhead, or that of its runtime class, which admission writes into it: what is
    written, and how much it is.
    """
    given = workload.pod.get("overhead")
    if isinstance(given, dict):
        return {}, amounts(given, (*workload.path, "overhead"))
    runtime = workload.pod.get("runtimeClassName")
    if not isinstance(runtime, str) or not runtime:
        return {}, {}
    made = world.get("RuntimeClass.node.k8s.io", "", runtime)
    fixed = _mapping(made.raw.get("overhead")).get("podFixed") if made is not None else None
    try:
        return {"overhead": fixed}, amounts(fixed)
    except Malformed:
        return {}, {}


def _rank(world: Cluster, workload: Workload) -> Rank:
    """As the admission plug-in Priority fills it in."""
    name = workload.pod.get("priorityClassName")
    if isinstance(name, str) and name:
        made = world.get("PriorityClass.scheduling.k8s.io", "", name)
    else:
        name, made = "", _usual(world)
    priority = whole(workload.pod.get("priority"))
    if priority is None and made is not None:
        priority = whole(made.raw.get("value"))
    if priority is None:
        priority = _SYSTEM_CLASSES.get(name, 0)
    policy = workload.pod.get("preemptionPolicy")
    if policy is None and made is not None:
        policy = made.raw.get("preemptionPolicy")
    return Rank(priority, policy != "Never")


@lru_cache(maxsize=2)
def _usual(world: Cluster) -> Resource | None:
    """The priority class of pods that name none: of several the lowest."""
    return min(
        (
            one
            for one in world.of_kind("PriorityClass.scheduling.k8s.io")
            if one.raw.get("globalDefault") is True
        ),
        key=lambda one: whole(one.raw.get("value")) or 0,
        default=None,
    )


def _volumes(workload: Workload) -> Iterator[Volume]:
    written = workload.pod.get("volumes")
    for volume in written if isinstance(written, list) else ():
        if not isinstance(volume, dict) or not isinstance(volume.get("emptyDir"), dict):
            continue
        source = volume["emptyDir"]
        milli = countable({"": amount(source.get("sizeLimit")) or 0})[""]
        size = -(-milli // 1000) if milli > 0 else None
        yield Volume(str(volume.get("name", "")), source.get("medium") == "Memory", size)


def owner_of(world: Cluster, resource: Resource) -> str:
    """`deploy/web`, the workload of a pod: its outermost owner, by name alone where that is not
    here.
    """
    root = world.root(resource)
    for reference in _listed(root.metadata.get("ownerReferences")):
        kind, name = reference.get("kind"), reference.get("name")
        if reference.get("controller") is True and isinstance(kind, str) and isinstance(name, str):
            suffix = resource.labels.get("pod-template-hash", "")
            if kind == "ReplicaSet" and suffix and name.endswith(f"-{suffix}"):
                return _named("Deployment", name[: -len(suffix) - 1])
            return _named(kind, name)
    return _named(root.ref.kind, root.ref.name)


def _named(kind: str, name: str) -> str:
    return f"{_SHORT.get(kind, kind.lower())}/{name}"


def _with_use(pod: Pod, use: Mapping[str, Use]) -> Pod:
    if not use:
        return pod
    keys = (pod.key, pod.owner)
    own = next((use[key] for key in keys if key in use), _NOTHING)
    parts = []
    for part in pod.parts:
        names = [f"{key}/{part.name}" for key in keys]
        seen = next((use[name] for name in names if name in use), None)
        parts.append(part if seen is None else msgspec.structs.replace(part, use=seen))
    return msgspec.structs.replace(pod, use=own, parts=tuple(parts))


def _seconds(text: str) -> float:
    """Seconds since the epoch; inf for what is no time."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC).timestamp()
    except (ValueError, OverflowError):
        return math.inf


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _listed(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
