"""Nodes for the picture: what is asked for, used and left, and what the worst attacker adds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from martello.cli.resources.blast_words import hurt_of as hurt
from martello.practices.resources.blast import caps
from martello.practices.resources.blast.facade import World
from martello.practices.resources.blast.model import Blast, Resource
from martello.practices.resources.blast.stage import Stage
from martello.practices.resources.node import evict
from martello.practices.resources.node.model import Pod
from martello.report.resources.blast.model import Bar, Hurt, Stand

MOST: Final = 40  # nodes in the picture
_RESOURCES: Final[tuple[Resource, ...]] = ("cpu", "memory", "pids", "disk")
_UNITS: Final = {"cpu": "m", "memory": "bytes", "pids": "", "disk": "bytes"}


def stands(world: World, blasts: Sequence[Blast]) -> tuple[Stand, ...]:
    """The nodes on which somebody can hurt others, the worst first, at most 40."""
    worst: dict[str, tuple[Pod, Blast]] = {}
    for one in blasts:  # the worst come first
        for pod in world.owners[one.attacker]:
            worst.setdefault(pod.node, (pod, one))
    found = [_stand(world.stages[name], pod, one) for name, (pod, one) in worst.items()]
    found.sort(key=lambda stand: (-len(stand.order), stand.node))
    return tuple(found[:MOST])


def _stand(stage: Stage, pod: Pod, one: Blast) -> Stand:
    takes = {name: stage.by(name, pod) for name in _RESOURCES}
    order: dict[str, Hurt] = {}
    for name in ("memory", "disk", "pids", "cpu"):
        for victim in takes[name].victims.values():
            order.setdefault(victim.key, hurt(victim))
    return Stand(
        node=stage.node.name or "the assumed node",
        pods=len(stage.pods),
        attacker=pod.key,
        bars=tuple(_bar(stage, pod, name, takes[name].take) for name in _RESOURCES),
        order=tuple(order.values()),
        assumed=not stage.node.name,
    )


def _bar(stage: Stage, pod: Pod, name: Resource, take: int | None) -> Bar:
    node, pods = stage.node, stage.pods
    match name:
        case "cpu":
            asked = sum(one.request.get("cpu", 0) for one in pods)
            known = all(caps.cpu_use(p, part)[1] for p in pods for part in p.parts)
            used = sum(caps.cpu_use(p, part)[0] for p in pods for part in p.parts)
            total = node.capacity.get("cpu", 0)
        case "memory":
            asked = sum(caps.asked(one, "memory") for one in pods)
            known = all(caps.memory_use(one)[1] for one in pods)
            used = sum(caps.memory_use(one)[0] for one in pods)
            total = node.capacity.get("memory", 0) // 1000
        case "pids":
            asked, known = 0, all(evict.use(one, "pids") is not None for one in pods)
            used, total = stage.processes, node.pids
        case _:
            asked = sum(caps.asked(one, "ephemeral-storage") for one in pods)
            uses = [evict.use(one, "disk") for one in pods]
            known, used = None not in uses, sum(one or 0 for one in uses)
            total = node.disk or 0
    return Bar(name, _UNITS[name], total, asked, used if known else None, take)
