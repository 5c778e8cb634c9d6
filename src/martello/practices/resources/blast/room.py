"""What somebody who may create pods can still bring in: by quotas, LimitRanges, priority classes.

He chooses everything that nothing forbids: requests, limits, priority class, tolerations, the node.
A quota binds him where every kind of pod is in its scopes. A limit of 0 satisfies quotas and
LimitRanges, and kubelets take it for none; only a minimum above 0 forbids it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from typing import Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.path import look_up
from martello.core.resource import Resource
from martello.practices.resources.admission.limit_ranges import ranges
from martello.practices.resources.admission.scopes import Scope, Subject, inside, scopes
from martello.practices.resources.amounts import Amounts, Malformed, amounts, countable
from martello.practices.resources.blast.model import Guard

_NAMES: Final = {  # field of Room: keys of a quota that bind it
    "pods": ("pods", "count/pods"),
    "cpu": ("requests.cpu", "cpu"),
    "memory": ("requests.memory", "memory"),
    "cpu_limit": ("limits.cpu",),
    "memory_limit": ("limits.memory",),
    "disk_limit": ("limits.ephemeral-storage",),
}
_FLOOR: Final = {"cpu_limit": "cpu", "memory_limit": "memory", "disk_limit": "ephemeral-storage"}


class Room(msgspec.Struct, frozen=True):
    """What may come in; None: as much as he likes. `cpu` and `memory` are requests. cpu counts in
    thousandths of a core, the others in bytes or numbers. `guards` say what binds which field.
    """

    pods: int | None = None
    cpu: int | None = None
    memory: int | None = None
    cpu_limit: int | None = None
    memory_limit: int | None = None
    disk_limit: int | None = None
    priority: int = 0
    class_name: str = ""
    preempts: bool = False
    guards: tuple[tuple[str, Guard], ...] = ()
    unsure: tuple[str, ...] = ()

    @property
    def open(self) -> bool:
        """Whether any pod comes in."""
        return self.pods is None or self.pods > 0

    def guard(self, field: str) -> Guard | None:
        """What binds a field."""
        return dict(self.guards).get(field)


class Class(msgspec.Struct, frozen=True):
    """A PriorityClass, or none (empty name)."""

    name: str
    value: int
    preempts: bool


def room(world: Cluster, namespaces: Iterable[str], *, whole: bool = False) -> Room | None:
    """What may come in through any of these namespaces, summed; None where there is none. `whole`:
    who may delete what is there has all that quotas allow, not only what is left.
    """
    found = [_room(world, namespace, whole) for namespace in sorted(set(namespaces))]
    opened = [one for one in found if one.open]
    if not opened:
        return found[0] if found else None
    best = max(opened, key=lambda one: (one.priority, one.preempts))
    total: dict[str, int | None] = {}
    guards: dict[str, Guard] = {}
    for field in _NAMES:
        parts = [getattr(one, field) for one in opened]
        total[field] = None if None in parts else sum(parts)
        if total[field] is not None:
            first = next(g for one in opened if (g := one.guard(field)) is not None)
            guards[field] = first
    return Room(
        **total,
        priority=best.priority,
        class_name=best.class_name,
        preempts=any(one.preempts for one in opened),
        guards=tuple(guards.items()),
        unsure=tuple(dict.fromkeys(word for one in found for word in one.unsure)),
    )


def _room(world: Cluster, namespace: str, whole: bool) -> Room:
    try:
        bounds = tuple(_bounds(world, namespace, whole))
        floors = _floors(world, namespace)
    except Malformed as wrong:  # the server stores no such object
        return Room(unsure=(f"{namespace}: {wrong}",))
    best: dict[str, tuple[int, Guard] | None] = {field: (-1, Guard("")) for field in _NAMES}
    classes: list[Class] = []
    for cls, ends, effort in product(_classes(world), (False, True), (False, True)):
        pod = Subject(pod=True, terminating=ends, best_effort=effort, priority_class=cls.name)
        binding = [bound for bound in bounds if bound.takes(pod)]
        if any(bound.left.get(key, 1) <= 0 for bound in binding for key in _NAMES["pods"]):
            continue
        classes.append(cls)
        for field in _NAMES:
            best[field] = _looser(best[field], _tightest(field, binding, floors))
    if not classes:
        guard = next((bound.guard for bound in bounds), Guard("quota"))
        return Room(pods=0, guards=(("pods", guard),))
    top = max(classes, key=lambda cls: (cls.value, cls.preempts))
    values = {field: None if one is None else one[0] for field, one in best.items()}
    guards = tuple((field, one[1]) for field, one in best.items() if one is not None)
    preempts = any(cls.preempts for cls in classes if cls.value == top.value)
    unsure = ("limitedResources",) if top.name.startswith("system-") else ()
    return Room(
        **values,
        priority=top.value,
        class_name=top.name,
        preempts=preempts,
        guards=guards,
        unsure=unsure,
    )


class _Bound(msgspec.Struct, frozen=True):
    """A quota: what it leaves, and whose pods it counts."""

    left: Amounts
    scopes: tuple[Scope, ...]
    guard: Guard

    def takes(self, pod: Subject) -> bool:
        """Whether it counts such a pod."""
        return inside(self.scopes, pod)


def _bounds(world: Cluster, namespace: str, whole: bool) -> Iterator[_Bound]:
    for resource in world.of_kind("ResourceQuota", namespace):
        hard = amounts(resource.spec.get("hard"), ("spec", "hard"))
        status = look_up(resource.raw, ("status",))
        told = status if isinstance(status, dict) else {}
        if told.get("hard") is not None:
            hard = amounts(told.get("hard"), ("status", "hard"))
        used = {} if whole else amounts(told.get("used"), ("status", "used"))
        left = countable({key: amount - used.get(key, 0) for key, amount in hard.items()})
        yield _Bound(left, scopes(resource.spec), _guard(resource))


def _guard(resource: Resource) -> Guard:
    return Guard(f"quota {resource.ref.name}", resource.ref)


def _tightest(
    field: str, binding: Iterable[_Bound], floors: frozenset[str]
) -> tuple[int, Guard] | None:
    """What the quotas leave of a field; None: nothing binds it."""
    name = _FLOOR.get(field)
    if name is not None and name not in floors:
        return None
    found: tuple[int, Guard] | None = None
    for bound in binding:
        for key in _NAMES[field]:
            if key in bound.left:
                amount = bound.left[key] if "cpu" in field else bound.left[key] // 1000
                amount = max(0, amount)
                if found is None or amount < found[0]:
                    found = amount, bound.guard
    return found


def _looser(
    one: tuple[int, Guard] | None, other: tuple[int, Guard] | None
) -> tuple[int, Guard] | None:
    if one is None or other is None:
        return None
    return max(one, other, key=lambda pair: pair[0])


def _floors(world: Cluster, namespace: str) -> frozenset[str]:
    """The resources of which a LimitRange demands more than nothing of every container."""
    return frozenset(
        name
        for items in ranges(world, namespace)
        for item in items
        if item.type == "Container"
        for name, least in item.least.items()
        if least > 0
    )


def _classes(world: Cluster) -> list[Class]:
    """The priority classes that pods may name: those of the world, and the two of the system, which
    every server has and admits in any namespace (limitedResources of its admission configuration
    may forbid that; the API does not show it).
    """
    found = [Class("", 0, True), *BUILT_IN]
    for resource in world.of_kind("PriorityClass.scheduling.k8s.io"):
        value = resource.raw.get("value")
        if isinstance(value, int) and not isinstance(value, bool):
            preempts = resource.raw.get("preemptionPolicy") != "Never"
            found.append(Class(resource.ref.name, value, preempts))
    return list(dict.fromkeys(found))


BUILT_IN: Final = (
    Class("system-cluster-critical", 2_000_000_000, True),
    Class("system-node-critical", 2_000_001_000, True),
)
