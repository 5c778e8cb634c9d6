"""What resources take: admission of many pods, beside a plain way to do it.

Seconds are of CPU: every part runs in one thread. A section is named by its word.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any, Final

from bench import blast
from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, Resource, resource_of
from martello.practices.resources.admission.server import Server

Raw = dict[str, Any]
PODS, SPACES, SAMPLE = 100_000, 500, 1_000


def admit() -> bool:
    """100,000 pods into 500 namespaces with LimitRanges and quotas, each charged for what it is."""
    pods = [resource_of(raw, Nowhere()) for raw in made(PODS, SPACES)]
    world = Cluster(bounds(SPACES), name="bench")
    begun = time.process_time()
    server = Server(world)
    codes = [server.admit(pod).code for pod in pods]
    seconds = time.process_time() - begun
    let_in = codes.count(201)
    print(f"  admit: {PODS:,} pods into {SPACES} namespaces with quotas: {seconds:.2f} s,")
    print(f"    {let_in:,} let in, {len(codes) - let_in:,} refused")
    some = [i for i in range(PODS) if i % SPACES < SAMPLE * SPACES // PODS]
    plain = _plain([pods[i] for i in some], [codes[i] for i in some])
    ratio = plain / (seconds * len(some) / PODS)
    print(f"    {ratio:.0f} times as fast as counting a namespace anew for each of its pods")
    return seconds <= 10 and ratio >= 20


def _plain(pods: list[Resource], codes: list[int]) -> float:
    """The plain way: for each pod the namespace's objects are read, and all pods that were let in
    are counted again.
    """
    begun = time.process_time()
    let_in: dict[str, list[Resource]] = {}
    for pod, code in zip(pods, codes, strict=True):
        space = pod.ref.namespace
        number = int(space.rpartition("-")[2])
        world = Cluster(_bounds(number), name="bench")
        server = Server(world)
        for other in let_in.get(space, ()):
            server.admit(other)
        assert server.admit(pod).code == code
        if code == 201:
            let_in.setdefault(space, []).append(pod)
    return time.process_time() - begun


def bounds(spaces: int) -> list[Resource]:
    """What bounds so many namespaces."""
    return [resource for number in range(spaces) for resource in _bounds(number)]


def _bounds(number: int) -> Iterator[Resource]:
    space = f"space-{number}"
    hard = {
        "requests.cpu": "120",
        "requests.memory": "170Gi",
        "limits.memory": "200Gi",
        "pods": "190",
        "count/pods": "400",
    }
    idle = {"spec": {"hard": {"pods": "10"}, "scopes": ["BestEffort"]}}
    quota = {"spec": {"hard": hard}}
    item = {
        "type": "Container",
        "default": {"memory": "512Mi"},
        "defaultRequest": {"cpu": "100m", "memory": "256Mi"},
        "max": {"memory": "2Gi"},
    }
    limits = {"spec": {"limits": [item]}}
    for kind, name, raw in (
        ("ResourceQuota", "compute", quota),
        ("ResourceQuota", "idle", idle),
        ("LimitRange", "defaults", limits),
    ):
        metadata = {"name": name, "namespace": space}
        whole: Raw = {"apiVersion": "v1", "kind": kind, "metadata": metadata, **raw}
        if kind == "ResourceQuota":
            given = whole["spec"]["hard"]
            whole["status"] = {"hard": given, "used": dict.fromkeys(given, "0")}
        yield resource_of(whole, Nowhere(), "bench")


def made(count: int, spaces: int) -> Iterator[Raw]:
    """Pods with one to three containers, some of which leave amounts out."""
    choice = Random(7)
    cpus = ("50m", "100m", "250m", "0.5", "1")
    sizes = ("64Mi", "128Mi", "256M", "1Gi", "1536Mi")
    for index in range(count):
        containers = []
        for number in range(choice.randint(1, 3)):
            resources: Raw = {}
            if choice.random() < 0.7:
                size = choice.choice(sizes)
                resources = {
                    "requests": {"cpu": choice.choice(cpus), "memory": size},
                    "limits": {"memory": size},
                }
            image = f"registry.example.com/app:{index % 50}"
            containers.append({"name": f"c{number}", "image": image, "resources": resources})
        metadata = {"name": f"pod-{index}", "namespace": f"space-{index % spaces}"}
        spec = {"containers": containers}
        yield {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


SECTIONS: Final[Mapping[str, Callable[[], bool]]] = {"admit": admit, "blast": blast.blast}


def main() -> int:
    """Prints the figures of the sections that are named, or of all; 1 where one misses a limit."""
    print("  resources")
    named = [word for word in sys.argv[1:] if word in SECTIONS] or list(SECTIONS)
    fine = [SECTIONS[name]() for name in named]
    print()
    return 0 if all(fine) else 1


if __name__ == "__main__":
    sys.exit(main())
