"""The blast radius of every pod of a large cluster, beside playing each attack out.

Seconds are of CPU, in one thread. What is played out goes round by round, as a kubelet and a kernel
do: everybody is ranked anew for each victim, and the node's processors are shared anew. It comes to
the same victims, or the bench fails.

How many times as fast one is depends on the pods of a node, n: a played attack takes n log n for
each of its victims, and the more pods there are, the more are victims; the engine takes log n and a
step for each victim it names, after one order a node that all its attackers share. The plain way is
given what it can use of the engine's own code (an order, a division of processors), and writes no
report; the engine's seconds hold all from bare pods to scores. So 50 times is asked where nodes are
full, at the 110 pods that a kubelet takes by default, and not at 20 or 30: there a fiftieth of a
played attack is 30 to 60 µs, less than it takes to name its thirty to forty victims in Python with
the order's share of work. There the ratio that is held is told by LEAST, with room for a busy
machine.
"""

from __future__ import annotations

import gc
import resource as system
import time
from collections.abc import Sequence
from random import Random
from typing import Final

import msgspec

from martello.core.cluster import Cluster
from martello.practices.resources.blast import caps
from martello.practices.resources.blast.facade import OF_NODES, World
from martello.practices.resources.blast.model import Resource
from martello.practices.resources.blast.stage import Stage
from martello.practices.resources.node import evict, oom, share
from martello.practices.resources.node.model import Node, Part, Pod, Signal, Use

GI: Final = 2**30
SMALL, FULL, LARGE = (500, 20), (100, 110), (5_000, 30)  # nodes, and pods of each
SECONDS: Final = {SMALL: 5.0, FULL: 5.0, LARGE: 20.0}
LEAST: Final = {SMALL: 10, FULL: 50, LARGE: 15}  # times faster than to play each attack out
MEMORY: Final = 1024  # MiB
SAMPLE: Final = 60


def blast() -> bool:
    """All pods of 10,000, of 11,000 on full nodes, and of 150,000."""
    fine = [_measure(size) for size in (SMALL, FULL, LARGE)]
    return all(fine)


def _measure(size: tuple[int, int]) -> bool:
    gc.disable()  # as the command does
    try:
        nodes, pods = made(*size)
        begun = time.process_time()
        world = World(Cluster(()), pods, nodes)
        score = max(world.blast(owner, "container").score for owner in world.owners)
        seconds = time.process_time() - begun
        sorts = max(stage.sorts for stage in world.stages.values())
        peak = system.getrusage(system.RUSAGE_SELF).ru_maxrss / 1024
        plain = _plain(world, pods) / (seconds / len(pods))
    finally:
        gc.enable()
    print(f"  blast: {len(pods):,} pods on {len(nodes):,} nodes: {seconds:.2f} s, {peak:.0f} MiB,")
    print(f"    at most {sorts} orders a node; the highest score is {score:.1f};")
    print(f"    {plain:.0f} times as fast as playing {SAMPLE} attacks out round by round")
    return (
        seconds <= SECONDS[size]
        and peak <= MEMORY
        and plain >= LEAST[size]
        and sorts <= len(OF_NODES)
    )


