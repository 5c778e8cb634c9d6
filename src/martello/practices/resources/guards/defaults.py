"""The LimitRange of a namespace: what containers get that say nothing, and the least they may say.

A default limit below what a container asks for would make its pod invalid, one below what it uses
would kill it, and a minimum refuses a 0: each is made from the containers that are there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median
from typing import Any, Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.resources.admission.limit_ranges import Item, defaulted, ranges
from martello.practices.resources.admission.pods import decode, pod_from
from martello.practices.resources.amounts import Malformed, Need, amount
from martello.practices.resources.guards import rounding
from martello.practices.resources.guards.model import Evidence
from martello.practices.resources.node.pods import owner_of

_MI: Final = 2**20
_MEMORY: Final = 512 * _MI  # what a container gets that nobody measured and that asks for less
_ASKED: Final = 64 * _MI
_CPU: Final = 50  # thousandths of a core
_DISK: Final = 2048 * _MI
_LEAST: Final = {"cpu": ("1m", 1), "memory": ("4Mi", 4 * _MI * 1000)}
_LEAST_DISK: Final = ("1Mi", _MI * 1000)
_EPHEMERAL: Final = "ephemeral-storage"


class Seen(msgspec.Struct, frozen=True, eq=False):
    """A container of a namespace as it arrives today, LimitRanges applied: of which workload
    (`shop/deploy/web`), and the disk that its pod's volumes may take.
    """

    owner: str
    need: Need
    volumes: int = 0  # bytes of emptyDirs on disk, by their size limits
    open: bool = False  # an emptyDir on disk has no size limit

    @property
    def key(self) -> str:
        """`shop/deploy/web/app`."""
        return f"{self.owner}/{self.need.name}"


class Defaults(msgspec.Struct, frozen=True):
    """The item of a LimitRange, in thousandths by resource; and what was assumed for it."""

    default: dict[str, int]
    request: dict[str, int]
    least: dict[str, str]
    assumed: tuple[str, ...] = ()

    def spec(self) -> dict[str, Any]:
        """The spec of the LimitRange; empty where it would say nothing."""
        item: dict[str, Any] = {}
        for key, given in (("default", self.default), ("defaultRequest", self.request)):
            if given:
                item[key] = {name: rounding.written(name, milli) for name, milli in given.items()}
        if self.least:
            item["min"] = dict(self.least)
        return {"limits": [{"type": "Container", **item}]} if item else {}


def seen(world: Cluster, namespace: str) -> Iterator[Seen]:
    """The containers of the workloads and pods of a namespace; those that no server reads are left
    out, admission tells of them.
    """
    order = ranges(world, namespace)
    for resource in (*_makers(world, namespace), *world.of_kind("Pod", namespace)):
        workload = world.workload(resource)
        if workload is None:
            continue
        try:
            pod = decode(pod_from(workload))
        except Malformed:
            continue
        sizes = list(_volumes(pod.spec))
        for need in pod.needs:
            yield Seen(
                f"{namespace}/{owner_of(world, resource)}",
                defaulted(need, order) if order else need,
                sum(one for one in sizes if one is not None),
                None in sizes,
            )


def _makers(world: Cluster, namespace: str) -> Iterator[Resource]:
    for workload in world.workloads(namespace):
        if workload.resource.ref.group_kind != "Pod":
            yield workload.resource


def _volumes(spec: Mapping[str, Any]) -> Iterator[int | None]:
    listed = spec.get("volumes")
    for volume in listed if isinstance(listed, list) else ():
        source = volume.get("emptyDir") if isinstance(volume, dict) else None
        if isinstance(source, dict) and source.get("medium") != "Memory":
            milli = amount(source.get("sizeLimit"))
            yield -(-milli // 1000) if milli is not None and milli > 0 else None


def defaults(
    found: Iterable[Seen], held: Iterable[Item], evidence: Evidence, *, compute: bool = True
) -> Defaults:
    """What a new LimitRange beside those that are there (`held`) says. Without `compute` it gives
    no requests and limits of processor time and memory.
    """
    containers = tuple(found)
    items = [item for item in held if item.type == "Container"]
    given = {name for item in items for name in item.default}
    asked = {name for item in items for name in item.default_request}
    limits: dict[str, int] = {}
    requests: dict[str, int] = {}
    assumed: list[str] = []
    if compute and "memory" not in given:
        limit, doubts = _memory(containers, evidence)
        limits["memory"] = limit * 1000
        assumed += doubts
    if compute and "memory" not in asked and "memory" in limits:
        sizes = _measured(containers, "memory", evidence)
        request = min(rounding.size(median(sizes)) if sizes else _ASKED, limits["memory"] // 1000)
        requests["memory"] = request * 1000
    if compute and "cpu" not in asked and "cpu" not in given:
        cores = _measured(containers, "cpu", evidence)
        requests["cpu"] = rounding.cpu(median(cores)) if cores else _CPU
    if _EPHEMERAL not in given:
        limit, doubts = _disk(containers, evidence)
        limits[_EPHEMERAL] = limit * 1000
        assumed += doubts
        if _EPHEMERAL not in asked:
            requests[_EPHEMERAL] = min(_ASKED, limit) * 1000
    least = dict(_least(containers, limits, requests, items))
    return Defaults(limits, requests, least, tuple(assumed))


def _memory(containers: Iterable[Seen], evidence: Evidence) -> tuple[int, list[str]]:
    """Bytes: enough for each container without a limit."""
    most, doubts = 0, []
    for one in containers:
        if one.need.limits.get("memory"):
            continue
        asked = -(-one.need.requests.get("memory", 0) // 1000)
        size = evidence.sizes.get(one.key)
        if size is not None and size.memory is not None:
            most = max(most, asked, size.memory)
            continue
        most = max(most, 2 * asked, _MEMORY)
        doubts.append(f"the memory of {one.key}")
    return rounding.size(most or _MEMORY), doubts


def _disk(containers: Iterable[Seen], evidence: Evidence) -> tuple[int, list[str]]:
    """Bytes: the pod is evicted where its containers and volumes together take more than the sum of
    their limits, so each limit alone is enough for the whole pod.
    """
    most, doubts = _DISK, []
    for one in containers:
        if one.need.limits.get(_EPHEMERAL):
            continue
        asked = -(-one.need.requests.get(_EPHEMERAL, 0) // 1000)
        used = evidence.disk.get(one.owner)
        most = max(most, asked, one.volumes + (_DISK if one.volumes else 0))
        if used is not None:
            most = max(most, 2 * used)
        elif one.open:
            doubts.append(f"the disk of {one.key}, whose emptyDir has no size limit")
    return rounding.size(most), doubts


def _measured(containers: Iterable[Seen], name: str, evidence: Evidence) -> list[int]:
    """What was measured of containers that ask for nothing."""
    found = []
    for one in containers:
        size = evidence.sizes.get(one.key)
        value = getattr(size, name) if size is not None else None
        if value is not None and not one.need.requests.get(name):
            found.append(value)
    return found


def _least(
    containers: tuple[Seen, ...],
    limits: Mapping[str, int],
    requests: Mapping[str, int],
    items: Sequence[Item],
) -> Iterator[tuple[str, str]]:
    """Minima that everybody keeps already: without them a limit of 0 is none, and satisfies a
    quota. A minimum demands a request, and is one where nothing else is said: only beside ours.
    """
    for name, (word, milli) in (*_LEAST.items(), (_EPHEMERAL, _LEAST_DISK)):
        if name not in requests or any(name in item.least for item in items):
            continue
        values = [
            side[name]
            for one in containers
            for side in (one.need.requests, one.need.limits)
            if name in side
        ]
        values += [given[name] for given in (limits, requests) if name in given]
        if all(value >= milli for value in values):
            yield name, word
