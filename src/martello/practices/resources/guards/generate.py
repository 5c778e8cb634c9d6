"""Guards made from evidence: what is there, what was measured, what workloads may grow to.

Each namespace has a level, for what its guards turn out to do (see prove): 0 is all of them, 1
leaves requests and limits of processor time and memory alone, 2 gives containers nothing at all and
only counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from martello.core.cluster import Cluster
from martello.core.resource import Ref, Resource
from martello.practices.resources.admission.limit_ranges import ranges
from martello.practices.resources.admission.quotas import quotas
from martello.practices.resources.amounts import Amounts, Malformed
from martello.practices.resources.blast.classes import closed, only
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
from martello.practices.resources.guards.priorities import bounded

_OURS = ("LimitRange", "ResourceQuota")


class Raised(msgspec.Struct, frozen=True, eq=False):
    """A priority class for some workloads (`shop/deploy/web`), and why each of them gets it."""

    to: Resource
    why: Mapping[str, str]


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
    raised: Raised | None = None,
) -> Guards:
    """The guards of these namespaces of a world without any of ours. A namespace whose quotas or
    LimitRanges no server would store gets none. Workloads that are `raised` get a priority class.
    """
    at = levels or {}
    classes = (raised.to,) if raised is not None else ()
    rise = {o: (raised.to.ref.name, why) for o, why in raised.why.items()} if raised else {}
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
        assumed += _daemons(world, space)
        changed += patches(world, space, evidence.sizes if level < 1 else {}, rise)
    bounds = quotas_for(world.apply(classes), spaces, evidence, at, limits, changed)
    objects = sorted((*limits, *bounds), key=lambda one: (one.ref.namespace, one.ref.kind))
    kept = {space: history(world, space) for space in spaces}
    return Guards(
        tuple(objects),
        classes,
        tuple(changed),
        tuple(fragments),
        kept,
        tuple(dict.fromkeys(assumed)),
        tuple(left),
    )


def quotas_for(
    world: Cluster,
    spaces: Sequence[str],
    evidence: Evidence,
    levels: Mapping[str, int],
    limits: Sequence[Resource],
    changed: Sequence[Patch],
) -> Iterator[Resource]:
    """The quotas of namespaces beside new LimitRanges and patches. Amounts are those that admission
    itself counts, of each world that may come. Raises Malformed.
    """
    probes: list[Resource] = []
    keys = {space: _keys(levels.get(space, 0)) for space in spaces}
    high = {space: bounded(world, space, changed) for space in spaces}
    for space in spaces:
        probes.append(bounding.probe(space, keys[space], world.name))
        probes += (
            bounding.probe(space, _scoped(keys[space]), world.name, of) for of in high[space]
        )
    taken: dict[tuple[str, str], Amounts] = {}
    used: dict[str, set[str]] = {space: set() for space in spaces}
    free = world.apply(removed=_bounds(world, spaces))
    for given in variants(free.apply((*limits, *probes)), changed):
        for space in spaces:
            for when in ("now", "at most"):
                found = fill(given, space, when)
                for quota in found.quotas:
                    _raise(taken.setdefault((space, quota.resource.ref.name), {}), quota.used)
                used[space] |= found.classes
    for space in spaces:
        most, margin = taken.get((space, bounding.PROBE), {}), evidence.margin
        compute, objects = bounding.hard(
            most, history(world, space), margin, quotas(world, space), keys[space]
        )
        for name, spec in ((COMPUTE, {"hard": compute}), (OBJECTS, {"hard": objects})):
            if spec["hard"]:
                yield bounding.made("ResourceQuota", name, space, spec, world.name)
        none = closed(world, space, used[space])
        if none:
            yield bounding.made("ResourceQuota", PRIORITY, space, none, world.name)
        for of in high[space]:
            most = taken.get((space, f"{bounding.PROBE}-{of}"), {})
            hard, _ = bounding.hard(most, {}, margin, (), _scoped(keys[space]))
            spec = {"hard": hard, **only((of,))}
            yield bounding.made("ResourceQuota", f"{PRIORITY}-{of}", space, spec, world.name)


def _daemons(world: Cluster, space: str) -> Iterator[str]:
    """Those of whose pods nobody knows how many there are: the nodes are not here."""
    if next(iter(world.of_kind("Node")), None) is None:
        for one in world.of_kind("DaemonSet.apps", space):
            yield f"the nodes of {space}/ds/{one.ref.name} (one, and one that comes)"


def _scoped(keys: Sequence[str]) -> list[str]:
    """The keys of a quota of one priority class: how many, and how much room they may take from
    others.
    """
    return [key for key in keys if key in ("pods", "requests.cpu", "requests.memory")]


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
