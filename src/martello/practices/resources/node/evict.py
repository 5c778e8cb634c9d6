"""Whom the kubelet evicts under pressure, in which order; an attacker's best play against it.

Read in Kubernetes 1.20.2 and 1.37.2, pkg/kubelet/eviction (the comparators of helpers.go are the
same in both): `rankMemoryPressure`, `rankDiskPressureFunc`, `rankPIDPressure`, `thresholdsMet`
(crossed when less than the threshold is left, not at it), `addAllocatableThresholds` (a hard
threshold of memory holds for what `kubepods` may take too), `evictPod` (never a static or critical
one). At most one pod goes per round of 10 s, soft thresholds wait for their grace period, and disk
pressure first deletes unused images and dead containers: an attacker outlasts all three, so they
are left out, which only lets it do more.

The play: an attacker's rank only worsens as it uses more, and does not change the order of others.
So in each round it uses the least that crosses the threshold, and its victims are the first of the
node's order up to the one that it would itself precede.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate, repeat
from operator import attrgetter
from typing import Any, Final

import msgspec

from martello.practices.resources.amounts import Amounts, Malformed, amounts
from martello.practices.resources.node.model import Node, Pod, Signal, Use
from martello.practices.resources.node.qos import POD_LEVEL

_Rank = tuple[float, float, float]
_SIGNALS: Final[dict[Signal, tuple[str, ...]]] = {
    "memory": ("memory.available",),
    "disk": ("nodefs.available",),
    "inodes": ("nodefs.inodesFree",),
    "pids": ("pid.available",),
}
# What lies on the node's disk where images have none of their own.
_IMAGES: Final[dict[Signal, tuple[str, ...]]] = {
    "disk": ("imagefs.available", "containerfs.available"),
    "inodes": ("imagefs.inodesFree", "containerfs.inodesFree"),
}


class Round(msgspec.Struct, frozen=True):
    """One eviction: the attacker's pod uses `use` (bytes or numbers), and `victim` goes."""

    use: int
    victim: Pod


class Play(msgspec.Struct, frozen=True):
    """An attacker's best play. `ends` says why there is no further victim.

    `assumed`: the use of some pod was not known; its request stands in where free space is
    counted, and it goes first where pods are ranked.
    """

    rounds: tuple[Round, ...]
    ends: str  # "bounded" by the cap | "itself" would be next | "alone" | "no threshold"
    assumed: bool = False


def use(pod: Pod, signal: Signal) -> int | None:
    """What a pod uses of a resource (bytes, numbers): its own figure, or its containers' together;
    None where one of them is not known.
    """
    get = _READ[signal]
    own = get(pod.use)
    if own is not None:
        return own
    parts = [get(part.use) for part in pod.parts]
    return None if None in parts or not parts else sum(parts)  # type: ignore[arg-type]


_READ: Final[dict[Signal, Callable[[Use], int | None]]] = {
    "memory": attrgetter("memory"),
    "disk": attrgetter("disk"),
    "inodes": attrgetter("inodes"),
    "pids": attrgetter("pids"),
}


def counted(pod: Pod, signal: Signal, kubernetes: int) -> int:
    """The request, in thousandths, that a pod's use is held against (`GetResourceRequestQuantity`
    of pkg/api/v1/resource): the overhead counts only on top of a request; and where the pod itself
    asks for something, what its containers ask for beyond that does not count at all.
    """
    name = "memory" if signal == "memory" else "ephemeral-storage"
    spec = pod.raw.get("spec")
    whole = pod.request.get(name, 0)
    if not isinstance(spec, dict) or not ("overhead" in spec or "resources" in spec):
        return whole
    overhead = _amounts(spec.get("overhead")).get(name, 0)
    level = spec.get("resources")
    if isinstance(level, dict) and kubernetes >= POD_LEVEL:
        own = [_amounts(level.get(side)) for side in ("requests", "limits")]
        whole_pod = any(_levelled(one) for side in own for one in side)
        if whole_pod and name not in own[0] and not (name in own[1] and _levelled(name)):
            return 0
    return whole if whole > overhead else 0


def _levelled(name: str) -> bool:
    """Whether a pod can ask for a resource as a whole."""
    return name in ("cpu", "memory") or name.startswith("hugepages-")


def _amounts(value: Any) -> Amounts:
    if not value:
        return {}
    try:
        return amounts(value)
    except Malformed:
        return {}


def _rank(pod: Pod, signal: Signal, used: int | None, asked: int) -> _Rank:
    """The lowest goes first. Inodes have no request, so any use is over it; the excess that the
    kubelet sorts them by is still reckoned against the request for ephemeral storage, in bytes
    (`disk` in helpers.go).
    """
    if signal == "pids":
        return (pod.priority, -1, 0) if used is None else (pod.priority, 0, -used)
    if used is None:
        return (0, pod.priority, 0)
    over = used > 0 if signal == "inodes" else used * 1000 > asked
    return (1 if over else 2, pod.priority, asked - used * 1000)


