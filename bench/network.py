"""The analyser on made clusters: all pairs, one edit, one question, beside a plain evaluator.

Seconds are of CPU: every part runs in one thread.
"""

from __future__ import annotations

import resource as system
import subprocess
import sys
import time
from collections.abc import Iterator
from random import Random
from typing import Any

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, Resource, resource_of
from martello.practices.network.answers.explain import explain
from martello.practices.network.engine.reach import Reach, reach

Raw = dict[str, Any]
TIERS = ("web", "api", "db", "cache", "worker")
SAMPLE = 2_000


def main() -> int:
    """Prints the figures; 1 where one misses its limit."""
    print("  network: all pairs of made clusters, from objects in memory")
    fine = _small()
    for words in (("10000", "100", "5000"), ("100000", "500", "5000")):
        done = subprocess.run([sys.executable, "-m", "bench.network", *words], check=False)
        fine &= done.returncode == 0
    print()
    return 0 if fine else 1


def _small() -> bool:
    objects = list(made(10_000, 100, 500))
    cluster = Cluster([resource_of(one, Nowhere()) for one in objects])
    begun = time.process_time()
    found = reach(cluster)
    built = time.process_time() - begun
    counted = found.count()
    whole = time.process_time() - begun
    print(f"    10,000 pods, 100 namespaces, 500 policies: classes and groups {built:.3f} s,")
    print(f"    with all pairs {whole:.3f} s: {counted.sure:,} of {counted.pairs:,} pass")
    text_seconds = _from_yaml(objects)
    print(f"    from YAML, parsed and counted {text_seconds:.2f} s")
    edited = min(_edit(found, number) for number in range(5))
    explained = _explained(found)
    print(f"    one policy edited {edited * 1e3:.1f} ms, one pair explained {explained:.2f} ms")
    ratio = _beside_plain(objects, found, whole)
    # all that a fix would open is tried and told, which takes the most of an explanation
    return max(whole / 0.6, edited / 0.06, explained / 10, text_seconds / 4) <= 1 and ratio >= 1000


def _from_yaml(objects: list[Raw]) -> float:
    import tempfile
    from pathlib import Path

    import yaml

    from martello.adapters.manifests import read_paths

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "all.yaml"
        path.write_text(yaml.dump_all(objects, Dumper=yaml.CSafeDumper), encoding="utf-8")
        begun = time.process_time()
        reach(Cluster(read_paths([str(path)]).resources)).count()
        return time.process_time() - begun


def _edit(found: Reach, number: int) -> float:
    raw = policy(Random(number), number, 100)
    raw["metadata"]["name"] = "p7"
    raw["spec"]["podSelector"] = {"matchLabels": {"app": f"never-named-{number}"}}
    changed = resource_of(raw, Nowhere())
    begun = time.process_time()
    found.apply([changed]).ready()
    return time.process_time() - begun


def _explained(found: Reach) -> float:
    random = Random(1)
    pairs = [random.sample(found.world.endpoints, 2) for _ in range(50)]
    begun = time.process_time()
    for source, destination in pairs:
        explain(found, source, destination, "TCP", 8080)
    return (time.process_time() - begun) / len(pairs) * 1e3


def _beside_plain(objects: list[Raw], found: Reach, whole: float) -> float:
    """How many times longer a plain evaluator, pair by pair, would take for all pairs: measured on
    some of them, and without what it costs to set it up.
    """
    from tests.support.network.naive import naive

    plain = naive(objects)
    random = Random(2)
    keys = [endpoint.key for endpoint in found.world.endpoints]
    pairs = [(random.choice(keys), random.choice(keys)) for _ in range(SAMPLE)]
    begun = time.process_time()
    for source, destination in pairs:
        plain.allowed(source, destination, "TCP", 8080, 4)
    each = (time.process_time() - begun) / SAMPLE
    ratio = each * len(keys) ** 2 / whole
    print(f"    a plain evaluator: {each * 1e6:.0f} us a pair and port, all pairs of one port")
    print(f"    {each * len(keys) ** 2:,.0f} s: {ratio:,.0f} x")
    return ratio


