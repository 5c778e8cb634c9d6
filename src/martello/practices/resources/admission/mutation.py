"""What the mutating plug-ins make of a pod: LimitRanger, Priority, RuntimeClass."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from martello.core.cluster import Cluster
from martello.core.path import Path
from martello.core.resource import Resource
from martello.practices.resources.admission.charges import Charge, pod_usage
from martello.practices.resources.admission.limit_ranges import Range, defaulted
from martello.practices.resources.admission.pods import (
    Arrived,
    stored,
    subject_of,
    with_level,
)
from martello.practices.resources.admission.priority import Resolved, overhead, priority
from martello.practices.resources.admission.totals import Level, pod_totals
from martello.practices.resources.amounts import Amounts, Need, text

Change = tuple[Path, Any, Resource | None]  # where in the object, the value, whose doing


class Treated:
    """A pod after the mutating plug-ins; the LimitRanges were applied in the order given."""

    def __init__(self, world: Cluster, pod: Arrived, order: Sequence[Range]) -> None:
        self.pod = pod
        self.order = order
        self.kubernetes = world.kubernetes
        self.needs: tuple[Need, ...] = pod.needs
        if order:
            self.needs = tuple(defaulted(need, order) for need in pod.needs)
        self.priority: Resolved = priority(world, pod.spec)
        self.runtime, self.overhead = overhead(world, pod.spec, pod.overhead)

    @cached_property
    def level(self) -> Level | None:
        """What the pod itself asks for. The version fills it in before the containers are."""
        return with_level(self.pod, self.kubernetes)

    @cached_property
    def totals(self) -> tuple[Amounts, Amounts]:
        """Requests and limits as quotas count them."""
        return pod_totals(self.needs, self.level, self.overhead, self.kubernetes)

    @property
    def charge(self) -> Charge:
        """What it takes of quotas."""
        status = self.pod.raw.get("status")
        phase = status.get("phase") if isinstance(status, dict) else ""
        return Charge(
            "pods",
            pod_usage(*self.totals, over=phase in ("Succeeded", "Failed")),
            subject_of(self.pod, self.needs, self.level, self.priority.name),
            self.needs,
            self.level is not None,
        )

    @property
    def stored(self) -> dict[str, Any]:
        """The pod as the server would store it."""
        return stored(
            self.pod,
            self.needs,
            level=self.level,
            annotation=self.annotation,
            spec={**self.priority.fields, **self.runtime.fields},
        )

    @property
    def annotation(self) -> str:
        """What the last LimitRange that set something noted on the pod."""
        noted, needs = "", self.pod.needs
        for found in self.order:
            told: list[str] = []
            filled = tuple(defaulted(need, (found,)) for need in needs)
            for old, new in zip(needs, filled, strict=True):
                called = f"{'init container' if new.init else 'container'} {new.name}"
                for side, one, two in (
                    ("request", old.requests, new.requests),
                    ("limit", old.limits, new.limits),
                ):
                    given = sorted(set(two) - set(one))
                    if given:
                        told.append(f"{', '.join(given)} {side} for {called}")
            if told:
                noted = f"LimitRanger plugin set: {'; '.join(told)}"
            needs = filled
        return noted

    def changes(self) -> list[Change]:
        """What was filled in, in the order in which it is: decoding, LimitRanges, classes."""
        found: list[Change] = []
        for need in self.pod.needs:
            found += self._decoded(need)
        needs = self.pod.needs
        for group in self.order:
            filled = tuple(defaulted(need, (group,)) for need in needs)
            for old, new in zip(needs, filled, strict=True):
                sides = (
                    ("limits", old.limits, new.limits),
                    ("requests", old.requests, new.requests),
                )
                for side, one, two in sides:
                    for name in two:
                        if name not in one:
                            found.append(((*new.path, side, name), text(two[name]), group[0].owner))
            needs = filled
        for resolved in (self.priority, self.runtime):
            for key, value in resolved.fields.items():
                if self.pod.spec.get(key) != value:
                    found.append((("spec", key), value, resolved.by))
        return found

    def _decoded(self, need: Need) -> list[Change]:
        """Requests that came of limits, and amounts that were rounded up."""
        listed = self.pod.spec["initContainers" if need.init else "containers"]
        index = need.path[-2]
        assert isinstance(index, int)
        raw = listed[index].get("resources") or {}
        found: list[Change] = []
        for side, given in (("limits", need.limits), ("requests", need.requests)):
            written = raw.get(side) or {}
            for name, milli in given.items():
                if name not in written:
                    found.append(((*need.path, side, name), text(milli), None))
        return found


def treated(world: Cluster, pod: Arrived, order: Sequence[Range]) -> Treated:
    """A pod after the mutating plug-ins. Raises Malformed for an overhead that cannot be read."""
    return Treated(world, pod, order)
