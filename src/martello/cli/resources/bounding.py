"""What quotas really bound: the engine's answers in the words of the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from martello.cli.resources.opening import Opened, called, place
from martello.core.errors import BadInput
from martello.core.selection import selection
from martello.practices.resources.admission import bounds as engine
from martello.practices.resources.admission.quotas import quotas
from martello.practices.resources.amounts import Malformed, text
from martello.practices.resources.namespaces import SYSTEM
from martello.practices.resources.pressing import Pressing, of_quotas
from martello.report.resources.model import Bound, Bounds, Space


def bounds(opened: Opened, flags: dict[str, Any]) -> Bounds:
    """The bounds of the namespaces that are asked about; of all that are not the control plane's
    where none is. Raises BadInput for one that is not here.
    """
    spaces = spaces_of(opened, flags)
    containers = _containers(opened, flags)
    told = tuple(_space(opened, name, containers) for name in spaces)
    holes = sum(len(bound.escapes) for space in told for bound in space.bounds)
    unknown = any(space.unassessed for space in told) or bool(opened.missing) or not told
    code = 1 if holes else 3 if unknown and not flags["allow_incomplete"] else 0
    return Bounds(told, holes, missing=opened.missing, exit=code)


def spaces_of(opened: Opened, flags: dict[str, Any]) -> tuple[str, ...]:
    """The namespaces that are asked about; where none is, all but those of the control plane.
    Raises BadInput for one that is not here.
    """
    world = opened.cluster
    named = tuple(flags["namespaces"])
    for name in named:
        if name not in world.namespaces:
            raise BadInput(
                f"there is no namespace {name}",
                f"here are {', '.join(world.namespaces[:8])}",
                "",
            )
    return named or tuple(name for name in world.namespaces if name not in SYSTEM)


def _space(opened: Opened, name: str, containers: Sequence[Pressing]) -> Space:
    world = opened.cluster
    for kind in ("ResourceQuota", "LimitRange"):
        if kind in world.unlisted:
            return Space(name, (), unassessed=f"{kind}s could not be read: {world.unlisted[kind]}")
    try:
        found = engine.bounds(world, name)
        notes = tuple(_notes(opened, name))
        spent = (*of_quotas(world, name), *(c for c in containers if c.of.startswith(f"{name}/")))
    except Malformed as error:
        return Space(name, (), unassessed=str(error))
    return Space(name, tuple(map(_bound, found)), notes, spent=tuple(map(_spent, spent)))


def _spent(one: Pressing) -> str:
    what = f" {one.what}" if one.kind == "quota" else ""
    return f"{one.kind} {one.of.partition('/')[2]}{what}: {one.says}"


def _containers(opened: Opened, flags: dict[str, Any]) -> list[Pressing]:
    """Containers near their limits or above their requests, where measurements are named."""
    if not (flags["prometheus"] or flags["samples"]):
        return []
    from martello.cli.resources.guarding import demands
    from martello.practices.resources.pressing import of_container
    from martello.practices.resources.sizing.today import today

    known = today(opened.cluster)
    return [
        one
        for demand in demands(opened, flags, [])
        if demand.key in known
        for one in of_container(demand, known[demand.key].sizes)
    ]


def _bound(found: engine.Bound) -> Bound:
    guards = tuple((called(owner), place(owner, path)) for owner, path in found.guards)
    return Bound(
        found.resource,
        "" if found.value is None else text(found.value),
        "" if found.used is None else text(found.used),
        tuple(dict.fromkeys(guards)),
        tuple(dict.fromkeys(hole.text for hole in found.holes)),
        open=not guards,
    )


def _notes(opened: Opened, name: str) -> list[str]:
    notes: list[str] = []
    for quota in quotas(opened.cluster, name):
        told = quota.resource.ref.name
        if quota.status == "missing":
            notes.append(f"quota {told} has no status yet: it bounds nothing")
        elif quota.status == "assumed":
            notes.append(f"quota {told} has no status here: its use is counted from files")
        for key in engine.dead(quota):
            notes.append(f"quota {told}: {key} counts nothing")
        for key, used in quota.used.items():
            if used > quota.hard.get(key, used):
                notes.append(
                    f"quota {told}: {key} is overdrawn: {text(used)} of {text(quota.hard[key])}"
                )
    if not selection(opened.cluster).of(name):
        notes.append("no workloads here")
    return notes