def made(pods: int, namespaces: int, policies: int) -> Iterator[Raw]:
    """Objects of a cluster: ten pods a workload, policies of the usual kinds."""
    random = Random(7)
    for number in range(namespaces):
        labels = {"team": f"team-{number % 10}", "env": ("dev", "prod")[number % 2]}
        yield _object("v1", "Namespace", f"ns-{number}", "", labels)
    for number in range(pods):
        app = number // 10
        labels = {
            "app": f"app-{app}",
            "tier": TIERS[app % len(TIERS)],
            "pod-template-hash": f"{app:08x}",
        }
        one = _object("v1", "Pod", f"pod-{number}", f"ns-{app % namespaces}", labels)
        ports = [{"name": "http", "containerPort": 8080 + app % 3}]
        one["spec"] = {"containers": [{"name": "main", "image": "a", "ports": ports}]}
        address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        one["status"] = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}
        yield one
    for number in range(policies):
        yield policy(random, number, namespaces, pods // 10)


def _object(version: str, kind: str, name: str, namespace: str, labels: dict[str, str]) -> Raw:
    metadata: Raw = {"name": name, "labels": labels}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


def policy(random: Random, number: int, namespaces: int, apps: int = 1000) -> Raw:
    """One NetworkPolicy: a default deny now and then, else rules of peers and ports."""
    space = number % namespaces
    one = _object("networking.k8s.io/v1", "NetworkPolicy", f"p{number}", f"ns-{space}", {})
    app = space + namespaces * random.randrange(max(apps // namespaces, 1))
    mine: Raw = {"matchLabels": {"app": f"app-{app}"}}
    if random.random() < 0.3:
        mine = {"matchLabels": {"tier": random.choice(TIERS)}}
    one["spec"] = {"podSelector": mine, "policyTypes": random.choice([["Ingress"], ["Egress"]])}
    if random.random() < 0.1:
        one["spec"] |= {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
        return one
    for way, ends in (("ingress", "from"), ("egress", "to")):
        if way.title() in one["spec"]["policyTypes"]:
            one["spec"][way] = [
                {ends: [_peer(random) for _ in range(2)], "ports": _ports(random)} for _ in range(2)
            ]
    return one


def _peer(random: Random) -> Raw:
    kind = random.random()
    if kind < 0.1:
        return {"ipBlock": {"cidr": f"192.0.{random.randrange(64)}.0/24"}}
    pods = {"podSelector": {"matchLabels": {"tier": random.choice(TIERS)}}}
    if kind < 0.5:
        return pods
    spaces: Raw = {"namespaceSelector": {"matchLabels": {"team": f"team-{random.randrange(10)}"}}}
    return spaces if kind < 0.7 else {**spaces, **pods}


def _ports(random: Random) -> list[Raw]:
    if random.random() < 0.2:
        return [{"port": "http"}]
    number = random.choice((80, 443, 5432, 6379, 8080, 8081, 9090))
    return [{"protocol": "TCP", "port": number}]


def _large(pods: int, namespaces: int, policies: int) -> int:
    resources: list[Resource] = [
        resource_of(one, Nowhere()) for one in made(pods, namespaces, policies)
    ]
    cluster = Cluster(resources)
    before = system.getrusage(system.RUSAGE_SELF).ru_maxrss / 1024
    begun = time.process_time()
    found = reach(cluster)
    counted = found.count()
    took = time.process_time() - begun
    memory = system.getrusage(system.RUSAGE_SELF).ru_maxrss / 1024
    groups = [len(found.state.groups[way].keys) for way in found.state.groups]
    print(
        f"    {pods:,} pods, {namespaces} namespaces, {policies:,} policies: {took:.1f} s,"
        f" {memory:.0f} MiB in all ({before:.0f} of them the objects);"
        f" {found.cells.count:,} cells, groups {groups};"
        f" {counted.sure:,} of {counted.pairs:,} pass"
    )
    return 0 if took <= 12 and memory <= 1200 else 1


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    sys.exit(_large(*numbers) if numbers else main())
