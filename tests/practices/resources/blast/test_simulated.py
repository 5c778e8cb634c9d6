"""The blast radius against a simulated node under attack: never exceeded, and attained.

`make test-resources` plays more schedules (ROUNDS).
"""

from __future__ import annotations

import math
import os
import random
from dataclasses import replace

import msgspec
import pytest
from tests.support.resources import slices
from tests.support.resources.attackers import MI, World, attack, pod, rhythm, world
from tests.support.resources.simulator import Machine, Process

from martello.core.cluster import Cluster
from martello.practices.resources.amounts import Amounts
from martello.practices.resources.blast import facade
from martello.practices.resources.blast.model import Blast, Harm, Resource
from martello.practices.resources.node.model import Node, Part, Pod, Use, Volume

ROUNDS = int(os.environ.get("ROUNDS") or 300)
CHUNKS = 10
QUIET = Use(cpu=0, memory=MI, pids=1, disk=0, inodes=1)


def _blast(found: World) -> Blast:
    return facade.blast(Cluster([]), found.pods, [found.node], found.attacker.owner)


def _harm(found: World, resource: Resource) -> Harm:
    return next(harm for harm in _blast(found).harms if harm.resource == resource)


def _victims(harm: Harm) -> list[str]:
    return [victim.key for victim in harm.victims]


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_no_attack_exceeds_the_bound(chunk: int) -> None:
    """Whoever is evicted, killed or cannot fork in a random attack is named, and no attacker ever
    holds more than it is said to be able to take.
    """
    hurt = 0
    for seed in range(chunk, ROUNDS, CHUNKS):
        chance = random.Random(seed)
        found = world(chance)
        told: dict[str, Harm] = {harm.resource: harm for harm in _blast(found).harms}
        machine = attack(found, chance)
        for resource, keys in machine.harmed.items():
            beyond = set(keys) - set(_victims(told[resource]))
            assert not beyond, f"seed {seed}: {resource} of {sorted(beyond)}"
            hurt += len(set(keys))
            take = told[resource].take
            assert take is None or machine.most[resource] <= take, f"seed {seed}: {resource}"
    assert hurt > ROUNDS / CHUNKS / 2  # attacks that hurt nobody prove nothing


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_no_spinning_starves_beyond_the_bound(chunk: int) -> None:
    """Slice by slice nobody misses more than was said, but for the size of slices."""
    missed = 0
    for seed in range(chunk, max(ROUNDS // 3, CHUNKS), CHUNKS):
        chance = random.Random(seed)
        found = world(chance)
        ms, beat = 600, rhythm(chance)
        told = {v.key: v.amount or 0 for v in _harm(found, "cpu").victims}
        calm = _pods(found, None, ms)
        had = _pods(found, beat, ms)
        for one in found.pods:
            if one.key == found.attacker.key:
                continue
            slack = 25 + 6 * len(one.parts)  # two to three slices a container
            lost = calm[one.key] - had[one.key]
            missed += lost > slack
            want = sum(part.use.cpu or 0 for part in one.parts)
            if lost > slack:
                assert want - had[one.key] <= told.get(one.key, 0) + 2 * slack, f"seed {seed}"
    assert missed or ROUNDS < 1000


def _pods(found: World, awake: slices.Awake | None, ms: int) -> dict[str, float]:
    attacker = (found.attacker.key, found.part.name)
    got = slices.run(found.node, found.pods, attacker, awake, ms=ms)
    sums: dict[str, float] = {}
    for (key, _), had in got.items():
        sums[key] = sums.get(key, 0.0) + had
    return sums


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_guard_never_raises_the_score(chunk: int) -> None:
    """A limit on a container, a limit of processes on the node: with requests and class as before,
    neither the score nor any victim is added.
    """
    for seed in range(chunk, ROUNDS, CHUNKS):
        chance = random.Random(seed)
        found = world(chance)
        before = _blast(found)
        guarded = _guarded(found, chance)
        after = _blast(guarded)
        assert after.score <= before.score, f"seed {seed}"
        for old, new in zip(before.harms, after.harms, strict=True):
            assert set(_victims(new)) <= set(_victims(old)), f"seed {seed}: {new.resource}"
            assert old.take is None or (new.take is not None and new.take <= old.take)


def _guarded(found: World, chance: random.Random) -> World:
    if chance.random() < 0.3:
        least = min(found.node.pod_pids or 500, chance.choice([50, 100, 200]))
        return replace(found, node=msgspec.structs.replace(found.node, pod_pids=least))
    name = chance.choice(["memory", "cpu", "ephemeral-storage"])
    parts = tuple(_limited(part, name, chance) for part in found.attacker.parts)
    pods = [_with(one, parts) if one.key == found.attacker.key else one for one in found.pods]
    attacker = next(one for one in pods if one.key == found.attacker.key)
    return World(found.node, tuple(pods), attacker, found.part)


def _limited(part: Part, name: str, chance: random.Random) -> Part:
    used = {"memory": part.use.memory, "cpu": part.use.cpu, "ephemeral-storage": part.use.disk}
    unit = 1 if name == "cpu" else 1000
    least = max(part.requests.get(name, 0), (used[name] or 0) * unit, unit)
    limit = min(least * chance.randint(1, 3), part.limits.get(name, least * 3))
    return msgspec.structs.replace(part, limits={**part.limits, name: max(limit, least)})


def _with(one: Pod, parts: tuple[Part, ...]) -> Pod:
    names = set.intersection(*(set(part.limits) for part in parts))
    limit = {name: sum(part.limits[name] for part in parts) for name in names}
    return msgspec.structs.replace(one, parts=parts, limit=limit)


# Constructed attacks that attain the bound


def _node(**changes: object) -> Node:
    capacity: Amounts = {"cpu": 1000, "memory": 1000 * MI * 1000}
    kept: dict[str, object] = {
        "eviction": {"memory.available": 100 * MI, "nodefs.available": 100 * MI},
        "used_by_system": Use(cpu=0, memory=0, pids=0, disk=0, inodes=0),
        "disk": 30_000 * MI,
        "pids": 500,
        "cgroup": 1,
        "kubernetes": 20,
    }
    return Node("node", capacity, capacity, **{**kept, **changes})  # type: ignore[arg-type]


def _one(name: str, *, asks: int = 0, uses: int = 1, priority: int = 0, **more: object) -> Pod:
    """A pod of one container: MiB that it requests and uses."""
    requests: Amounts = {"memory": asks * MI * 1000} if asks else {}
    use = Use(cpu=0, memory=uses * MI, pids=1, disk=0, inodes=1)
    return pod(name, Part("app", requests, {}, use), priority=priority, **more)


def _machine(found: World) -> tuple[Machine, Process]:
    machine = Machine(found.node, found.pods, found.attacker.key, random.Random(1))
    box = next(b for b in machine.attacker.boxes if b.name == found.part.name)
    return machine, box.processes[0]


def test_the_least_that_crosses_the_threshold_evicts_all_that_was_said() -> None:
    """Those over their requests before those of lower rank, and the attacker is never the next."""
    attacker = _one("x", asks=900, priority=100)
    others = [
        _one("over", asks=50, uses=100),
        _one("best", uses=60),
        _one("kept", asks=90, uses=80),
    ]
    found = World(_node(), (attacker, *others), attacker, attacker.parts[0])
    told = _victims(_harm(found, "memory"))
    assert told[:3] == ["shop/best", "shop/over", "shop/kept"]
    machine, process = _machine(found)
    for _ in told:
        left = machine.left("memory")
        assert left is not None
        machine.take(process, max(left - 100 * MI + 1, 0))
        machine.run(machine.now + 10)
    assert machine.harmed["memory"] == told
    assert not machine.attacker.gone


def test_small_processes_let_the_kernel_kill_all_that_was_said() -> None:
    """No threshold: nobody is evicted, the kernel kills by its own order."""
    attacker = _one("x", asks=400)
    others = [_one("best", uses=50), _one("burst", asks=100, uses=90), _one("most", asks=500)]
    node = _node(eviction={"nodefs.available": 100 * MI})
    found = World(node, (attacker, *others), attacker, attacker.parts[0])
    told = _victims(_harm(found, "memory"))
    assert told == ["shop/best", "shop/burst"]
    machine, process = _machine(found)
    for _ in range(990):
        one = Process(process.box)
        process.box.processes.append(one)
        if not machine.take(one, MI):
            break
    assert machine.harmed["memory"] == told


def test_a_fork_bomb_without_a_limit_takes_the_table() -> None:
    attacker, other = _one("x"), _one("other")
    found = World(_node(reserved_pids=100), (attacker, other), attacker, attacker.parts[0])
    harm = _harm(found, "pids")
    machine, _ = _machine(found)
    machine.fork(machine.attacker, 10_000)
    machine.fork(machine.places[1])
    assert machine.harmed["pids"] == _victims(harm) == ["shop/other"]
    assert harm.take is not None
    assert harm.take - 1 <= machine.most["pids"] <= harm.take


def test_writing_slowly_evicts_all_that_was_said() -> None:
    attacker = _one("x", priority=1000)
    small = Use(cpu=0, memory=MI, pids=1, disk=200 * MI, inodes=1)
    asked = {"ephemeral-storage": 100 * MI * 1000}
    over = pod("over", Part("app", asked, {}, small))
    free = pod("free", Part("app", {}, {}, small))
    node = _node(eviction={"nodefs.available": 4000 * MI})
    found = World(node, (attacker, over, free), attacker, attacker.parts[0])
    told = _victims(_harm(found, "disk"))
    assert told == ["shop/free", "shop/over"]
    machine, process = _machine(found)
    for _ in range(4):
        left = machine.left("disk")
        assert left is not None
        machine.write(process.box, max(left - 4000 * MI + 1, 0), volume=False)
        machine.run(machine.now + 10)
    assert machine.harmed["disk"] == told


def test_spinning_takes_what_was_said() -> None:
    """A sibling class with all the weight leaves the beggar its two shares."""
    burst = pod("x", Part("app", {"cpu": 1000}, {}, QUIET))
    use = Use(cpu=500, memory=MI, pids=1, disk=0, inodes=1)
    beggar = pod("beggar", Part("app", {}, {}, use))
    found = World(_node(), (burst, beggar), burst, burst.parts[0])
    (victim,) = _harm(found, "cpu").victims
    had = _pods(found, lambda now: True, 8000)["shop/beggar"]
    assert victim.amount is not None
    assert victim.amount == pytest.approx(500 - had, abs=3)
    assert victim.amount == math.ceil(500 - 1000 * 2 / 1026)


# Found by this simulation


def test_files_in_memory_outlive_their_writer() -> None:
    """A volume in memory is full when its writer is killed, so the kernel kills the next ones, up
    to those of the highest rank (confirmed on a real kernel, node/test_kernel.py).
    """
    shm = (Volume("shm", True, None),)
    use = Use(cpu=0, memory=MI, pids=1, disk=0, inodes=1)
    attacker = pod("x", Part("app", {}, {}, use), volumes=shm)
    whole: Amounts = {"cpu": 100, "memory": 300 * MI * 1000}
    good = pod("good", Part("app", whole, whole, msgspec.structs.replace(use, memory=200 * MI)))
    node = _node(kubernetes=30, reserved={"memory": 100 * MI * 1000})
    found = World(node, (attacker, good), attacker, attacker.parts[0])
    machine, process = _machine(found)
    while machine.write_memory(process.box, "shm", min(50 * MI, machine.room()) or 1):
        pass
    machine.take(machine.places[1].boxes[0].processes[0], 2 * MI)  # its writer left it one
    assert machine.harmed["memory"] == ["shop/good"]
    assert _victims(_harm(found, "memory")) == ["shop/good"]


def test_the_attacker_may_be_in_any_container() -> None:
    """The second container asked for more, so that the kernel spares it longer; its limit is above
    what the node has.
    """
    first = Part("small", {}, {}, QUIET)
    second = Part("large", {"memory": 500 * MI * 1000}, {"memory": 4000 * MI * 1000}, QUIET)
    attacker = pod("x", first, second)
    other = _one("other", asks=100, uses=90)
    node = _node(eviction={"nodefs.available": 100 * MI})
    found = World(node, (attacker, other), attacker, second)
    machine, process = _machine(found)
    for _ in range(990):
        one = Process(process.box)
        process.box.processes.append(one)
        if not machine.take(one, MI):
            break
    assert machine.harmed["memory"] == ["shop/other"]
    assert _victims(_harm(found, "memory")) == ["shop/other"]


def test_nobody_keeps_a_critical_pod_to_its_limit_of_disk() -> None:
    """The kubelet keeps limits of local storage by evicting, and evicts no critical pod
    (`evictPod` of eviction_manager.go: "cannot evict a critical pod").
    """
    limits = {"ephemeral-storage": 100 * MI * 1000}
    attacker = pod("x", Part("app", {}, limits, QUIET), priority=2_000_000_000)
    other = _one("other")
    found = World(_node(), (attacker, other), attacker, attacker.parts[0])
    machine, process = _machine(found)
    for _ in range(140):
        machine.write(process.box, 200 * MI, volume=False)
        machine.run(machine.now + 1)
    assert not machine.attacker.gone
    take = _harm(found, "disk").take
    assert take is None or take >= machine.most["disk"]


def test_volumes_on_disk_are_measured_by_the_minute() -> None:
    """Until a volume has been walked through (volumeStatsAggPeriod, 1 min) its pod ranks as before,
    and may hold more than its limit.
    """
    limits = {"ephemeral-storage": 100 * MI * 1000}
    files = (Volume("files", False, None),)
    attacker = pod("x", Part("app", {}, limits, QUIET), volumes=files)
    small = msgspec.structs.replace(QUIET, disk=MI)
    other = pod("other", Part("app", {}, {}, small))
    node = _node(eviction={"nodefs.available": 27_000 * MI})
    found = World(node, (attacker, other), attacker, attacker.parts[0])
    machine, process = _machine(found)
    machine.run(70)  # measured within the last ten seconds
    for _ in range(40):
        machine.write(process.box, 200 * MI, volume=True)
        machine.run(machine.now + 1)
    assert machine.harmed["disk"] == ["shop/other"]
    harm = _harm(found, "disk")
    assert _victims(harm) == ["shop/other"]
    assert harm.take is None or harm.take >= machine.most["disk"]


def test_the_last_process_id_is_enough() -> None:
    """A limit that leaves the others exactly what they have leaves nobody a fork."""
    attacker, other = _one("x"), _one("other")
    node = _node(pod_pids=499)
    found = World(node, (attacker, other), attacker, attacker.parts[0])
    machine, _ = _machine(found)
    machine.fork(machine.attacker, 10_000)
    machine.fork(machine.places[1])
    assert machine.harmed["pids"] == ["shop/other"]
    assert _victims(_harm(found, "pids")) == ["shop/other"]


def test_the_other_containers_of_its_pod_hold_something_too() -> None:
    """Disk is bounded a pod: what one container may write comes to what the others have."""
    used = msgspec.structs.replace(QUIET, disk=900 * MI)
    limits = {"ephemeral-storage": 1000 * MI * 1000}
    attacker = pod("x", Part("app", {}, limits, QUIET), Part("other", {}, limits, used))
    node = _node(eviction={"nodefs.available": 100 * MI})
    found = World(node, (attacker,), attacker, attacker.parts[0])
    machine, process = _machine(found)
    machine.run(machine.looks)
    while machine.now < machine.looks + 10 and not machine.attacker.gone:
        machine.write(process.box, 200 * MI if process.box.disk else 1000 * MI, volume=False)
        machine.run(machine.now + 1)
    take = _harm(found, "disk").take
    assert take is not None
    assert take >= machine.most["disk"]


def test_what_is_outside_of_pods_may_starve() -> None:
    """A kubelet that says what its node uses itself: that has no name, and nobody crashes."""
    attacker = pod("x", Part("app", {"cpu": 900}, {}, QUIET))
    node = _node(used_by_system=Use(cpu=800, memory=0, pids=0, disk=0, inodes=0))
    found = World(node, (attacker, _one("other")), attacker, attacker.parts[0])
    assert _victims(_harm(found, "cpu")) == []