def order(node: Node, pods: Sequence[Pod], signal: Signal) -> list[Pod]:
    """The pods of a node that can be evicted, the first to go first. A pod whose use is None is one
    without stats. Equals, of which the kubelet takes any, are in order of their names.
    """
    return Ranking(node, pods, signal).order


def threshold(node: Node, signal: Signal) -> int | None:
    """What must be left of a resource (bytes, numbers): the largest of the hard and soft
    thresholds; None: there is none, nobody is evicted.
    """
    names = _SIGNALS[signal] + (() if node.image_fs else _IMAGES.get(signal, ()))
    found = [held[name] for held in (node.eviction, node.soft) for name in names if name in held]
    return max(found, default=None)


def room(node: Node, pods: Sequence[Pod], signal: Signal) -> int | None:
    """How much more the pods of a node can use before the threshold is crossed (bytes, numbers;
    negative: it is crossed already); None without a threshold or without a known capacity.
    """
    return _room(node, sum(_filled(pod, signal) for pod in pods), signal)


def _room(node: Node, total: int, signal: Signal) -> int | None:
    kept = threshold(node, signal)
    if kept is None:
        return None
    match signal:
        case "memory":
            return _memory_room(node, total, kept)
        case "disk":
            if node.free_disk is not None:
                return node.free_disk - kept
            if node.disk is None:
                return None
            return node.disk - (node.used_by_system.disk or 0) - total - kept
        case "inodes":
            if node.inodes is None:
                return None
            return node.inodes - (node.used_by_system.inodes or 0) - total - kept
        case "pids":
            return node.pids - (node.used_by_system.pids or 0) - total - kept


def _memory_room(node: Node, total: int, kept: int) -> int:
    """Of the node, and of `kubepods` where it is held to what is not reserved: the less. What the
    node itself uses is taken for what is reserved where nobody measured it.
    """
    capacity = node.capacity.get("memory", 0) // 1000
    reserved = node.reserved.get("memory", 0) // 1000
    system = node.used_by_system.memory
    found = capacity - (reserved if system is None else system) - total - kept
    hard = node.eviction.get("memory.available")
    if node.pods_enforced and hard is not None:
        found = min(found, capacity - reserved - total - hard)
    return found


def _filled(pod: Pod, signal: Signal) -> int:
    """A pod's use, or its request where nobody measured it."""
    return _or_asked(pod, signal, use(pod, signal))


