"""One node with its pods, ready to be asked what any one of them can do to the others.

Everything that needs an order is sorted once a node and resource, however many attackers are asked
about (`sorts` counts). A foothold is one container of one pod.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from math import ceil
from typing import Final, Literal

import msgspec

from martello.practices.resources.blast import caps
from martello.practices.resources.blast.model import Effect, Guard, Resource, Victim
from martello.practices.resources.node import evict, oom, share
from martello.practices.resources.node.model import Node, Part, Pod, Signal, Use

_PAGE: Final = 4096
PIDS_EACH: Final = 64  # processes of a container of which nobody knows
Exact = Literal["exact", "bound", "unassessed"]
Likeness = tuple[str, str, int, int, Use]

# What of a kubelet decides over each resource, as fields of Node.
SETTINGS: Final[dict[Resource, frozenset[str]]] = {
    "cpu": frozenset(("capacity", "allocatable", "cpu_quota")),
    "memory": frozenset(("capacity", "allocatable", "reserved", "eviction")),
    "pids": frozenset(("pod_pids", "pids", "reserved_pids")),
    "disk": frozenset(("disk", "eviction")),
    "inodes": frozenset(("inodes", "eviction")),
}
USE: Final = "measured use"
_FULL: Final[tuple[Effect, ...]] = ("no fork", "blocked")  # where nothing is left for anybody


class Taken(msgspec.Struct, frozen=True):
    """What one pod can do by one resource on its node: the take (None: no bound), the guard, and
    who is hurt: by key, in order.
    """

    take: int | None
    guard: Guard | None
    victims: Mapping[str, Victim] = {}
    exact: Exact = "exact"
    assumed: tuple[str, ...] = ()
    why: str = ""


class _Line:
    """An order of victims, made once for all attackers: as it is, and each one place further up for
    those who come after the attacker, which is no victim of its own.
    """

    __slots__ = ("_keys", "_shifted", "_single", "at", "plain")

    def __init__(
        self,
        effect: Effect,
        places: Sequence[tuple[Pod, str]],
        amounts: Sequence[int | None],
    ) -> None:
        """`places` are pods, with a container where each goes by itself."""
        self._keys = [pod.key for pod, _ in places]
        self.at = {(pod.key, part): at for at, (pod, part) in enumerate(places)}
        self._single = len(set(self._keys)) == len(places)
        rows = list(zip(self._keys, [pod.owner for pod, _ in places], amounts, strict=True))
        self.plain, self._shifted = (
            [Victim(key, owner, effect, n, place) for place, (key, owner, n) in enumerate(rows, s)]
            for s in (1, 0)
        )

    def first(self, count: int, skip: int) -> dict[str, Victim]:
        """The first so many without the one at `skip`, each pod once."""
        before = min(count, skip)
        keys = self._keys[:before] + self._keys[skip + 1 : count + 1]
        victims = self.plain[:before] + self._shifted[skip + 1 : count + 1]
        if self._single:
            return dict(zip(keys, victims, strict=True))
        return by_key(victims)


def by_key(victims: Iterable[Victim]) -> dict[str, Victim]:
    """The first of each key."""
    found: dict[str, Victim] = {}
    for victim in victims:
        found.setdefault(victim.key, victim)
    return found


def likeness(pod: Pod) -> Likeness:
    """The same for replicas that files make of one template and that use the same: what one of them
    can do on a node, each can, and the others of its workload are no victims.
    """
    return pod.owner, pod.node, id(pod.parts), id(pod.raw), pod.use


def behind(short: float) -> str:
    """What kubelet, runtime and the like miss, in words; empty where they miss nothing."""
    return f"the node's own services get {ceil(short)}m less than they need" if short else ""


class Stage:
    """A node and the pods on it."""

    __slots__ = ("__dict__", "node", "pods", "sorts")

    def __init__(self, node: Node, pods: Sequence[Pod]) -> None:
        self.node = node
        self.pods = tuple(pods)
        self.sorts = 0  # orders that were made

    def by(self, resource: Resource, pod: Pod) -> Taken:
        """What a pod of this node can do by a resource of nodes."""
        if resource == "cpu":
            return self.cpu(pod)
        if resource == "memory":
            return self.memory(pod)
        if resource == "pids":
            return self.pids(pod)
        return self.storage(pod, "disk" if resource == "disk" else "inodes")

    def cpu(self, pod: Pod) -> Taken:
        """It demands all it can get; whoever then gets less than it demands is throttled. What is
        outside of pods is nobody's workload: it is told beside them, and nothing guards it.
        """
        cap = caps.cpu(pod, self.node)
        missing = self._missing(pod, cap.part)
        why = behind(missing.pop(share.SYSTEM[0], 0.0))
        owners = self._owners
        victims = {
            key: Victim(key, owners[key], "throttled", ceil(amount - share.NOISE))
            for key, amount in missing.items()
            if owners[key] != pod.owner
        }
        guard = cap.guard
        if guard is None and not victims and not why:
            guard = Guard("the neighbours' requests")
        doubt = self.doubt("cpu", guard, victims, self._cpu_known)
        return Taken(cap.most, guard, victims, *doubt, why)

    def _missing(self, pod: Pod, part: Part) -> dict[str, float]:
        """How much processor time pods go short of, by key."""
        found: dict[str, float] = {}
        for (key, _), amount in self._shares.lost((pod.key, part.name)).items():
            found[key] = found.get(key, 0.0) + amount
        return found

    def memory(self, pod: Pod) -> Taken:
        """The union of what the kubelet evicts and of what the kernel kills before."""
        cap = caps.memory(pod)
        evicted = self._evicted("memory", pod, cap.most)
        killed = self._killed(pod)
        victims = {**evicted, **killed, **evicted} if evicted else killed
        doubt = self.doubt("memory", cap.guard, victims, self._memory_known)
        return Taken(cap.most, cap.guard, victims, *doubt)

    def _killed(self, pod: Pod) -> dict[str, Victim]:
        """Those whom the kernel kills, by any container of the pod."""
        volumes = [volume for volume in pod.volumes if volume.memory]
        if volumes:
            kept = sum(evict.memory_volume(self.node, pod, one.limit) for one in volumes)
            return self._others(pod, by_key(self._outlived(pod, kept)))
        weighing, line = self._weighing, self._killing
        found: dict[str, Victim] = {}
        for part in pod.parts:
            count, _ = weighing.reach(pod, part, caps.limited(part, "memory"))
            more = line.first(count, line.at[(pod.key, part.name)])
            found = {**found, **more, **found} if found else more
        return self._others(pod, found)

    def _outlived(self, pod: Pod, kept: int) -> Iterator[Victim]:
        """Files in memory stay when their writer is killed: as long as they alone fill the node,
        nobody's rank ends it.
        """
        weighing = self._weighing
        own = [one for one in weighing.order if one.pod.key == pod.key]
        base = min(one.points - one.use // _PAGE * _PAGE for one in own)
        cap = caps.memory(pod).most
        needed = weighing.room + 1 + sum(one.use for one in own)
        for one, victim in zip(weighing.order, self._killing.plain, strict=True):
            if one.pod.key == pod.key:
                continue
            if needed > kept and (one.points < base or (cap is not None and needed > cap)):
                return
            yield victim
            needed += one.use

    def pids(self, pod: Pod) -> Taken:
        """Where it can fill the node's table of processes, nobody else can fork."""
        cap = caps.pids(pod, self.node)
        total = self.node.pids - self.node.reserved_pids
        others = self.processes - self._processes[pod.key][0]
        victims: dict[str, Victim] = {}
        if cap.most is None or cap.most + others >= total:
            victims = self._everybody(pod, "no fork")
        elif "pid.available" in self.node.eviction or "pid.available" in self.node.soft:
            victims = self._evicted("pids", pod, cap.most)
        doubt = self.doubt("pids", cap.guard, victims, self._pids_known)
        take = total if cap.most is None else min(cap.most, total)
        return Taken(take, cap.guard, victims, *doubt)

    def storage(self, pod: Pod, signal: Literal["disk", "inodes"]) -> Taken:
        """The kubelet evicts by rank; what is written between two of its looks may fill all."""
        held = self._storage(pod)
        cap = held.disk if signal == "disk" else held.inodes
        if (self.node.disk if signal == "disk" else self.node.inodes) is None:
            if cap.guard is not None:
                return Taken(cap.most, cap.guard, {}, "bound", (signal,))
            return Taken(cap.most, None, {}, "unassessed", (signal,))
        unseen = 0
        if held.volume:
            unseen = caps.UNSEEN if signal == "disk" else caps.UNSEEN_FILES
        victims = self._evicted(signal, pod, cap.most, unseen)
        if signal == "disk" and self._fills(held):
            victims = {**victims, **self._everybody(pod, "blocked"), **victims}
        doubt = self.doubt(signal, cap.guard, victims, self._known(signal))
        return Taken(cap.most, cap.guard, victims, *doubt)

    def _evicted(
        self, signal: Signal, pod: Pod, most: int | None, unseen: int = 0
    ) -> dict[str, Victim]:
        """The pods that go before this one, in their order."""
        count, _ = self._ranking(signal).reach(pod, most, unseen)
        if not count:
            return {}
        line = self._lines.get(signal)
        if line is None:
            line = self._lines[signal] = self._line(signal)
        return self._others(pod, line.first(count, line.at.get((pod.key, ""), len(line.plain))))

    def _others(self, pod: Pod, found: dict[str, Victim]) -> dict[str, Victim]:
        """Without the workload's own."""
        for key in self._of_owner[pod.owner]:
            found.pop(key, None)
        return found

    def _line(self, signal: Signal) -> _Line:
        order = self._ranking(signal).order
        over: list[int | None] = [None] * len(order)
        if signal == "memory":
            over = [caps.memory_use(one)[0] - caps.asked(one, "memory") for one in order]
        return _Line("evicted", [(one, "") for one in order], over)

    @cached_property
    def _lines(self) -> dict[Signal, _Line]:
        return {}

    @cached_property
    def _killing(self) -> _Line:
        order = self._weighing.order
        return _Line("killed", [(one.pod, one.part.name) for one in order], [o.use for o in order])

    @cached_property
    def _owners(self) -> dict[str, str]:
        """The workloads of the pods, by key."""
        return {pod.key: pod.owner for pod in self.pods}

    @cached_property
    def _of_owner(self) -> dict[str, list[str]]:
        """The keys of each workload's pods here."""
        found: dict[str, list[str]] = {}
        for pod in self.pods:  # files may hold a pod of the name that a workload gives to its own
            found.setdefault(pod.owner, []).append(pod.key)
        return found

    def _storage(self, pod: Pod) -> caps.Storage:
        found = self._storages.get(pod.key)
        if found is None:
            found = self._storages[pod.key] = caps.storage(pod)
        return found

    @cached_property
    def _storages(self) -> dict[str, caps.Storage]:
        return {}

    def _fills(self, held: caps.Storage) -> bool:
        """Whether a disk can be full before the kubelet looks at it."""
        left, room = self._left
        most = held.disk.most
        return left < held.overshoot and (most is None or most >= room + left)

    @cached_property
    def _left(self) -> tuple[int, int]:
        """The disk's threshold, and what is left above it, in bytes."""
        left = evict.threshold(self.node, "disk") or 0
        return left, self._ranking("disk").room or 0

    def _everybody(self, pod: Pod, effect: Literal["no fork", "blocked"]) -> dict[str, Victim]:
        return self._others(pod, self._all[effect].copy())

    @cached_property
    def _all(self) -> dict[str, dict[str, Victim]]:
        return {
            effect: {key: Victim(key, owner, effect) for key, owner in self._owners.items()}
            for effect in _FULL
        }

    def doubt(
        self, resource: Resource, guard: Guard | None, victims: Collection[object], known: bool
    ) -> tuple[Exact, tuple[str, ...]]:
        """How sure a finding is. A setting that nobody told decides where there is harm, or no
        guard; beneath a guard that holds, its default is a bound.
        """
        assumed = self._assumed[resource]
        words = assumed if known else (*assumed, USE)
        if not words:
            return "exact", ()
        decides = bool(assumed) and (bool(victims) or guard is None)
        return ("unassessed" if decides else "bound"), words

    @cached_property
    def _assumed(self) -> dict[Resource, tuple[str, ...]]:
        return {
            resource: tuple(sorted(names & self.node.assumed))
            for resource, names in SETTINGS.items()
        }

    def _ranking(self, signal: Signal) -> evict.Ranking:
        made = self._rankings.get(signal)
        if made is None:
            self.sorts += 1
            made = self._rankings[signal] = evict.Ranking(self.node, self.pods, signal)
        return made

    @cached_property
    def _rankings(self) -> dict[Signal, evict.Ranking]:
        return {}

    @cached_property
    def _weighing(self) -> oom.Weighing:
        self.sorts += 1
        return oom.Weighing(self.node, self.pods)

    @cached_property
    def _shares(self) -> share.Shares:
        self.sorts += 1
        return share.Shares(self.node, self.pods, self.demands)

    @cached_property
    def demands(self) -> dict[share.Key, float]:
        """What containers demand of the processor, in thousandths of a core."""
        return {key: float(demand) for key, (demand, _) in self._demands.items()}

    @cached_property
    def _cpu_known(self) -> bool:
        return all(known for _, known in self._demands.values())

    @cached_property
    def _demands(self) -> dict[share.Key, tuple[int, bool]]:
        return {
            (pod.key, part.name): caps.cpu_use(pod, part) for pod in self.pods for part in pod.parts
        }

    @cached_property
    def _memory_known(self) -> bool:
        return not self._ranking("memory").assumed

    @cached_property
    def _pids_known(self) -> bool:
        return all(known for _, known in self._processes.values())

    def _known(self, signal: Literal["disk", "inodes"]) -> bool:
        return not self._ranking(signal).assumed

    @cached_property
    def processes(self) -> int:
        """How many processes the pods have."""
        return sum([count for count, _ in self._processes.values()])

    @cached_property
    def _processes(self) -> dict[str, tuple[int, bool]]:
        """How many processes each pod has, and whether they were counted."""
        return {
            pod.key: (PIDS_EACH * len(pod.parts), False) if used is None else (used, True)
            for pod in self.pods
            for used in (evict.use(pod, "pids"),)
        }
