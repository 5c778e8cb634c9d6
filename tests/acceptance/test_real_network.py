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


FLEET = """
clusters:
  east:
    files: {east}
    cni: martello
    pods: [{east_net}.101.0/24, {east_net}.102.0/24]
    services: [{east_net}.2.0/24]
    nodes: [{east_net}.1.0/24]
    exports: [{{service: shop/api, to: [west]}}]
  west:
    files: {west}
    cni: martello
    pods: [{west_net}.101.0/24]
    services: [{west_net}.2.0/24]
    nodes: [{west_net}.1.0/24]
"""


@pytest.fixture(scope="module")
def west(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RealCluster, list[Pod]]]:
    """A second cluster beside the first; by routes its pods reach those of the other."""
    place = tmp_path_factory.mktemp("west")
    with real_cluster(place, nodes=1, name="mnw", net="10.222") as cluster:
        cluster.apply(namespace("shop"), workload("shop/api", port=8080, called="http"))
        cluster.apply(service("shop/api", 80, "http"), workload("shop/till", port=9000))
        yield cluster, cluster.pods(2)


def test_clusters_meet_by_their_exports_only(
    shop: tuple[RealCluster, list[Pod]], west: tuple[RealCluster, list[Pod]], tmp_path: Path
) -> None:
    """East exports its api; nothing else passes between the two, in either direction."""
    sides = {"east": shop, "west": west}
    for cluster, _ in sides.values():
        for node in cluster.nodes:
            # what the test before this one loaded; the perimeter is judged alone
            cluster.node(node, "sh", "-c", "nft delete table inet martello 2>/dev/null || true")
    ports = (8080, 5432, 9000, 7)

    def passing() -> set[tuple[str, str, int]]:
        found = set()
        for here, there in (("east", "west"), ("west", "east")):
            far = [(f"{there}/{p.key}", p.ip, n) for p in _own(sides[there][1]) for n in ports]
            for source in _own(sides[here][1]):
                answers = source.probe([(ip, port) for _, ip, port in far])
                for (key, _, port), answer in zip(far, answers, strict=True):
                    if answer == "open":
                        found.add((f"{here}/{source.key}", key, port))
        return found

    before = passing()
    pairs = 2 * len(_own(shop[1])) * len(west[1])
    assert len(before) == pairs * len(ports)  # nothing is filtered yet

    for name, (cluster, _) in sides.items():
        cluster.kubectl("delete", "networkpolicies", "-A", "--all")
        kept = martello(
            "scan", "cluster", "--kubeconfig", str(cluster.kubeconfig), "--fail-on", "never",
            "--save-bundle", str(tmp_path / f"{name}.bundle"),
        )  # fmt: skip
        assert (tmp_path / f"{name}.bundle").exists(), kept.err
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text(
        FLEET.format(
            east=f"bundle:{tmp_path}/east.bundle",
            west=f"bundle:{tmp_path}/west.bundle",
            east_net=shop[0].net,
            west_net=west[0].net,
        )
    )
    for name, (cluster, _) in sides.items():
        rules = martello("network", "firewall", name, "--perimeter", "--fleet", str(fleet))
        assert rules.code == 0, rules.err
        for node in cluster.nodes:
            cluster.node(node, "nft", "-f", "-", text=rules.out)
    exported = {
        (f"west/{source.key}", f"east/{target.key}", 8080)
        for source in west[1]
        for target in shop[1]
        if _served(target, api=8080)
    }
    assert len(exported) == 4
    assert passing() == exported

    # east calls addresses its own that are those of west's pods
    ours = f"{shop[0].net}.102.0/24"
    fleet.write_text(fleet.read_text().replace(ours, f"{ours}, {west[0].net}.101.0/24"))
    asked = martello("network", "can", "east/shop/web", "west/shop/api:8080", "--fleet", str(fleet))
    assert asked.code == 3, asked.out + asked.err
    assert "both use" in asked.out + asked.err
    refused = martello("network", "firewall", "east", "--perimeter", "--fleet", str(fleet))
    assert refused.code == 2
    assert "both use" in refused.err


def _own(pods: list[Pod]) -> list[Pod]:
    return [p for p in pods if not p.host_network]
