"""Edits applied to a cluster, and cuts proved on the edited one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable
from typing import Any

import msgspec

from martello.core.cluster import Cluster
from martello.core.path import look_up
from martello.core.resource import Ref, Resource
from martello.paths.facts import Facts, facts
from martello.paths.horn import closure
from martello.paths.model import Change, Cut, Edit, Inputs, Proposition
from martello.paths.own import holders


def applied(cluster: Cluster, edits: Iterable[Edit]) -> Cluster:
    """The cluster after edits. Objects that they do not name are shared."""
    by_ref: dict[Ref, list[Change]] = {}
    for edit in edits:
        for change in edit.changes:
            by_ref.setdefault(change.ref, []).append(change)
    changed: list[Resource] = []
    removed: list[Ref] = []
    for ref, changes in by_ref.items():
        resource = next((r for r in cluster.resources if r.ref == ref), None)
        if resource is None:
            continue
        if any(not change.path for change in changes):
            removed.append(ref)
            continue
        raw = copy.deepcopy(resource.raw)
        # Later elements of a list first: the places of the others stay what they are.
        for change in sorted(changes, key=lambda c: [str(p).zfill(9) for p in c.path])[::-1]:
            _put(raw, change)
        for change in changes:
            _unmount(resource.raw, raw, change)
        changed.append(Resource(raw, ref, resource.origin))
    return cluster.apply(changed, removed)


def _unmount(before: Any, after: Any, change: Change) -> None:
    """A volume whose last mount was taken away goes with it: it is there for nothing, and whoever
    looks at the pod alone would still find it dangerous.
    """
    if change.value is not None or change.path[-2:-1] != ("volumeMounts",):
        return
    name = look_up(before, (*change.path, "name"))
    pod = look_up(after, change.path[:-4])  # PLACE, containers, 0, volumeMounts, 1
    volumes = pod.get("volumes") if isinstance(pod, dict) else None
    if not isinstance(name, str) or not isinstance(volumes, list) or name in _mounted(pod):
        return
    pod["volumes"] = [v for v in volumes if not (isinstance(v, dict) and v.get("name") == name)]


def _mounted(pod: dict[str, Any]) -> set[str]:
    """The names of the volumes that some container has."""
    return {
        str(mount.get("name"))
        for kind in ("initContainers", "containers", "ephemeralContainers")
        for container in pod.get(kind) or ()
        if isinstance(container, dict)
        for key in ("volumeMounts", "volumeDevices")
        for mount in container.get(key) or ()
        if isinstance(mount, dict)
    }


def _put(raw: Any, change: Change) -> None:
    *way, last = change.path
    for part in way:
        if isinstance(part, int):
            if not isinstance(raw, list) or part >= len(raw):
                return
            raw = raw[part]
            continue
        if not isinstance(raw, dict):
            return
        if raw.get(part) is None:
            raw[part] = {}
        raw = raw[part]
    if isinstance(last, int):
        if isinstance(raw, list) and last < len(raw):
            if change.value is None:
                del raw[last]
            else:
                raw[last] = change.value
    elif isinstance(raw, dict):
        if change.value is None:
            raw.pop(last, None)
        else:
            raw[last] = change.value


def verified(
    before: Facts,
    cut: Cut,
    footholds: Iterable[Proposition],
    goals: Iterable[Proposition],
    inputs: Callable[[Cluster], Inputs] | None = None,
    own: Collection[Proposition] = (),
) -> Cut:
    """The cut with the answer whether, read anew, the edited cluster has no way to the goals that
    it closes. `inputs` asks other practices about the edited cluster; `own` are goals that pods
    which were given them may have.
    """
    after = applied(before.cluster, cut.edits)
    told = inputs(after) if inputs is not None else before.inputs
    read = facts(after, told)
    program, begun = read.program, tuple(footholds)
    starts = [n for one in begun if (n := program.find(one)) is not None]
    known = closure(program, starts)
    still = {path.goal for path in cut.open}
    left: list[Proposition] = []
    for goal in goals:
        end = program.find(goal)
        if goal in still or end is None or not known[end]:
            continue
        has = holders(read, goal) if goal in own else frozenset()
        others = [n for n in starts if program.names[n] not in has]
        if len(others) == len(starts) or closure(program, others)[end]:
            left.append(goal)
    return msgspec.structs.replace(cut, verified=not left)
