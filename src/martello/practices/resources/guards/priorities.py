"""Quotas of priority classes: none of what a namespace does not use, no more than it uses of what
may displace others.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from martello.core.cluster import Cluster
from martello.practices.resources.admission.quotas import quotas
from martello.practices.resources.admission.scopes import Subject, inside
from martello.practices.resources.blast.room import BUILT_IN
from martello.practices.resources.guards.model import Patch

_KIND: Final = "PriorityClass.scheduling.k8s.io"
_MOST: Final = 8  # classes of a namespace that get a quota, the highest first
# Of a class; at most so long that the name of a quota can hold it.
_NAME: Final = re.compile(
    r"(?=.{1,200}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
)


def only(names: Sequence[str]) -> dict[str, Any]:
    """The scope of pods that name one of these classes."""
    scope = {"scopeName": "PriorityClass", "operator": "In", "values": list(names)}
    return {"scopeSelector": {"matchExpressions": [scope]}}


@lru_cache(maxsize=2)
def _values(world: Cluster) -> tuple[Mapping[str, int], int]:
    """The value of each class, and what pods have that name none."""
    values = {cls.name: cls.value for cls in BUILT_IN}
    defaults: list[int] = []
    for one in world.of_kind(_KIND):
        value = one.raw.get("value")
        if isinstance(value, int) and not isinstance(value, bool):
            values[one.ref.name] = value
            if one.raw.get("globalDefault") is True:
                defaults.append(value)
    return values, min(defaults, default=0)  # of several the server takes the lowest


def closed(world: Cluster, used: Collection[str]) -> dict[str, Any]:
    """The spec of a quota that lets no pod in of a class that is not used and above pods without
    one: the system's own, and those of the cluster; empty where all are used.
    """
    values, default = _values(world)
    above = sorted(name for name, value in values.items() if value > default and name not in used)
    return {"hard": {"pods": "0"}, **only(above)} if above else {}


def bounded(world: Cluster, namespace: str, changed: Iterable[Patch]) -> list[str]:
    """The classes that pods of a namespace name, or will once it is patched, and that are above
    pods without one: those of which a quota is to let in no more than there are. A class of which
    a quota of somebody else's tells already is left to that.
    """
    values, default = _values(world)
    told = [quota.scopes for quota in quotas(world, namespace)]
    told = [scopes for scopes in told if any(scope.name == "PriorityClass" for scope in scopes)]
    found = [
        name
        for name in dict.fromkeys(_named(world, namespace, changed))
        if values.get(name, default + 1) > default
        and _NAME.fullmatch(name)
        and not any(inside(scopes, Subject(pod=True, priority_class=name)) for scopes in told)
    ]
    return sorted(found, key=lambda name: (-values.get(name, 0), name))[:_MOST]


def _named(world: Cluster, namespace: str, changed: Iterable[Patch]) -> Iterator[str]:
    specs: list[Mapping[str, Any]] = [workload.pod for workload in world.workloads(namespace)]
    specs += [pod.spec for pod in world.of_kind("Pod", namespace)]
    specs += [patch.pod for patch in changed if patch.ref.namespace == namespace]
    for spec in specs:
        name = spec.get("priorityClassName")
        if isinstance(name, str) and name:
            yield name
