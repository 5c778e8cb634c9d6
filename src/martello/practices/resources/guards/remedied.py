"""The cheapest guards of a blast as objects, patches and settings that people can apply.

A remedy is a change of a state (see blast.remedy); what it means is read off from the state before
and after, so that every kind of remedy is written down in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.resources.blast.refs import workload as resource_of
from martello.practices.resources.blast.remedy import Remedy, State
from martello.practices.resources.guards import rounding
from martello.practices.resources.guards.model import Fragment, Guards, Patch
from martello.practices.resources.guards.patching import FIXED, patched
from martello.practices.resources.node.model import Node, Part, Pod

_HEAD: Final = {"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration"}


def written_down(state: State, chosen: Sequence[Remedy]) -> Guards:
    """What to apply so that all these remedies hold; `left` says what cannot be written down."""
    after = state
    for one in chosen:
        after = one.change(after)
    left: list[str] = []
    assumed: list[str] = []
    patches = list(_patches(state, after, left, assumed))
    if after.may is not state.may:
        left.append("rights are not changed here: martello access trim, or remove the binding")
    return Guards(
        objects=tuple(_objects(state.cluster, after.cluster)),
        patches=tuple(patches),
        fragments=tuple(_fragments(state.nodes, after.nodes)),
        assumed=tuple(dict.fromkeys(assumed)),
        left=tuple(dict.fromkeys(left)),
    )


def _objects(before: Cluster, after: Cluster) -> Iterator[Resource]:
    if after is not before:
        known = {id(one) for one in before.resources}
        yield from (one for one in after.resources if id(one) not in known)


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
