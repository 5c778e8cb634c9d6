"""Small random nodes, and what takes hold of one container on them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.support.resources.simulator import RATE, TICK, Machine, Process

from martello.practices.resources.amounts import Amounts
from martello.practices.resources.node.model import Class, Node, Part, Pod, Use, Volume

MI = 1 << 20
PAGE = 4096
NAMES = ("cpu", "memory", "ephemeral-storage")


@dataclass(frozen=True)
class World:
    """A node, its pods, and which container of which pod attacks."""

    node: Node
    pods: tuple[Pod, ...]
    attacker: Pod
    part: Part


def qos(parts: tuple[Part, ...]) -> Class:
    """The class of a pod, by its definition."""
    asked = [p.requests.get(n) or p.limits.get(n) for p in parts for n in NAMES[:2]]
    if not any(asked):
        return "BestEffort"
    same = all(
        p.limits.get(n) and p.requests.get(n) == p.limits[n] for p in parts for n in NAMES[:2]
    )
    return "Guaranteed" if same else "Burstable"


def pod(name: str, *parts: Part, **changes: object) -> Pod:
    """A pod of such containers."""
    request: Amounts = {}
    for part in parts:
        for one, amount in part.requests.items():
            request[one] = request.get(one, 0) + amount
    limit = {n: sum(p.limits[n] for p in parts) for n in NAMES if all(n in p.limits for p in parts)}
    made = {"node": "node", "workload": f"deploy/{name}", "qos": qos(parts), **changes}
    volumes: Any = made.get("volumes", ())
    mounts = [{"name": v.name, "mountPath": f"/{v.name}"} for v in volumes]
    made["raw"] = {
        "spec": {"containers": [{"name": p.name, "volumeMounts": mounts} for p in parts]}
    }
    return Pod("shop", name, parts=parts, request=request, limit=limit, **made)  # type: ignore[arg-type]


def world(chance: random.Random) -> World:
    """A node that is at peace while nobody attacks: no threshold is crossed."""
    memory = chance.randint(512, 4096)
    disk = chance.choice([500, 2000, 30_000])
    reserved = chance.choice([0, 0, 64, 256])
    system = chance.randint(0, max(reserved, 32))
    eviction = {"memory.available": 100 * MI, "nodefs.available": disk * MI // 10}
    soft: dict[str, int] = {}
    if chance.random() < 0.3:
        eviction["pid.available"] = chance.randint(20, 100)
    if chance.random() < 0.2:
        eviction.pop("memory.available")
    if chance.random() < 0.2:
        soft["memory.available"] = 150 * MI
    cores = chance.choice([1000, 1000, 2000])
    capacity = {"cpu": cores, "memory": memory * MI * 1000}
    node = Node(
        "node",
        capacity,
        capacity,
        reserved={"memory": reserved * MI * 1000},
        eviction=eviction,
        soft=soft,
        pod_pids=chance.choice([None, None, 100, 300]),
        pids=500,
        reserved_pids=chance.choice([0, 50]),
        disk=disk * MI,
        cgroup=1,
        kubernetes=chance.choice([20, 30]),
        pods_enforced=chance.random() < 0.8,
        used_by_system=Use(cpu=0, memory=system * MI, pids=0, disk=0, inodes=0),
    )
    free = memory - max(reserved, system) - 200
    count = chance.randint(1, 6)
    pods = [_pod(chance, n, free // (count + 1), disk // (2 * count + 2)) for n in range(count + 1)]
    attacker = chance.choice(pods)
    return World(node, tuple(pods), attacker, chance.choice(attacker.parts))


def _pod(chance: random.Random, number: int, memory: int, disk: int) -> Pod:
    parts = []
    kind = chance.choice(["none", "some", "some", "same"])
    count = chance.choice([1, 1, 2])
    for one in range(count):
        use = Use(
            cpu=chance.choice([0, 50, 200, 400]),
            memory=chance.randint(0, memory // count) * MI,
            pids=chance.randint(1, 20),
            disk=chance.randint(0, disk // count) * MI,
            inodes=1,
        )
        requests: Amounts = {}
        limits: Amounts = {}
        if kind != "none":
            asked = chance.choice([0, (use.memory or 0) // 2, use.memory or 0, memory * MI])
            requests = {"cpu": chance.choice([10, 100, 500]), "memory": asked * 1000}
            if chance.random() < 0.4:
                most = max(asked, use.memory or 0, MI) + chance.choice([1, 16, 4096]) * MI
                limits["memory"] = most * 1000
            if chance.random() < 0.4:
                limits["cpu"] = max(requests["cpu"], use.cpu or 0)
        if kind == "same":
            limits |= {"cpu": max(requests["cpu"], use.cpu or 0)}
            limits |= {"memory": max(requests["memory"], ((use.memory or 0) + MI) * 1000)}
            requests |= limits
        if chance.random() < 0.3:
            requests["ephemeral-storage"] = chance.randint(0, disk) * MI * 1000
        if chance.random() < 0.3:
            most = max(requests.get("ephemeral-storage", 0), ((use.disk or 0) + 5 * MI) * 1000)
            limits["ephemeral-storage"] = most
        parts.append(Part(f"c{one}", {k: v for k, v in requests.items() if v}, limits, use))
    volumes: tuple[Volume, ...] = ()
    if chance.random() < 0.2:
        volumes += (Volume("shm", True, chance.choice([None, 32 * MI, 4096 * MI])),)
    if chance.random() < 0.4:
        volumes += (Volume("files", False, chance.choice([None, None, 100 * MI])),)
    priority = chance.choice([0, 0, 0, 100, 1000, 2_000_001_000])
    return pod(f"p{number}", *parts, priority=priority, volumes=volumes)


class Attacker:
    """A program in one container: it grows, splits, shrinks, sleeps, writes and forks."""

    def __init__(self, machine: Machine, part: str, chance: random.Random) -> None:
        self.machine, self.chance = machine, chance
        self.box = next(b for b in machine.attacker.boxes if b.name == part)
        deeds: list[Callable[[], None]] = [
            *(self._grow, self._split, self._shrink, self._aim, self._aim, self._fill),
            *(self._write, self._delete, self._fork, self._exit, self._memory_file, self._probe),
        ]
        self.deeds = chance.sample(deeds, chance.randint(2, len(deeds)))
        self.pace = chance.choice([2.0, 5.0, TICK])
        self.writes = False
        machine.at(0.0, self._act)

    def _act(self) -> None:
        if self.machine.attacker.gone:
            return
        for _ in range(self.chance.choice([1, 1, 4])):
            if self.box.processes and not self.machine.attacker.gone:
                self.chance.choice(self.deeds)()
        self.machine.at(self.chance.expovariate(1 / self.pace), self._act)

    def _one(self) -> Process:
        return self.chance.choice(self.box.processes)

    def _new(self) -> Process:
        made = Process(self.box)
        self.box.processes.append(made)
        return made

    def _grow(self) -> None:
        self.machine.take(self._one(), self.chance.randint(0, self.machine.capacity // 4))

    def _split(self) -> None:
        """So many small processes that none of them stands out, until somebody dies of it."""
        step = self.machine.capacity // self.chance.choice([20, 40])
        for _ in range(40):
            if len(self.box.processes) >= 40 or not self.machine.take(self._new(), step):
                return

    def _shrink(self) -> None:
        one = self._one()
        self.machine.free(one, self.chance.choice([one.held, one.held // 2]))

    def _clear(self) -> None:
        for one in self.box.processes:
            self.machine.free(one, one.held)
        self.machine.attacker.tmpfs.clear()

    def _aim(self) -> None:
        """Exactly as much as crosses a threshold."""
        self._clear()
        own = self.machine
        signal = self.chance.choice(["memory", "pods"])
        left, wanted = own.left(signal), own.node.eviction.get("memory.available")
        if self.chance.random() < 0.5:
            wanted = own.node.soft.get("memory.available", wanted)
        if left is not None and wanted is not None:
            own.take(self._one(), max(left - wanted + self.chance.choice([0, 1, 1, MI]), 0))

    def _fill(self) -> None:
        """All of the node, by small processes, one after the other."""
        self._split()
        self._split()
        self._probe()

    def _memory_file(self) -> None:
        """Fills volumes in memory to the brim, then all others want a little more."""
        for volume in self.box.place.pod.volumes:
            step = self.machine.capacity // self.chance.choice([8, 50])
            while volume.memory and self.machine.write_memory(
                self.box, volume.name, min(step, self.machine.room()) or PAGE
            ):
                pass
        self._probe()

    def _write(self) -> None:
        left = self.machine.left("disk")
        wanted = self.machine.node.eviction["nodefs.available"]
        exact = max((left or 0) - wanted + 1, 0)
        size = self.chance.choice([exact, exact, 10 * MI, 100 * MI])
        volumes = [v for v in self.box.place.pod.volumes if not v.memory]
        if not self.writes:
            self.writes = True
            self._write_on(size, volume=bool(volumes) and self.chance.random() < 0.7)

    def _write_on(self, size: int, *, volume: bool) -> None:
        """Second by second, as fast as the disk takes it."""
        now = min(size, RATE)
        if (
            self.machine.attacker.gone
            or not now
            or not (self.machine.write(self.box, now, volume=volume))
        ):
            self.writes = False
            return
        self.machine.at(1.0, lambda: self._write_on(size - now, volume=volume))

    def _delete(self) -> None:
        self.box.disk = self.box.place.files = 0

    def _fork(self) -> None:
        left, wanted = self.machine.left("pids"), self.machine.node.eviction.get("pid.available")
        exact = max((left or 0) - (wanted or 0) + 1, 0)
        self.machine.fork(self.box.place, self.chance.choice([1, 10, exact, 10_000]))

    def _exit(self) -> None:
        self.box.place.forked = 1

    def _probe(self) -> None:
        """The others do what programs do: they fork, and take a little memory for a while."""
        for place in list(self.machine.places):
            if place is self.machine.attacker:
                continue
            made = self.machine.fork(place)
            place.forked -= made
            for box in place.boxes:
                for process in list(box.processes):
                    if process.held and self.machine.take(process, PAGE):
                        self.machine.free(process, PAGE)


def attack(found: World, chance: random.Random, seconds: float = 130.0) -> Machine:
    """Lets one random attacker play."""
    machine = Machine(found.node, found.pods, found.attacker.key, chance)
    Attacker(machine, found.part.name, chance)
    machine.run(seconds)
    return machine


def rhythm(chance: random.Random) -> Callable[[int], bool]:
    """When (ms) a program spins and when it sleeps."""
    if chance.random() < 0.4:
        return lambda now: True
    on, off = chance.choice([2, 10, 60, 150]), chance.choice([2, 10, 60, 150])
    return lambda now: now % (on + off) < on