def _or_asked(pod: Pod, signal: Signal, used: int | None) -> int:
    if used is not None:
        return used
    name = {"memory": "memory", "disk": "ephemeral-storage"}.get(signal, "")
    return -(-pod.request.get(name, 0) // 1000)


def play(
    node: Node, pods: Sequence[Pod], attacker: Pod, cap: int | None, signal: Signal = "memory"
) -> Play:
    """The attacker's best play on its node: in each round the least use that crosses the threshold.
    `cap` bounds the use of its whole pod (bytes, numbers); None: nothing does.
    """
    return Ranking(node, pods, signal).play(attacker, cap)


class Ranking:
    """One sort of a node's pods for one signal, then a play in O(log n + victims) an attacker."""

    def __init__(self, node: Node, pods: Sequence[Pod], signal: Signal) -> None:
        self.signal = signal
        self._kubernetes = node.kubernetes
        used = [use(pod, signal) for pod in pods]
        self.assumed = None in used
        filled = [
            _or_asked(pod, signal, one) if one is None else one
            for pod, one in zip(pods, used, strict=True)
        ]
        self.room = _room(node, sum(filled), signal)
        names = _SIGNALS[signal] + (() if node.image_fs else _IMAGES.get(signal, ()))
        self._reclaim = max((node.reclaim.get(name, 0) for name in names), default=0)
        asked = [counted(pod, signal, node.kubernetes) for pod in pods]
        keys = [pod.key for pod in pods]
        self._here = dict(zip(keys, zip(filled, asked, strict=True), strict=True))
        ranks = [_rank(*one) for one in zip(pods, repeat(signal), used, asked, strict=False)]
        ranked = sorted(zip(ranks, keys, range(len(keys)), strict=True))
        ranked = [one for one in ranked if not pods[one[2]].critical]
        self.order = [pods[index] for _, _, index in ranked]
        self._ranks = [rank for rank, _, _ in ranked]
        self._at = {key: place for place, (_, key, _) in enumerate(ranked)}
        # By the first evictions of the order, together.
        self._freed = list(accumulate([filled[index] for _, _, index in ranked], initial=0))

    def _asked(self, pod: Pod) -> int:
        return counted(pod, self.signal, self._kubernetes)

    def play(self, attacker: Pod, cap: int | None, unseen: int = 0) -> Play:
        """As the function `play`. An attacker that is not among the pods comes to them with no use
        of its own yet. `unseen` is how much its use may have grown since it was last measured.
        """
        least, ends = self.reach(attacker, cap, unseen)
        own, _, skip = self._own(attacker)
        rounds = tuple(
            Round(self._needed(index, own, skip), self.order[index if index < skip else index + 1])
            for index in range(least)
        )
        return Play(rounds, ends, self.assumed)

    def reach(self, attacker: Pod, cap: int | None, unseen: int = 0) -> tuple[int, str]:
        """How many of the order go, the attacker left out, and why no more: a play without its
        rounds.
        """
        if self.room is None:
            return 0, "no threshold"
        own, asked, skip = self._own(attacker)
        count = len(self.order) - (skip < len(self.order))
        if not count:
            return 0, "alone"
        first = self._needed(0, own, skip)
        if cap is not None and first > cap:
            return 0, "bounded"

        def rank(used: int) -> _Rank:
            seen = max(used - unseen, own) if unseen else used
            return _rank(attacker, self.signal, seen, asked)

        bound = count if cap is None else max(self._afforded(cap, own, skip), 1)
        if attacker.critical:
            return bound, "alone" if bound == count else "bounded"
        ranks = self._ranks
        if rank(first) < ranks[skip == 0]:
            return 0, "itself"
        # From the second round on what is needed only grows, and the attacker's rank only falls:
        # who precedes it at its last goes, who does not at its second stays.
        low, high = (
            max(at - (at > skip), 1)
            for at in (
                bisect_right(ranks, rank(self._needed(index, own, skip)))
                for index in (count - 1, 1)
            )
        )
        while low < high:
            middle = (low + high) // 2
            victim = ranks[middle if middle < skip else middle + 1]
            if rank(self._needed(middle, own, skip)) < victim:
                high = middle
            else:
                low = middle + 1
        if low < bound:
            return low, "itself"
        return bound, "alone" if bound == count else "bounded"

    def _afforded(self, cap: int, own: int, skip: int) -> int:
        """How many rounds there are after which the next one needs more than the cap; all, if none
        does. The first, in which nothing was reclaimed, is not looked at.
        """
        assert self.room is not None
        spare = cap - own - self.room - 1 + self._reclaim
        at = bisect_right(self._freed, spare)
        if at > skip:
            at = max(bisect_right(self._freed, spare + own), skip + 2) - 1
        return min(at, len(self.order) - (skip < len(self.order)))

    def _own(self, attacker: Pod) -> tuple[int, int, int]:
        """What it uses already and what that is held against, and its place in the order (the end:
        it has none).
        """
        key = attacker.key
        known = self._here.get(key)
        used, asked = (0, self._asked(attacker)) if known is None else known
        return used, asked, self._at.get(key, len(self.order))

    def _needed(self, index: int, own: int, skip: int) -> int:
        """The attacker's least use at which the threshold is crossed for the next victim."""
        assert self.room is not None
        freed = self._freed[index if index <= skip else index + 1]
        if index > skip:
            freed -= own
        return max(own + self.room + 1 + freed - (self._reclaim if index else 0), 0)


def disk_bound(pod: Pod) -> int | None:
    """Bytes of local disk beyond which the kubelet evicts a pod for its own limits; None: it may
    fill the disk. Until it is measured a pod may hold more.

    A limit of one container bounds the whole pod: its limit is the sum over those that have one
    (`podEphemeralStorageLimitEviction` of eviction_manager.go), init containers by themselves. The
    size limit of an emptyDir bounds that volume alone, so it is no bound for a pod.
    """
    name = "ephemeral-storage"
    limits = [part.limits[name] for part in pod.parts if name in part.limits]
    first = [milli for milli in _init_limits(pod) if milli is not None]
    if not limits and not first:
        return None
    return -(-max(sum(limits), max(first, default=0)) // 1000)


def _init_limits(pod: Pod) -> list[int | None]:
    """Of the init containers that end, thousandths."""
    spec = pod.raw.get("spec")
    init: Any = spec.get("initContainers") if isinstance(spec, dict) else None
    found: list[int | None] = []
    for container in init if isinstance(init, list) else ():
        resources = container.get("resources") if isinstance(container, dict) else None
        if isinstance(resources, dict) and container.get("restartPolicy") != "Always":
            found.append(_amounts(resources.get("limits")).get("ephemeral-storage"))
    return found


def memory_volume(node: Node, pod: Pod, limit: int | None) -> int:
    """Bytes that an emptyDir in memory can hold: its size limit, the pod's memory limit or what the
    node can give, the least of them; before 1.22 half of the node, whatever it says
    (`calculateEmptyDirMemorySize` of pkg/volume/emptydir; SizeMemoryBackedVolumes).
    """
    if node.kubernetes < 22:
        return node.capacity.get("memory", 0) // 2000
    bounds = [float(node.allocatable.get("memory", 0) // 1000)]
    held = pod.limit.get("memory", 0)
    bounds += [math.ceil(held / 1000)] if held > 0 else []
    bounds += [limit] if limit else []
    return int(min(bounds))
