"""What pods can do that somebody brings in: on every node, for who creates a pod names its node.

`spec.nodeName` goes round the scheduler with its selectors and taints, and tolerations are the
creator's to write; only quotas, LimitRanges and other admission stand against it. All is an upper
bound: the pods are as many as may be, split their use so that none stands out, and ask for all that
is free.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from martello.practices.resources.blast import caps
from martello.practices.resources.blast.model import Guard, Resource, Victim
from martello.practices.resources.blast.room import Room
from martello.practices.resources.blast.stage import Exact, Stage, Taken, behind, by_key
from martello.practices.resources.node import evict, oom, share
from martello.practices.resources.node.model import Node, Part, Pod, Signal

_PODS: Final = 110  # of a node that does not say it
_NAME: Final = "created"


def by_created(stage: Stage, room: Room, resource: Resource) -> Taken:
    """What such pods can do on one node by one resource."""
    match resource:
        case "cpu":
            return _cpu(stage, room)
        case "memory":
            return _memory(stage, room)
        case "pids":
            return _pids(stage, room)
        case "placement":
            return _placement(stage, room)
    return _storage(stage, room, "disk" if resource == "disk" else "inodes")


def _count(node: Node, room: Room) -> int:
    here = node.allocatable.get("pods", _PODS * 1000) // 1000
    return here if room.pods is None else min(here, room.pods)


def _request(stage: Stage, room: Room, name: str) -> int:
    """What they can request together: what is free, or taken from lower priorities."""
    free = stage.node.allocatable.get(name, 0)
    for pod in stage.pods:
        if not room.preempts or pod.priority >= room.priority:
            free -= pod.request.get(name, 0)
    free = max(0, free)
    most = room.cpu if name == "cpu" else room.memory
    free = free if name == "cpu" else free // 1000
    return free if most is None else min(free, most)


def _pod(stage: Stage, room: Room) -> Pod:
    """One pod that asks for all of it."""
    requests = {
        "cpu": _request(stage, room, "cpu"),
        "memory": _request(stage, room, "memory") * 1000,
    }
    limits = {}
    if room.cpu_limit is not None:
        limits["cpu"] = room.cpu_limit
    requests = {name: amount for name, amount in requests.items() if amount}
    return Pod(
        namespace="",
        name=_NAME,
        workload=_NAME,
        parts=(Part(_NAME, requests, limits),),
        request=requests,
        limit=limits,
        qos="Burstable" if requests else "BestEffort",
        priority=room.priority,
        node=stage.node.name,
    )


def _cpu(stage: Stage, room: Room) -> Taken:
    pod = _pod(stage, room)
    key = (pod.key, _NAME)
    shares = share.Shares(stage.node, (*stage.pods, pod), {**stage.demands, key: 0.0})
    missing: dict[str, float] = {}
    for (name, _), amount in shares.lost(key).items():
        missing[name] = missing.get(name, 0.0) + amount
    victims = tuple(
        Victim(one.key, one.owner, "throttled", round(missing[one.key]))
        for one in stage.pods
        if one.key in missing
    )
    why = behind(missing.get(share.SYSTEM[0], 0.0))
    guard = room.guard("cpu_limit")
    if guard is None and not victims and not why:
        guard = Guard("the neighbours' requests")
    doubt = _doubt(stage, "cpu", room, guard, victims)
    return Taken(room.cpu_limit, guard, by_key(victims), *doubt, why)


def _memory(stage: Stage, room: Room) -> Taken:
    most, pod = room.memory_limit, _pod(stage, room)
    victims = list(_evicted(stage, room, "memory", pod.request.get("memory", 0) // 1000, most))
    gone = {victim.key for victim in victims}
    kills = oom.kills(stage.node, stage.pods, pod, pod.parts[0], most)
    for place, one in enumerate(kills.victims, 1):
        if one.pod.key not in gone:
            gone.add(one.pod.key)
            victims.append(Victim(one.pod.key, one.pod.owner, "killed", one.use, place))
    found, guard = tuple(victims), room.guard("memory_limit")
    return Taken(most, guard, by_key(found), *_doubt(stage, "memory", room, guard, found))


def _evicted(
    stage: Stage, room: Room, signal: Signal, request: int, most: int | None
) -> Iterator[Victim]:
    """The pods that go before any of theirs. Of equal priority each may exceed its request by as
    much as the victim does; below a higher one they must not exceed theirs at all.
    """
    left = evict.room(stage.node, stage.pods, signal)
    if left is None:
        return
    needed, count = left + 1, _count(stage.node, room)
    for place, pod in enumerate(evict.order(stage.node, stage.pods, signal), 1):
        used = evict.use(pod, signal)
        asked = evict.counted(pod, signal, stage.node.kubernetes) // 1000
        asked = 0 if signal == "inodes" else asked
        if most is not None and needed > most:
            return
        if used is not None:
            over = used - asked
            allowed: int | None = request
            if room.priority == pod.priority:
                allowed = request + count * over
            elif room.priority > pod.priority and over > 0:
                allowed = None
            elif room.priority < pod.priority and over <= 0:
                allowed = 0
            if allowed is not None and needed > allowed:
                return
        yield Victim(pod.key, pod.owner, "evicted", None, place)
        needed += asked if used is None else used


def _pids(stage: Stage, room: Room) -> Taken:
    node = stage.node
    total = node.pids - node.reserved_pids
    most = None if node.pod_pids is None else node.pod_pids * _count(node, room)
    victims: tuple[Victim, ...] = ()
    if most is None or most + stage.processes >= total:
        victims = tuple(Victim(pod.key, pod.owner, "no fork") for pod in stage.pods)
    guard = None
    if most is not None and most + stage.processes < total:
        guard = Guard(f"podPidsLimit {node.pod_pids:,} in each of {_count(node, room)} pods")
    take = total if most is None else min(most, total)
    return Taken(take, guard, by_key(victims), *_doubt(stage, "pids", room, guard, victims))


def _storage(stage: Stage, room: Room, signal: Signal) -> Taken:
    """They rank after all whose use is over their request: their own use is split, and new."""
    disk = signal == "disk"
    most = None if room.disk_limit is None or not disk else room.disk_limit + caps.UNSEEN
    resource: Resource = "disk" if disk else "inodes"
    guard = room.guard("disk_limit") if disk else None
    if (stage.node.disk if disk else stage.node.inodes) is None:
        return Taken(most, guard, {}, "bound" if guard else "unassessed", (resource,))
    request = stage.node.allocatable.get("ephemeral-storage", 0) // 1000
    victims = tuple(_evicted(stage, room, signal, request if disk else 0, most))
    return Taken(most, guard, by_key(victims), *_doubt(stage, resource, room, guard, victims))


def _placement(stage: Stage, room: Room) -> Taken:
    """Pods of a lower priority give way to pods of a higher one."""
    victims: tuple[Victim, ...] = ()
    if room.preempts and (room.cpu != 0 or room.memory != 0):
        victims = tuple(
            Victim(pod.key, pod.owner, "unschedulable", None, place)
            for place, pod in enumerate(sorted(stage.pods, key=lambda p: (p.priority, p.key)), 1)
            if pod.priority < room.priority and not pod.static
        )
    guard = room.guard("pods")
    why = f"priority class {room.class_name}" if victims and room.class_name else ""
    assumed = room.unsure
    exact: Exact = "unassessed" if assumed and victims else "bound"
    return Taken(room.pods, guard, by_key(victims), exact, assumed if victims else (), why)


def _doubt(
    stage: Stage,
    resource: Resource,
    room: Room,
    guard: Guard | None,
    victims: tuple[Victim, ...],
) -> tuple[Exact, tuple[str, ...]]:
    exact, assumed = stage.doubt(resource, guard, victims, True)
    return ("bound" if exact == "exact" else exact), (*assumed, *room.unsure)
