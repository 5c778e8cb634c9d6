"""The blast radius of every pod of a large cluster, beside playing each attack out.

Seconds are of CPU, in one thread. What is played out goes round by round, as a kubelet and a kernel
do: everybody is ranked anew for each victim, and the node's processors are shared anew.
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
from martello.practices.resources.node import evict, oom, share
from martello.practices.resources.node.model import Node, Part, Pod, Signal, Use

GI: Final = 2**30
SMALL, LARGE = (500, 20), (5_000, 30)  # nodes, and pods of each
SECONDS: Final = {SMALL: 5.0, LARGE: 20.0}
MEMORY: Final = 1024  # MiB
LEAST: Final = 50  # times faster than to play each attack out
SAMPLE: Final = 60


def blast() -> bool:
    """All pods of 10,000 and of 150,000."""
    fine = [_measure(size) for size in (SMALL, LARGE)]
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
    return seconds <= SECONDS[size] and peak <= MEMORY and plain >= LEAST and sorts <= len(OF_NODES)


def _plain(world: World, pods: Sequence[Pod]) -> float:
    """Seconds of an attack that is played out, on average."""
    begun = time.process_time()
    for pod in pods[:: len(pods) // SAMPLE][:SAMPLE]:
        stage = world.stages[pod.node]
        _rounds(stage.node, stage.pods, pod, "memory", caps.memory(pod).most)
        held = caps.storage(pod)
        _rounds(stage.node, stage.pods, pod, "disk", held.disk.most)
        _rounds(stage.node, stage.pods, pod, "inodes", held.inodes.most)
        _kills(stage.node, stage.pods, pod)
        demands = dict(stage.demands)
        share.served(stage.node, stage.pods, demands)
        demands[(pod.key, pod.parts[0].name)] = float("inf")
        share.served(stage.node, stage.pods, demands)
    return (time.process_time() - begun) / SAMPLE


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
