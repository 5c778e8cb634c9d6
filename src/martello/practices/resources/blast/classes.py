"""Priority classes: what each is worth, and quotas that keep pods of some of them out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from martello.core.cluster import Cluster
from martello.practices.resources.blast.room import BUILT_IN

_SYSTEM: Final = "kube-system"  # where the system's own classes are at home
KIND: Final = "PriorityClass.scheduling.k8s.io"


def only(names: Sequence[str]) -> dict[str, Any]:
    """The scope of pods that name one of these classes."""
    scope = {"scopeName": "PriorityClass", "operator": "In", "values": list(names)}
    return {"scopeSelector": {"matchExpressions": [scope]}}


@lru_cache(maxsize=2)
def values(world: Cluster) -> tuple[Mapping[str, int], int]:
    """The value of each class, and what pods have that name none."""
    known = {cls.name: cls.value for cls in BUILT_IN}
    defaults: list[int] = []
    for one in world.of_kind(KIND):
        value = one.raw.get("value")
        if isinstance(value, int) and not isinstance(value, bool):
            known[one.ref.name] = value
            if one.raw.get("globalDefault") is True:
                defaults.append(value)
    return known, min(defaults, default=0)  # of several the server takes the lowest


def named(world: Cluster, namespace: str) -> Iterator[str]:
    """The classes that workloads of a namespace name, be they scaled to none, and pods."""
    specs: list[Mapping[str, Any]] = [workload.pod for workload in world.workloads(namespace)]
    for spec in (*specs, *(pod.spec for pod in world.of_kind("Pod", namespace))):
        name = spec.get("priorityClassName")
        if isinstance(name, str) and name:
            yield name


def closed(world: Cluster, namespace: str, used: Collection[str] = ()) -> dict[str, Any]:
    """The spec of a quota that lets no pod in of a class that nobody in a namespace uses and that
    is above pods without one: the system's own, and those of the cluster. Empty where all are used,
    and in kube-system: what the next upgrade brings there is of the system's classes.
    """
    if namespace == _SYSTEM:
        return {}
    known, default = values(world)
    kept = {*used, *named(world, namespace)}
    above = sorted(name for name, value in known.items() if value > default and name not in kept)
    return {"hard": {"pods": "0"}, **only(above)} if above else {}
