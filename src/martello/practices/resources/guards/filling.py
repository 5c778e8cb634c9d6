"""A namespace filled anew: all that is in it goes through admission once more, one by one.

`now` as it is: pods that are there, or as many as workloads in files are meant to have. `most` with
every workload at its most, and at least one pod of each: what is set to none may be started again.
Quotas begin empty and in force.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final, Literal

import msgspec

from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.core.workload import Workload
from martello.practices.resources.admission.held import Held, charge_of
from martello.practices.resources.admission.limit_ranges import ranges
from martello.practices.resources.admission.pipeline import (
    Admission,
    Message,
    charged,
    folded,
    pods_outcomes,
    refused,
    told,
)
from martello.practices.resources.admission.quotas import Quota, fresh, quotas, spent
from martello.practices.resources.admission.validation import quota_problems, range_problems
from martello.practices.resources.admission.workloads import made
from martello.practices.resources.amounts import Amounts, Malformed, most
from martello.practices.resources.guards.model import Refused
from martello.practices.resources.guards.most import at_most
from martello.practices.resources.replicas import wanted

When = Literal["now", "at most"]
_OVER: Final = ("Succeeded", "Failed")
_ENDED: Final = ("Complete", "Failed")


class Filled(msgspec.Struct, frozen=True, eq=False):
    """What became of it: the quotas as they are then, what was not let in, the pods as they would
    be stored (only of `now`), and how much was tried.
    """

    quotas: tuple[Quota, ...]
    refused: tuple[Refused, ...]
    unassessed: tuple[Refused, ...]
    stored: tuple[Resource, ...]
    classes: frozenset[str]  # priority classes of pods
    pods: int
    workloads: int
    objects: int


@lru_cache(maxsize=4)
def inside(world: Cluster) -> dict[str, list[Resource]]:
    """The objects of each namespace."""
    found: dict[str, list[Resource]] = {}
    for resource in world.resources:
        found.setdefault(resource.ref.namespace, []).append(resource)
    return found


def fill(world: Cluster, namespace: str, when: When) -> Filled:
    """Fills one namespace of a world in which the guards are. Raises Malformed for quotas and
    LimitRanges that no server would store.
    """
    one = _Filling(world, namespace, when)
    for resource in inside(world).get(namespace, ()):
        one.take(resource)
    return one.end()


class _Filling:
    def __init__(self, world: Cluster, namespace: str, when: When) -> None:
        self.world = world
        self.space = namespace
        self.when: When = when
        self.live = bool(world.name)
        self.quotas: tuple[Quota, ...] = tuple(map(fresh, quotas(world, namespace)))
        self.order = ranges(world, namespace)
        self.refused: list[Refused] = []
        self.unassessed: list[Refused] = []
        self.stored: list[Resource] = []
        self.classes: set[str] = set()
        self.pods = self.workloads = self.objects = 0

    def end(self) -> Filled:
        """What became of all."""
        return Filled(
            self.quotas,
            tuple(self.refused),
            tuple(self.unassessed),
            tuple(self.stored),
            frozenset(self.classes),
            self.pods,
            self.workloads,
            self.objects,
        )

    def take(self, resource: Resource) -> None:
        """One object of the namespace, and the pods that it makes."""
        try:
            found = list(self._become(resource))
        except Malformed as error:
            found = [refused(400, (Message(str(error), error.path),))]
        for one in found:
            if one.quotas:
                self.quotas = one.quotas
            if one.treated is not None and one.treated.priority.name:
                self.classes.add(one.treated.priority.name)
            if one.verdict != "admitted":
                self._note(resource, one)

    def _become(self, resource: Resource) -> Iterator[Admission]:
        if resource.ref.group_kind == "Pod":
            yield from self._pod(resource)
            return
        self.objects += 1
        problems = {"LimitRange": range_problems, "ResourceQuota": _quota_problems(self.world)}.get(
            resource.ref.group_kind
        )
        wrong = told(problems(resource)) if problems is not None else ()
        if wrong:
            yield refused(422, wrong)
            return
        charge = charge_of(resource, self.world)
        yield self._kept(charged(charge, self.quotas, kubernetes=self.world.kubernetes))
        workload = self.world.workload(resource)
        if workload is None or self.world.owner(resource) is not None or _ended(resource):
            return
        if self.when == "at most":
            yield self._made(workload, max(1, at_most(workload, self.world)))
        elif not self.live:
            yield self._made(workload, wanted(workload, self.world))

    def _kept(self, one: Admission) -> Admission:
        if one.quotas and one.verdict == "admitted":
            self.quotas = one.quotas
        return one

    def _made(self, workload: Workload, count: int) -> Admission:
        self.workloads += 1
        self.pods += count
        if not count:
            return Admission("admitted")
        one = made(self.world, workload, self.quotas, count)
        return self._dearest(workload.resource, one, count)

    def _dearest(self, resource: Resource, one: Admission, count: int) -> Admission:
        """An answer that depends on the order of LimitRanges takes as much as any of them would."""
        charges = [each.treated.charge for each in one.alternatives if each.treated is not None]
        if one.verdict != "unassessed" or not charges:
            return one
        usage: Amounts = {}
        for charge in charges:
            usage = most(usage, charge.usage)
        alike = (Held(resource, msgspec.structs.replace(charges[0], usage=usage), count),)
        full = tuple(spent(quota, alike) for quota in self.quotas)
        return msgspec.structs.replace(one, quotas=full)

    def _pod(self, resource: Resource) -> Iterator[Admission]:
        mirror = _mirror(resource)  # of a static pod: counted, though the kubelet owns what runs
        owned = not mirror and self.world.owner(resource) is not None
        status = resource.raw.get("status")
        over = isinstance(status, dict) and status.get("phase") in _OVER
        if owned and not over and self.when == "at most":
            return  # its workload makes it
        # In files the number that a workload is meant to have counts, not what is beside it.
        counted: Sequence[Quota] = () if owned and not self.live else self.quotas
        self.pods += 1
        answers = pods_outcomes(self.world, self.space, resource.raw, ("spec",), counted)
        one = folded(answers, self.order)
        if counted:
            one = self._dearest(resource, one, 1)
        kept = self.when == "now" and not mirror
        if kept and one.verdict == "admitted" and one.pod is not None:
            self.stored.append(msgspec.structs.replace(resource, raw=one.pod))
        yield one

    def _note(self, resource: Resource, one: Admission) -> None:
        says = one.reason or (one.messages[0].text if one.messages else "")
        if one.wanted > 1 and one.verdict == "refused":
            says = f"{one.fitting:,} of {one.wanted:,} pods: {says}"
        into = self.refused if one.verdict == "refused" else self.unassessed
        name = f"{resource.ref.kind} {resource.ref.namespace}/{resource.ref.name}"
        into.append(Refused(name, self.space, self.when, one.code, says))


def _quota_problems(world: Cluster) -> Any:
    return lambda resource: quota_problems(resource, world.kubernetes)


def _mirror(resource: Resource) -> bool:
    return "kubernetes.io/config.mirror" in resource.annotations


def _ended(resource: Resource) -> bool:
    """Whether it is a Job that is over."""
    if resource.ref.group_kind != "Job.batch":
        return False
    status = resource.raw.get("status")
    listed = status.get("conditions") if isinstance(status, dict) else None
    return any(
        isinstance(one, dict) and one.get("type") in _ENDED and one.get("status") == "True"
        for one in (listed if isinstance(listed, list) else ())
    )
