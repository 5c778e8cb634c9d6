"""One node over time: what is allotted, killed, evicted and refused while an attacker plays.

An oracle for the blast radius, written after documented behaviour and not after Martello: events in
a queue, processes with their own memory, groups with limits, a kernel that kills the worst process
below the limit that was met, a kubelet that looks every ten seconds and evicts one pod.

Sources: the kernel's cgroup-v1/memory.rst and mm/oom_kill.c (badness), cgroup-v1/pids.rst, and the
pages "Node-pressure Eviction", "Reserve Compute Resources", "Process ID Limits" and "Local
ephemeral storage" of Kubernetes. Equals are taken in random order, as both may.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from martello.practices.resources.node.model import CRITICAL, Node, Pod

TICK = 10.0  # s between two looks of the kubelet
MEASURED = 60.0  # s between two measurements of volumes on disk (volumeStatsAggPeriod)
RATE = 200 << 20  # bytes a second that the disk takes
AGAIN = 10.0  # s until a killed container runs again


@dataclass(eq=False)
class Process:
    """One process: its memory counts where it runs."""

    box: Box
    held: int = 0
    alive: bool = True


@dataclass(eq=False)
class Box:
    """A container: its processes, and what it may hold."""

    place: Place
    name: str
    limit: int | None
    adjust: int
    processes: list[Process] = field(default_factory=list)
    disk: int = 0
    disk_limit: int | None = None
    held: int = 0  # bytes of all its processes


@dataclass(eq=False)
class Place:
    """A pod on the node: containers, volumes of memory, what the kubelet last measured."""

    pod: Pod
    limit: int | None
    disk_limit: int | None
    boxes: list[Box] = field(default_factory=list)
    tmpfs: dict[str, int] = field(default_factory=dict)
    forked: int = 0
    files: int = 0  # bytes in volumes on disk
    seen: int = 0  # what was last measured of them
    gone: bool = False

    @property
    def held(self) -> int:
        """Bytes of memory: files in it outlive who wrote them."""
        return sum([b.held for b in self.boxes]) + sum(self.tmpfs.values())

    @property
    def disk(self) -> int:
        """Bytes on disk."""
        return self.files + sum([b.disk for b in self.boxes])

    @property
    def measured(self) -> int:
        """Bytes on disk, as far as the kubelet knows: the runtime tells of the layers every ten
        seconds, volumes are walked through every minute.
        """
        return self.seen + sum([b.disk for b in self.boxes])


def adjustment(pod: Pod, request: int, capacity: int) -> int:
    """oom_score_adj of a container that requests so many bytes."""
    if pod.priority >= CRITICAL or pod.qos == "Guaranteed":
        return -997
    if pod.qos == "BestEffort":
        return 1000
    return min(max(1000 - 1000 * request // capacity, 3), 999)


class Machine:
    """A node on which the pods use what they were measured to use, and one of them attacks."""

    def __init__(self, node: Node, pods: Sequence[Pod], attacker: str, chance: random.Random):
        self.node, self.chance, self.now = node, chance, 0.0
        self.capacity = node.capacity["memory"] // 1000
        self.system = node.used_by_system.memory or 0
        self.kubepods = None
        if node.pods_enforced:
            self.kubepods = self.capacity - node.reserved.get("memory", 0) // 1000
        self.harmed: dict[str, list[str]] = {"memory": [], "disk": [], "pids": []}
        self.most = {"memory": 0, "pids": 0, "disk": 0}
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._pressed: dict[str, int] = {}
        self.places = [self._place(pod) for pod in pods]
        self.attacker = next(p for p in self.places if p.pod.key == attacker)
        self.looks = chance.uniform(0.1, TICK)  # when the kubelet looks for the first time
        self.at(self.looks, self._look)
        self.at(chance.uniform(0.1, TICK), self._measure)

    def _place(self, pod: Pod) -> Place:
        def whole(name: str) -> int | None:
            if all(part.limits.get(name) for part in pod.parts):
                return pod.limit[name] // 1000
            return None

        place = Place(pod, whole("memory"), whole("ephemeral-storage"))
        for part in pod.parts:
            limit = part.limits.get("memory")
            adjust = adjustment(pod, part.requests.get("memory", 0) // 1000, self.capacity)
            box = Box(place, part.name, limit and limit // 1000, adjust)
            disk = part.limits.get("ephemeral-storage")
            box.disk, box.disk_limit = part.use.disk or 0, disk and disk // 1000
            box.processes.append(Process(box, part.use.memory or 0))
            box.held = part.use.memory or 0
            place.forked += part.use.pids or 1
            place.boxes.append(box)
        return place

    # The clock

    def at(self, wait: float, deed: Callable[[], None]) -> None:
        """Does something later."""
        self._count += 1
        heapq.heappush(self._events, (self.now + wait, self._count, deed))

    def run(self, until: float) -> None:
        """Lets time pass."""
        while self._events and self._events[0][0] <= until:
            self.now, _, deed = heapq.heappop(self._events)
            deed()
        self.now = until

    # The kernel

    def used(self) -> int:
        """Bytes of all pods."""
        return sum([p.held for p in self.places])

    def room(self) -> int:
        """Bytes until the kernel has to kill somebody."""
        bounds = [self.capacity - self.system]
        if self.kubepods is not None:
            bounds.append(self.kubepods)
        return min(bounds) - self.used()

    def free(self, process: Process, size: int) -> None:
        """A process gives so many bytes back."""
        process.held -= size
        process.box.held -= size

    def take(self, process: Process, size: int) -> bool:
        """A process touches so many bytes more; whether it lives and got them."""
        while process.alive and (scope := self._short(process.box, size)):
            bound, within = scope
            if not self._kill(within, bound):
                return False
        if process.alive:
            process.held += size
            process.box.held += size
            self._mark()
        return process.alive

    def write_memory(self, box: Box, volume: str, size: int) -> bool:
        """A process of a container writes into a volume of memory."""
        kept = next(v for v in box.place.pod.volumes if v.name == volume)
        writer = next((p for p in box.processes if p.alive), None)
        top = self.capacity // 2  # a size limit does not bound it before 1.22
        if self.node.kubernetes >= 22:
            top = kept.limit if kept.limit is not None else self.capacity
        if writer is None or box.place.tmpfs.get(volume, 0) + size > top:
            return False
        if not self.take(writer, size):
            return False
        self.free(writer, size)
        box.place.tmpfs[volume] = box.place.tmpfs.get(volume, 0) + size
        return True

    def _short(self, box: Box, size: int) -> tuple[int, list[Box]] | None:
        """The first limit on the way up that the size does not fit in, and who is below it."""
        place = box.place
        if box.limit is not None and box.held + size > box.limit:
            return box.limit, [box]
        if place.limit is not None and place.held + size > place.limit:
            return place.limit, place.boxes
        everyone = [b for p in self.places for b in p.boxes]
        if self.kubepods is not None and self.used() + size > self.kubepods:
            return self.kubepods, everyone
        if self.used() + self.system + size > self.capacity:
            return self.capacity, everyone
        return None

    def _kill(self, boxes: list[Box], bound: int) -> bool:
        found = [(p.held + b.adjust * bound // 1000, p) for b in boxes for p in b.processes]
        if not found:
            return False
        most = max([points for points, _ in found])
        worst = self.chance.choice([p for points, p in found if points == most])
        worst.alive = False
        worst.box.processes.remove(worst)
        worst.box.held -= worst.held
        place = worst.box.place
        if place is not self.attacker:
            self.harmed["memory"].append(place.pod.key)
        if not worst.box.processes:
            held = worst.held if place is not self.attacker else 0
            self.at(AGAIN, lambda: self._restart(worst.box, held))
        return True

    def _restart(self, box: Box, held: int) -> None:
        if box.place.gone or box.processes:
            return
        again = Process(box)
        box.processes.append(again)
        self.take(again, held)

    def fork(self, place: Place, count: int = 1) -> int:
        """Forks; how many there came to be."""
        free = self.node.pids - self.node.reserved_pids - sum(p.forked for p in self.places)
        if place is not self.attacker and free < count:
            self.harmed["pids"].append(place.pod.key)
        if self.node.pod_pids is not None:
            free = min(free, self.node.pod_pids - place.forked)
        made = max(min(count, free), 0)
        place.forked += made
        self._mark()
        return made

    def write(self, box: Box, size: int, *, volume: bool) -> bool:
        """Writes to the container's layer, or to a volume on disk; False where that is full."""
        left = self.left("disk")
        assert left is not None
        if size > left:
            return False
        if volume:
            box.place.files += size
        else:
            box.disk += size
        self._mark()
        return True

    def _mark(self) -> None:
        own = self.attacker
        for name, value in (("memory", own.held), ("pids", own.forked), ("disk", own.disk)):
            self.most[name] = max(self.most[name], value)

    # The kubelet

    def _measure(self) -> None:
        for place in self.places:
            place.seen = place.files
        self.at(MEASURED, self._measure)

    def _look(self) -> None:
        self.at(TICK, self._look)
        over = [p for p in self.places if self._over_own(p) and not self._kept(p)]
        if over:
            for place in over:
                self._evict(place, "disk")
            return
        for signal in ("memory", "pods", "disk", "pids"):
            if self._pressing(signal):
                ranked = self._ranked(signal)
                if ranked:
                    self._evict(ranked[0], "memory" if signal == "pods" else signal)
                    return

    def _over_own(self, place: Place) -> bool:
        limits = [(place.disk_limit, place.measured)]
        limits += [(b.disk_limit, b.disk) for b in place.boxes]
        limits += [(v.limit, place.seen) for v in place.pod.volumes if not v.memory]
        return any(limit is not None and used > limit for limit, used in limits)

    def left(self, signal: str) -> int | None:
        """What is left of memory (of the node, or of its `pods`), disk and process ids."""
        node = self.node
        if signal == "memory":
            return self.capacity - self.system - self.used()
        if signal == "pods":
            return None if self.kubepods is None else self.kubepods - self.used()
        if signal == "disk":
            taken = sum(p.disk for p in self.places) + (node.used_by_system.disk or 0)
            return None if node.disk is None else node.disk - taken
        return node.pids - sum(p.forked for p in self.places) - (node.used_by_system.pids or 0)

    def _pressing(self, signal: str) -> bool:
        name = SIGNALS[signal]
        left = self.left(signal)
        hard, soft = self.node.eviction.get(name), self.node.soft.get(name)
        if left is None:
            return False
        if hard is not None and left < hard:
            return True
        self._pressed[signal] = self._pressed.get(signal, 0) + 1 if left < (soft or 0) else 0
        return self._pressed[signal] > 3

    def _kept(self, place: Place) -> bool:
        return place.pod.static or place.pod.priority >= CRITICAL

    def _ranked(self, signal: str) -> list[Place]:
        places = [p for p in self.places if not self._kept(p)]
        self.chance.shuffle(places)
        if signal == "pids":
            return sorted(places, key=lambda p: (p.pod.priority, -p.forked))
        name = "ephemeral-storage" if signal == "disk" else "memory"

        def rank(place: Place) -> tuple[bool, int, int]:
            used = place.measured if signal == "disk" else place.held
            excess = used - place.pod.request.get(name, 0) // 1000
            return excess <= 0, place.pod.priority, -excess

        return sorted(places, key=rank)

    def _evict(self, place: Place, resource: str) -> None:
        place.gone = True
        for box in place.boxes:
            for process in box.processes:
                process.alive = False
            box.processes.clear()
            box.disk = box.held = 0
        place.tmpfs.clear()
        place.forked = place.files = 0
        self.places.remove(place)
        if place is not self.attacker:
            self.harmed[resource].append(place.pod.key)


SIGNALS = {
    "memory": "memory.available",
    "pods": "memory.available",
    "disk": "nodefs.available",
    "pids": "pid.available",
}
