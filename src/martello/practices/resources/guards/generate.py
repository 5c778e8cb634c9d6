"""Guards made from evidence: what is there, what was measured, what workloads may grow to.

Each namespace has a level, for what its guards turn out to do (see prove): 0 is all of them, 1
leaves requests and limits of processor time and memory alone, 2 gives containers nothing at all and
only counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from martello.core.cluster import Cluster
from martello.core.resource import Ref, Resource
from martello.practices.resources.admission.limit_ranges import ranges
from martello.practices.resources.admission.quotas import quotas
from martello.practices.resources.amounts import Amounts, Malformed
from martello.practices.resources.guards import bounding
from martello.practices.resources.guards.defaults import defaults, seen
from martello.practices.resources.guards.filling import fill
from martello.practices.resources.guards.model import (
    COMPUTE,
    DEFAULTS,
    OBJECTS,
    OWN,
    PRIORITY,
    Evidence,
    Fragment,
    Guards,
    Patch,
)
from martello.practices.resources.guards.most import history
from martello.practices.resources.guards.patching import patches

_OURS = ("LimitRange", "ResourceQuota")


def without(world: Cluster) -> Cluster:
    """The world without what an earlier run made."""
    gone = [
        one.ref for kind in _OURS for one in world.of_kind(kind) if one.ref.name.startswith(OWN)
    ]
    return world.apply(removed=gone) if gone else world


def generate(
    world: Cluster,
    namespaces: Sequence[str],
    evidence: Evidence,
    levels: Mapping[str, int] | None = None,
    fragments: Iterable[Fragment] = (),
) -> Guards:
    """The guards of these namespaces of a world without any of ours. A namespace whose quotas or
    LimitRanges no server would store gets none.
    """
    at = levels or {}
    assumed: list[str] = []
    left: list[str] = []
    limits: list[Resource] = []
    changed: list[Patch] = []
    spaces: list[str] = []
    for space in namespaces:
        level = at.get(space, 0)
        try:
            held = [item for found in ranges(world, space) for item in found]
            quotas(world, space)
        except Malformed as error:
            left.append(f"{space}: {error}")
            continue
        spaces.append(space)
        if level < 2:
            made = defaults(seen(world, space), held, evidence, compute=level < 1)
            assumed += made.assumed
            spec = made.spec()
            if spec:
                limits.append(bounding.made("LimitRange", DEFAULTS, space, spec, world.name))
            changed += patches(world, space, evidence.sizes) if level < 1 else ()
    bounds = _quotas(world, spaces, evidence, at, limits, changed)
    objects = sorted((*limits, *bounds), key=lambda one: (one.ref.namespace, one.ref.kind))
    kept = {space: history(world, space) for space in spaces}
    return Guards(
        tuple(objects),
        tuple(changed),
        tuple(fragments),
        kept,
        tuple(dict.fromkeys(assumed)),
        tuple(left),
    )


def _quotas(
    world: Cluster,
    spaces: Sequence[str],
    evidence: Evidence,
    levels: Mapping[str, int],
    limits: Sequence[Resource],
    changed: Sequence[Patch],
) -> Iterator[Resource]:
    """Amounts are those that admission itself counts, of each world that may come."""
    taken: dict[str, Amounts] = {space: {} for space in spaces}
    used: dict[str, set[str]] = {space: set() for space in spaces}
    keys = {space: _keys(levels.get(space, 0)) for space in spaces}
    probes = [bounding.probe(space, keys[space], world.name) for space in spaces]
    free = world.apply(removed=_bounds(world, spaces))
    for given in variants(free.apply((*limits, *probes)), changed):
        for space in spaces:
            for when in ("now", "at most"):
                found = fill(given, space, when)
                for quota in found.quotas:
                    if quota.resource.ref.name == f"{OWN}probe":
                        _raise(taken[space], quota.used)
                used[space] |= found.classes
    for space in spaces:
        compute, objects = bounding.hard(
            taken[space], history(world, space), evidence.margin, quotas(world, space), keys[space]
        )
        closed = bounding.priorities(world, space, used[space])
        for name, spec in ((COMPUTE, {"hard": compute}), (OBJECTS, {"hard": objects})):
            if spec["hard"]:
                yield bounding.made("ResourceQuota", name, space, spec, world.name)
        if closed:
            yield bounding.made("ResourceQuota", PRIORITY, space, closed, world.name)


def _keys(level: int) -> list[str]:
    """The keys of quotas at a level: what no default gives must not be demanded."""
    out: tuple[str, ...] = bounding.REQUESTS if level >= 1 else ()
    out += bounding.DISK if level >= 2 else ()
    return [key for key in bounding.KEYS if key not in out]


def variants(given: Cluster, changed: Sequence[Patch]) -> Iterator[Cluster]:
    """The world as it is, and as it is with all patches."""
    yield given
    if changed:
        yield given.apply(patch.after for patch in changed)


def _bounds(world: Cluster, spaces: Sequence[str]) -> Iterator[Ref]:
    """Quotas that are there: they must not hide what is asked for."""
    for space in spaces:
        yield from (one.ref for one in world.of_kind("ResourceQuota", space))


def _raise(into: Amounts, more: Amounts) -> None:
    for key, milli in more.items():
        into[key] = max(into.get(key, 0), milli)