def _plain(world: World, pods: Sequence[Pod]) -> float:
    """Seconds of an attack that is played out, on average."""
    sample = pods[:: len(pods) // SAMPLE][:SAMPLE]
    begun = time.process_time()
    found = [_played(world.stages[pod.node], pod) for pod in sample]
    seconds = (time.process_time() - begun) / SAMPLE
    for pod, victims in zip(sample, found, strict=True):
        for resource, keys in victims.items():
            named = world.stages[pod.node].by(resource, pod).victims
            assert set(keys) == set(named), f"{pod.key} by {resource}"
    return seconds


def _played(stage: Stage, pod: Pod) -> dict[Resource, list[str]]:
    """Whom one pod hurts, by resource."""
    node, pods, held = stage.node, stage.pods, caps.storage(pod)
    return {
        "memory": [
            *_rounds(node, pods, pod, "memory", caps.memory(pod).most),
            *_kills(node, pods, pod),
        ],
        "disk": _rounds(node, pods, pod, "disk", held.disk.most),
        "inodes": _rounds(node, pods, pod, "inodes", held.inodes.most),
        "pids": _forks(node, pods, pod),
        "cpu": _starved(node, pods, pod),
    }


def _forks(node: Node, pods: Sequence[Pod], attacker: Pod) -> list[str]:
    """Until the table of processes is full."""
    others = [one for one in pods if one.key != attacker.key]
    left = node.pids - sum(evict.use(one, "pids") or 0 for one in others)
    full = node.pod_pids is None or node.pod_pids >= left
    return [one.key for one in others] if full else []


def _starved(node: Node, pods: Sequence[Pod], attacker: Pod) -> list[str]:
    demands = {(one.key, one.parts[0].name): float(one.parts[0].use.cpu or 0) for one in pods}
    calm = share.served(node, pods, demands)
    own = (attacker.key, attacker.parts[0].name)
    stormy = share.served(node, pods, {**demands, own: float("inf")})
    return [key[0] for key in demands if key != own and stormy[key] < calm[key] - share.NOISE]


def _rounds(
    node: Node, pods: Sequence[Pod], attacker: Pod, signal: Signal, cap: int | None
) -> list[str]:
    """Grows until the threshold is crossed, ranks everybody, lets the first go, and again."""
    here, gone = list(pods), list[str]()
    while True:
        room = evict.room(node, here, signal)
        if room is None:
            return gone
        need = (evict.use(attacker, signal) or 0) + room + 1
        if cap is not None and need > cap:
            return gone
        grown = _grown(attacker, signal, need)
        order = evict.order(
            node, [grown if one.key == attacker.key else one for one in here], signal
        )
        if not order or order[0].key == attacker.key:
            return gone
        gone.append(order[0].key)
        here = [one for one in here if one.key != order[0].key]


def _grown(pod: Pod, signal: Signal, need: int) -> Pod:
    (part,) = pod.parts
    use = msgspec.structs.replace(part.use, **{signal: need})
    return msgspec.structs.replace(pod, parts=(msgspec.structs.replace(part, use=use),))


def _kills(node: Node, pods: Sequence[Pod], attacker: Pod) -> list[str]:
    here, gone = list(pods), list[str]()
    limit = caps.limited(attacker.parts[0], "memory")
    while True:
        found = oom.kills(node, here, attacker, attacker.parts[0], limit)
        if not found.victims:
            return gone
        first = found.victims[0].pod.key
        gone.append(first)
        here = [one for one in here if one.key != first]


def made(count: int, each: int, seed: int = 1) -> tuple[list[Node], list[Pod]]:
    """Nodes and pods of which everything was measured; workloads have three replicas."""
    random = Random(seed)
    size = {"cpu": 32_000, "memory": 64 * GI * 1000, "pods": 110_000}
    nodes = [
        Node(
            name=f"node-{at}",
            capacity=size,
            allocatable=size,
            reserved={"memory": GI * 1000},
            eviction={
                "memory.available": 100 * 2**20,
                "nodefs.available": 10 * GI,
                "nodefs.inodesFree": 300_000,
            },
            pod_pids=4096 if at % 2 else None,
            disk=100 * GI,
            inodes=6_000_000,
        )
        for at in range(count)
    ]
    return nodes, [_pod(at, count, random) for at in range(count * each)]


def _pod(at: int, nodes: int, random: Random) -> Pod:
    memory = random.choice((0, 64, 128, 256, 1024)) * 2**20
    cpu = random.choice((0, 50, 100, 500))
    asked = {name: n for name, n in (("cpu", cpu), ("memory", memory * 1000)) if n}
    limits = {"memory": memory * 2000} if memory and random.random() < 0.5 else {}
    used = random.randrange(10, 1200) * 2**20
    use = Use(
        cpu=random.randrange(0, 1500),
        memory=min(used, 2 * memory) if limits else used,
        pids=random.randrange(1, 100),
        disk=random.randrange(0, GI),
        inodes=random.randrange(0, 5000),
    )
    return Pod(
        f"space-{at // 3 % 200}",
        f"pod-{at}",
        f"deploy/w-{at // 3}",
        (Part("app", asked, limits, use),),
        asked,
        limits,
        "Burstable" if asked or limits else "BestEffort",
        priority=random.choice((0, 0, 0, 1000)),
        node=f"node-{at % nodes}",
    )
