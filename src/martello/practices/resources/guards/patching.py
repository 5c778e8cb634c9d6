"""Requests and limits for workloads that lack them, by what was measured: patches of templates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any, Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.path import look_up
from martello.core.resource import Resource
from martello.core.workload import Workload
from martello.practices.resources.amounts import amount
from martello.practices.resources.guards import rounding
from martello.practices.resources.guards.model import Patch, Size
from martello.practices.resources.node.pods import owner_of
from martello.practices.resources.sizing.patch import merges, steps

# What is made of them cannot be changed, or is another's.
FIXED: Final = ("Pod", "Job", "ReplicaSet")
_OF_CLASS: Final = ("priority", "preemptionPolicy")  # the server fills them in from the class


def patches(
    world: Cluster,
    namespace: str,
    sizes: Mapping[str, Size],
    raised: Mapping[str, tuple[str, str]] | None = None,
) -> Iterator[Patch]:
    """A patch for each workload with containers that leave out what was measured of them, or that
    is `raised`: to which priority class, and why. What is written stays as it is.
    """
    for workload in world.workloads(namespace):
        if workload.resource.ref.kind in FIXED or not workload.path:
            continue
        owner = f"{namespace}/{owner_of(world, workload.resource)}"
        given = (raised or {}).get(owner)
        found = _patch(workload, owner, sizes, given)
        if found is not None:
            yield found


def _patch(
    workload: Workload, owner: str, sizes: Mapping[str, Size], raised: tuple[str, str] | None
) -> Patch | None:
    lists: dict[str, list[dict[str, Any]]] = {}
    says: list[str] = []
    for container in workload.containers:
        size = sizes.get(f"{owner}/{container.name}")
        if size is None or container.role == "ephemeral":
            continue
        missing = lacking(container.raw.get("resources"), size)
        if missing:
            key = "containers" if container.role == "regular" else "initContainers"
            lists.setdefault(key, []).append({"name": container.name, "resources": missing})
            told = [f"{side} {n} {v}" for side, given in missing.items() for n, v in given.items()]
            says.append(f"{container.name}: {', '.join(told)}")
    fields: dict[str, str | None] = {}
    if raised is not None:
        fields["priorityClassName"], why = raised
        says.append(f"priorityClassName {fields['priorityClassName']}: {why}")
        written = look_up(workload.resource.raw, workload.path)
        for key in _OF_CLASS:
            if isinstance(written, dict) and written.get(key) is not None:
                fields[key] = None
                says.append(
                    f"{key} {written[key]} is removed: the server refuses it beside a class"
                )
    return patched(workload, lists, says, fields) if lists or fields else None


def lacking(resources: Any, size: Size) -> dict[str, dict[str, str]]:
    """What a container leaves out of what was measured. A limit of memory is never below what is
    asked for, and processor time gets no limit.
    """
    requests = look_up(resources, ("requests",)) if isinstance(resources, dict) else None
    limits = look_up(resources, ("limits",)) if isinstance(resources, dict) else None
    requests = requests if isinstance(requests, dict) else {}
    limits = limits if isinstance(limits, dict) else {}
    found: dict[str, dict[str, str]] = {}
    if size.cpu is not None and "cpu" not in requests and "cpu" not in limits:
        found["requests"] = {"cpu": rounding.written("cpu", rounding.cpu(size.cpu))}
    if size.memory is not None and "memory" not in limits:
        needed = rounding.size(size.memory) * 1000
        if "memory" not in requests:
            found.setdefault("requests", {})["memory"] = rounding.written("memory", needed)
            found["limits"] = {"memory": rounding.written("memory", needed)}
        else:
            asked = amount(requests["memory"]) or 0
            most = rounding.size(-(-max(needed, asked) // 1000)) * 1000
            found["limits"] = {"memory": rounding.written("memory", most)}
    return found


def patched(
    workload: Workload,
    lists: Mapping[str, Sequence[Mapping[str, Any]]],
    says: Sequence[str],
    fields: Mapping[str, str | None] | None = None,
) -> Patch:
    """The patch that merges these lists (`containers`, `initContainers`, `volumes`) by name and
    sets these fields of the pod's spec (None: removes them), and the workload with them.
    """
    resource = workload.resource
    pod: dict[str, Any] = {**(fields or {}), **{key: list(some) for key, some in lists.items()}}
    body: Any = pod
    for step in reversed(workload.path):
        body = {step: body}
    ref = resource.ref
    head = {"name": ref.name, **({"namespace": ref.namespace} if ref.namespace else {})}
    plain = {"apiVersion": ref.api_version, "kind": ref.kind, "metadata": head, **body}
    raw = deepcopy(resource.raw)
    _apply(look_up(raw, workload.path), pod)
    after = msgspec.structs.replace(resource, raw=raw)
    by_step = () if merges(ref) else tuple(steps(after, workload.path, pod))
    return Patch(ref, plain, pod, after, tuple(says), by_step)


def _apply(spec: Any, pod: Mapping[str, Any]) -> None:
    """Puts a patch into the spec of a pod, or of a template."""
    for key, given in pod.items():
        if isinstance(given, list):
            merge(spec, key, given)
        elif given is None:
            spec.pop(key, None)
        else:
            spec[key] = given


def merge(spec: Any, key: str, entries: Sequence[Mapping[str, Any]]) -> None:
    """Merges entries into a list of named things of a pod's spec; mappings key by key."""
    listed = spec.get(key)
    for entry in entries:
        for one in listed if isinstance(listed, list) else ():
            if isinstance(one, dict) and one.get("name") == entry["name"]:
                _into(one, entry)


def _into(target: dict[str, Any], given: Mapping[str, Any]) -> None:
    for key, value in given.items():
        if isinstance(value, Mapping):
            inner = target.get(key)
            if not isinstance(inner, dict):
                inner = target[key] = {}
            _into(inner, value)
        else:
            target[key] = value


def onto_pods(world: Cluster, found: Sequence[Patch]) -> Iterator[Resource]:
    """The pods that are there as they will be once their workloads are patched."""
    by_owner = {f"{p.ref.namespace}/{owner_of(world, p.after)}": p for p in found}
    for pod in world.of_kind("Pod"):
        mine = by_owner.get(f"{pod.ref.namespace}/{owner_of(world, pod)}")
        if mine is None:
            continue
        raw = deepcopy(pod.raw)
        if isinstance(raw.get("spec"), dict):
            anew = dict.fromkeys(_OF_CLASS) if "priorityClassName" in mine.pod else {}
            _apply(raw["spec"], {**anew, **mine.pod})
        yield msgspec.structs.replace(pod, raw=raw)
