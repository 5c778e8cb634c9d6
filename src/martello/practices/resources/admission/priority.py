"""What the plug-ins Priority and RuntimeClass write into a pod, and what they refuse."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.resources.amounts import Amounts, read

_KIND: Final = "PriorityClass.scheduling.k8s.io"
_RUNTIME: Final = "RuntimeClass.node.k8s.io"
_BUILT_IN: Final = {
    "system-node-critical": 2_000_001_000,
    "system-cluster-critical": 2_000_000_000,
}


class Resolved(msgspec.Struct, frozen=True):
    """What a plug-in found: fields of the spec, whose object says so, or why it refuses. `doubt`
    says what was taken for granted.
    """

    name: str = ""
    fields: dict[str, Any] = {}
    by: Resource | None = None
    refusal: str = ""
    doubt: str = ""


@lru_cache(maxsize=2)
def _classes(world: Cluster) -> tuple[dict[str, Resource], Resource | None]:
    """The classes by name, and the default one: of several the lowest."""
    found = {resource.ref.name: resource for resource in world.of_kind(_KIND)}
    defaults = [r for r in found.values() if r.raw.get("globalDefault") is True]
    return found, min(defaults, key=_value, default=None)


def _value(resource: Resource) -> int:
    value = resource.raw.get("value", 0)
    return value if isinstance(value, int) else 0


def priority(world: Cluster, spec: dict[str, Any]) -> Resolved:
    """The priority of a pod. A class that is not in files is taken to exist in the cluster."""
    written = spec.get("priorityClassName") or ""
    name = written if isinstance(written, str) else ""
    found, default = _classes(world)
    by = found.get(name) if name else default
    doubt = ""
    value: int | None
    if by is not None:
        name, value = by.ref.name, _value(by)
    elif name in _BUILT_IN:
        value = _BUILT_IN[name]
    elif not name:
        value = 0
        if _KIND in world.unlisted:
            doubt = "PriorityClasses could not be read: one of them may be the default"
    elif world.name and _KIND not in world.unlisted:
        return Resolved(name, refusal=f"no PriorityClass with name {name} was found")
    else:
        doubt, value = f"PriorityClass {name} is not here: taken to exist", None
    return _filled(spec, name, value, by, doubt)


def _filled(
    spec: dict[str, Any], name: str, value: int | None, by: Resource | None, doubt: str
) -> Resolved:
    given = spec.get("priority")
    if value is not None and given is not None and given != value:
        refusal = (
            f"the integer value of priority ({given}) must not be provided in pod spec; priority "
            f"admission controller computed {value} from the given PriorityClass name"
        )
        return Resolved(name, by=by, refusal=refusal)
    policy = by.raw.get("preemptionPolicy") if by is not None else None
    policy = policy or "PreemptLowerPriority"
    written = spec.get("preemptionPolicy")
    if value is not None and written is not None and written != policy:
        refusal = (
            f"the string value of PreemptionPolicy ({written}) must not be provided in pod spec; "
            f"priority admission controller computed {policy} from the given PriorityClass name"
        )
        return Resolved(name, by=by, refusal=refusal)
    fields: dict[str, Any] = {"priorityClassName": name} if name else {}
    if value is not None:
        fields.update(priority=value, preemptionPolicy=policy)
    return Resolved(name, fields, by, doubt=doubt)


def overhead(
    world: Cluster, spec: dict[str, Any], written: Amounts | None
) -> tuple[Resolved, Amounts]:
    """What the pod's RuntimeClass adds to it. Raises Malformed for amounts that cannot be read."""
    name = spec.get("runtimeClassName")
    if not isinstance(name, str) or not name:
        refusal = "" if written is None else _UNFOUNDED
        return Resolved(refusal=refusal), written or {}
    by = world.get(_RUNTIME, "", name)
    if by is None:
        if world.name and _RUNTIME not in world.unlisted:
            return Resolved(name, refusal=f'pod rejected: RuntimeClass "{name}" not found'), {}
        doubt = f"RuntimeClass {name} is not here: taken to exist, and to add no overhead"
        return Resolved(name, doubt=doubt), written or {}
    raw = by.raw.get("overhead")
    fixed = read(raw.get("podFixed"), ("overhead", "podFixed")) if isinstance(raw, dict) else None
    if fixed is None:
        return Resolved(name, by=by, refusal="" if written is None else _UNFOUNDED), {}
    if written is not None and written != fixed:
        refusal = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
        return Resolved(name, by=by, refusal=refusal), {}
    assert isinstance(raw, dict)
    return Resolved(name, {"overhead": raw.get("podFixed")}, by), fixed


_UNFOUNDED: Final = (
    "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"
)
