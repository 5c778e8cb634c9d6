"""The network practice on whole clusters with running pods: `make test-cluster`.

Flows are what conntrack saw of pods that really talk; policies go through a real API server; rules
are loaded into the nodes; every pair of pods is tried with real packets.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.command import martello
from tests.support.real_cluster import Pod, RealCluster, real_cluster
from tests.support.talking import namespace, service, workload

from martello.adapters.bundle import read_bundle
from martello.practices.network.engine.reach import Reach, reach
from martello.practices.network.profiles import profile

PORTS = (8080, 5432, 6379, 9000, 7)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RealCluster, list[Pod]]]:
    """Two nodes, and a shop on them whose parts call each other by address."""
    place = tmp_path_factory.mktemp("cluster")
    with real_cluster(place, nodes=2, name="mne", net="10.221") as cluster:
        yield cluster, _filled(cluster)


def _filled(cluster: RealCluster) -> list[Pod]:
    cluster.apply(namespace("shop"), namespace("data", team="storage"), namespace("ops"))
    cluster.apply(
        workload("data/db", kind="StatefulSet", port=5432, called="sql"),
        workload("data/cache", port=6379),
        workload("shop/idle", port=9000),
    )
    stores = [f"{p.ip}:{port}" for p in cluster.pods(3) for port in _served(p, db=5432, cache=6379)]
    cluster.apply(
        workload("shop/api", replicas=2, port=8080, called="http", targets=stores),
        service("shop/api", 80, "http"),
    )
    apis = [f"{p.ip}:8080" for p in cluster.pods(5) if _served(p, api=8080)]
    cluster.apply(
        workload("shop/web", replicas=2, port=8080, called="http", targets=apis),
        workload("ops/agent", kind="DaemonSet", host_network=True, targets=apis),
    )
    webs = [f"{p.ip}:8080" for p in cluster.pods(9) if _served(p, web=8080)]
    cluster.apply(workload("ops/scraper", targets=[*apis, *webs]))
    return cluster.pods(10)


def _served(pod: Pod, **ports: int) -> list[int]:
    return [port for name, port in ports.items() if pod.name.startswith(f"{name}-")]


def _judged(cluster: RealCluster, bundle: Path) -> Reach:
    """The analyser of what the API server holds now."""
    config = ["--kubeconfig", str(cluster.kubeconfig), "--fail-on", "never"]
    kept = martello("scan", "cluster", *config, "--save-bundle", str(bundle))
    assert bundle.exists(), kept.err
    return reach(read_bundle(str(bundle)).world(), profile("martello"))


def _edges(cluster: RealCluster, pods: list[Pod]) -> set[tuple[str, str, int]]:
    """What the pods themselves have been doing: source, destination and port, from both nodes."""
    by_ip = {p.ip: p.key for p in pods if not p.host_network}
    found = set()
    for node in (1, 2):
        for line in cluster.node(node, "conntrack", "-L", "-p", "tcp").splitlines():
            words = dict(reversed([w.split("=") for w in line.split() if "=" in w]))
            if "[ASSURED]" in line and words["dst"] in by_ip:
                source = by_ip.get(words["src"], words["src"])
                found.add((source, by_ip[words["dst"]], int(words["dport"])))
    return found


def test_learned_proved_loaded_and_true(
    shop: tuple[RealCluster, list[Pod]], tmp_path: Path
) -> None:
    cluster, pods = shop
    time.sleep(8)
    observed = _edges(cluster, pods)
    assert len(observed) == 16, observed
    flows = []
    for node in (1, 2):
        file = tmp_path / f"node{node}.conntrack"
        file.write_text(cluster.node(node, "conntrack", "-L", "-o", "extended"))
        flows += ["--flows", str(file)]
    here = ["--kubeconfig", str(cluster.kubeconfig), "--cni", "martello"]

    learned = martello(
        "network", "learn", *flows, *here, "-n", "shop", "-n", "data", "-n", "ops",
        "--write", str(tmp_path / "policies"),
    )  # fmt: skip
    assert learned.code == 0, learned.out + learned.err
    assert " 0 denied" in learned.out
    cluster.kubectl("apply", "-f", str(tmp_path / "policies"))

    for node in (1, 2):
        ruled = martello("network", "firewall", f"node{node}", "--pods", *here)
        assert ruled.code == 0, ruled.err
        cluster.node(node, "nft", "-f", "-", text=ruled.out)

    judged = _judged(cluster, tmp_path / "cluster.bundle")
    places = {e.key: e for e in judged.world.endpoints}
    wrong, closed = [], 0
    for source in pods:
        targets = [(d, port) for d in pods for port in PORTS]
        answers = source.probe([(d.ip, port) for d, port in targets])
        for (destination, port), answer in zip(targets, answers, strict=True):
            verdict = judged.verdict(places[source.key], places[destination.key])
            said = verdict.verdict("TCP", port)
            closed += answer == "shut"
            if (said, answer) not in (("allowed", "open"), ("denied", "shut")):
                wrong.append((source.key, destination.key, port, said, answer))
    assert not wrong
    assert closed > len(pods) * len(PORTS)

    for node in (1, 2):
        cluster.node(node, "conntrack", "-F")
    time.sleep(8)
    assert observed - _edges(cluster, pods) == set()
