"""A pod as it arrives: its containers' amounts decoded, and the pod that is stored written out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from martello.core.path import Path
from martello.core.resource import strings
from martello.core.workload import Workload
from martello.practices.resources.admission import versions
from martello.practices.resources.admission.scopes import Subject
from martello.practices.resources.admission.totals import Level, requests_of, summed
from martello.practices.resources.amounts import Amounts, Malformed, Need, read, text
from martello.practices.resources.node.qos import qos_class

ANNOTATION: Final = "kubernetes.io/limit-ranger"
_LISTS: Final = (("containers", False), ("initContainers", True))
_TERMS: Final = (
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
)


class Arrived(msgspec.Struct, frozen=True):
    """A pod with its amounts read and its requests filled in from its limits."""

    raw: dict[str, Any]
    needs: tuple[Need, ...]
    level: Level | None
    overhead: Amounts | None

    @property
    def spec(self) -> dict[str, Any]:
        """Its spec."""
        spec = self.raw.get("spec")
        return spec if isinstance(spec, dict) else {}


def pod_from(workload: Workload) -> dict[str, Any]:
    """The pod that a workload makes, named after it; a Pod is its own."""
    resource = workload.resource
    if resource.ref.group_kind == "Pod":
        return resource.raw
    metadata: dict[str, Any] = {
        "name": resource.ref.name,
        "namespace": resource.ref.namespace,
        **{k: v for k, v in workload.metadata.items() if k in ("labels", "annotations")},
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": workload.pod}


def decode(raw: dict[str, Any], path: Path = ("spec",), *, template: bool = False) -> Arrived:
    """A pod whose spec lies at `path` of the object. Requests are filled in from limits, except in
    a template. Raises Malformed for what no server reads.
    """
    spec = raw.get("spec")
    if not isinstance(spec, dict):
        raise Malformed(path, "the pod has no spec")
    needs: list[Need] = []
    for key, init in _LISTS:
        listed = spec.get(key)
        if listed is None:
            continue
        if not isinstance(listed, list):
            raise Malformed((*path, key), f"{key} is no list")
        for index, container in enumerate(listed):
            needs.append(_need(container, (*path, key, index), init, template))
    level = _level(spec.get("resources"), (*path, "resources"))
    overhead = spec.get("overhead")
    extra = None if overhead is None else read(overhead, (*path, "overhead"))
    return Arrived(raw, tuple(needs), level, extra)


def _need(container: Any, path: Path, init: bool, template: bool) -> Need:
    if not isinstance(container, dict):
        raise Malformed(path, "a container is no mapping")
    role = "regular"
    if init:
        role = "sidecar" if container.get("restartPolicy") == "Always" else "init"
    requests, limits = _both(container.get("resources"), (*path, "resources"))
    if limits and not template:
        requests = {**limits, **requests}
    return Need(str(container.get("name", "")), (*path, "resources"), role, requests, limits)


def _both(resources: Any, path: Path) -> tuple[Amounts, Amounts]:
    if resources is None:
        return {}, {}
    if not isinstance(resources, dict):
        raise Malformed(path, "resources is no mapping")
    requests = read(resources.get("requests"), (*path, "requests"))
    return requests, read(resources.get("limits"), (*path, "limits"))


def _level(resources: Any, path: Path) -> Level | None:
    requests, limits = _both(resources, path)
    return Level(requests, limits) if requests or limits else None


def with_level(pod: Arrived, kubernetes: int) -> Level | None:
    """What the pod itself asks for, its requests filled in: from its containers, then from its
    limits. None where the version does not know it, or nothing is said.
    """
    level = pod.level
    if level is None or kubernetes < versions.POD_LEVEL:
        return None
    if not level.limits:
        return level
    below = summed(pod.needs, requests_of, kubernetes)
    inherited = {k: v for k, v in below.items() if k in ("cpu", "memory")}
    return Level({**level.limits, **inherited, **level.requests}, level.limits)


def subject_of(pod: Arrived, needs: Sequence[Need], level: Level | None, name: str) -> Subject:
    """What scopes see of a pod whose defaults are filled in and whose priority class is `name`."""
    deadline = pod.spec.get("activeDeadlineSeconds")
    return Subject(
        pod=True,
        terminating=isinstance(deadline, int) and deadline >= 0,
        best_effort=stored_class(needs, level) == "BestEffort",
        priority_class=name,
        cross_namespace="affinity" in pod.spec and _crosses(pod.spec["affinity"]),
    )


def stored_class(needs: Sequence[Need], level: Level | None) -> str:
    """The quality of service that the server writes into the pod's status."""
    pairs = [(need.requests, need.limits) for need in needs]
    return qos_class(pairs, (level.requests, level.limits) if level else None)


def _crosses(affinity: Any) -> bool:
    if not isinstance(affinity, dict):
        return False
    for side in ("podAffinity", "podAntiAffinity"):
        rules = affinity.get(side)
        if not isinstance(rules, dict):
            continue
        for key in _TERMS:
            listed = rules.get(key)
            for raw in listed if isinstance(listed, list) else ():
                term = raw.get("podAffinityTerm", raw) if isinstance(raw, dict) else None
                if isinstance(term, dict) and (
                    term.get("namespaces") or term.get("namespaceSelector") is not None
                ):
                    return True
    return False


def stored(
    pod: Arrived,
    needs: Sequence[Need],
    *,
    level: Level | None,
    annotation: str,
    spec: Mapping[str, Any],
) -> dict[str, Any]:
    """The pod as the server stores it: amounts as it prints them, what LimitRanger noted, and the
    fields of `spec` (priority and its like) in the place of those written.
    """
    changed: dict[str, Any] = {**pod.spec, **spec}
    left = list(needs)
    for key, _ in _LISTS:
        listed = pod.spec.get(key)
        if isinstance(listed, list):
            changed[key] = [_written(raw, left.pop(0)) for raw in listed]
    if level is not None:
        changed["resources"] = _texts(level.requests, level.limits)
    metadata = pod.raw.get("metadata")
    metadata = dict(metadata) if isinstance(metadata, dict) else {}
    if annotation:
        kept = strings(metadata.get("annotations"))
        metadata["annotations"] = {**kept, ANNOTATION: annotation}
    status = pod.raw.get("status")
    status = dict(status) if isinstance(status, dict) else {}
    status["qosClass"] = stored_class(needs, level)
    return {**pod.raw, "metadata": metadata, "spec": changed, "status": status}


def _written(container: dict[str, Any], need: Need) -> dict[str, Any]:
    return {**container, "resources": _texts(need.requests, need.limits)}


def _texts(requests: Amounts, limits: Amounts) -> dict[str, Any]:
    sides = (("limits", limits), ("requests", requests))
    return {key: {k: text(v) for k, v in given.items()} for key, given in sides if given}
