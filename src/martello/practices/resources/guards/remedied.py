"""The cheapest guards of a blast as objects, patches and settings that people can apply.

A remedy is a change of a state (see blast.remedy); what it means is read off from the state before
and after, so that every kind of remedy is written down in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.resources.admission.limit_ranges import ranges
from martello.practices.resources.blast.quotas import LEAST, PODS
from martello.practices.resources.blast.refs import workload as resource_of
from martello.practices.resources.blast.remedy import Remedy, State
from martello.practices.resources.guards import bounding, rounding
from martello.practices.resources.guards.defaults import defaults, seen
from martello.practices.resources.guards.generate import quotas_for, without
from martello.practices.resources.guards.model import (
    COMPUTE,
    DEFAULTS,
    OBJECTS,
    Evidence,
    Fragment,
    Guards,
    Patch,
)
from martello.practices.resources.guards.patching import FIXED, patched
from martello.practices.resources.node.model import Node, Part, Pod

_COUNTED: Final = 2  # the level of a namespace (see generate) at which nothing is demanded
_HEAD: Final = {"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration"}


def written_down(state: State, chosen: Sequence[Remedy]) -> Guards:
    """What to apply so that all these remedies hold; `left` says what cannot be written down.
    Raises Malformed where no server would store the LimitRanges or quotas that are there.
    """
    after = state
    for one in chosen:
        after = one.change(after)
    left: list[str] = []
    assumed: list[str] = []
    patches = list(_patches(state, after, left, assumed))
    if after.may is not state.may:
        left.append("rights are not changed here: martello access trim, or remove the binding")
    objects = list(_objects(state.cluster, after.cluster))
    made = _bounded(state.cluster, objects, patches, assumed)
    return Guards(
        objects=tuple(sorted(made, key=lambda one: (one.ref.namespace, one.ref.kind))),
        patches=tuple(patches),
        fragments=tuple(_fragments(state.nodes, after.nodes)),
        assumed=tuple(dict.fromkeys(assumed)),
        left=tuple(dict.fromkeys(left)),
    )


def _objects(before: Cluster, after: Cluster) -> Iterator[Resource]:
    if after is not before:
        known = {id(one) for one in before.resources}
        yield from (one for one in after.resources if id(one) not in known)


def _bounded(
    world: Cluster, found: Sequence[Resource], changed: Sequence[Patch], assumed: list[str]
) -> Iterator[Resource]:
    """A quota of requests and limits demands them of every container: what it bounds is written
    down with defaults for those who say nothing, and in amounts that admission itself counts. One
    of objects leaves room for those that are there.
    """
    base, evidence = without(world), Evidence()
    spaces = dict.fromkeys(one.ref.namespace for one in found if one.ref.kind == "ResourceQuota")
    whole = {one.ref.namespace for one in found if one.ref.name == PODS}
    limits: list[Resource] = []
    for space in whole:
        held = [item for group in ranges(base, space) for item in group]
        made = defaults(seen(base, space), held, evidence)
        assumed += made.assumed
        if spec := made.spec():
            limits.append(bounding.made("LimitRange", DEFAULTS, space, spec, world.name))
    yield from limits
    levels = {space: 0 if space in whole else _COUNTED for space in spaces}
    room: dict[str, dict[str, str]] = {}
    for one in quotas_for(base, list(spaces), evidence, levels, limits, changed):
        if one.ref.name == COMPUTE and one.ref.namespace in whole:
            yield one
        elif one.ref.name == OBJECTS:
            room[one.ref.namespace] = one.spec["hard"]
    for one in found:
        if one.ref.name == OBJECTS:
            yield _roomy(one, room.get(one.ref.namespace, {}), world.name)
        elif one.ref.name not in (PODS, LEAST):
            yield one


def _roomy(one: Resource, room: Mapping[str, str], cluster: str) -> Resource:
    """The quota of objects, with as much of each kind as there may come to be."""
    hard = {key: max(most, room.get(key, most), key=int) for key, most in one.spec["hard"].items()}
    return bounding.made("ResourceQuota", OBJECTS, one.ref.namespace, {"hard": hard}, cluster)


def _patches(before: State, after: State, left: list[str], assumed: list[str]) -> Iterator[Patch]:
    """One for each workload of which a pod changes."""
    old = {pod.key: pod for pod in before.pods}
    changed: dict[str, tuple[Pod, Pod]] = {}
    for pod in after.pods:
        if old[pod.key] is not pod:
            changed.setdefault(pod.owner, (old[pod.key], pod))
    for owner, (one, other) in changed.items():
        lists = _lists(one, other)
        if not lists:
            continue
        resource = resource_of(before.cluster, other)
        workload = before.cluster.workload(resource) if resource is not None else None
        if resource is None or workload is None or resource.ref.kind in FIXED:
            left.append(f"{owner} cannot be changed here: {'; '.join(_words(lists))}")
            continue
        for part in other.parts:
            measured = part.use.memory is not None or one.use.memory is not None
            if "memory" in _more(one, part) and not measured:
                assumed.append(f"the memory of {owner}/{part.name}")
        yield patched(workload, lists, tuple(_words(lists)))


def _more(one: Pod, part: Part) -> dict[str, int]:
    """The limits that a container has after and had not before."""
    before = next((p.limits for p in one.parts if p.name == part.name), {})
    return {name: milli for name, milli in part.limits.items() if before.get(name) != milli}


def _lists(one: Pod, other: Pod) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for part in other.parts:
        limits = _more(one, part)
        if limits:
            written = {name: rounding.written(name, milli) for name, milli in limits.items()}
            entry = {"name": part.name, "resources": {"limits": written}}
            found.setdefault("initContainers" if part.sidecar else "containers", []).append(entry)
    sizes = {volume.name: volume.limit for volume in one.volumes}
    for volume in other.volumes:
        if volume.limit is not None and sizes.get(volume.name) != volume.limit:
            size = rounding.written("storage", volume.limit * 1000)
            entry = {"name": volume.name, "emptyDir": {"sizeLimit": size}}
            found.setdefault("volumes", []).append(entry)
    return found


def _words(lists: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    for entries in lists.values():
        for entry in entries:
            if "resources" in entry:
                limits = entry["resources"]["limits"]
                yield f"{entry['name']}: limits {', '.join(f'{k} {v}' for k, v in limits.items())}"
            else:
                yield f"volume {entry['name']}: sizeLimit {entry['emptyDir']['sizeLimit']}"


def _fragments(before: Sequence[Node], after: Sequence[Node]) -> Iterator[Fragment]:
    """One for all nodes of the same limit of processes."""
    old = {node.name: node for node in before}
    groups: dict[int, list[Node]] = {}
    for node in after:
        if node.pod_pids is not None and old[node.name].pod_pids != node.pod_pids:
            groups.setdefault(node.pod_pids, []).append(node)
    for limit, nodes in sorted(groups.items()):
        body = {**_HEAD, "podPidsLimit": limit}
        name = f"podPidsLimit-{limit}"
        named = [node.name for node in nodes if node.name]
        of = f" on {', '.join(named[:3])}{' …' if len(named) > 3 else ''}" if named else ""
        yield Fragment(name, body, tuple(nodes), (f"podPidsLimit {limit:,}{of}",))
