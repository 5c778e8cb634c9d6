"""Priority classes: what each is worth, and quotas that keep pods of some of them out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from martello.core.cluster import Cluster
from martello.practices.resources.blast.room import BUILT_IN

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


def closed(world: Cluster, used: Collection[str]) -> dict[str, Any]:
    """The spec of a quota that lets no pod in of a class that is not used and above pods without
    one: the system's own, and those of the cluster; empty where all are used.
    """
    known, default = values(world)
    above = sorted(name for name, value in known.items() if value > default and name not in used)
    return {"hard": {"pods": "0"}, **only(above)} if above else {}
