"""From a file of flows to policies: bare conntrack tuples, Hubble lines, and the text of a shop."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import yaml
from tests.support.network.objects import cluster, namespace, node
from tests.support.network.taught import flow, port, shop, shopping, workload

from martello.adapters.flows.read import read_flows
from martello.core.flow import Flow
from martello.practices.network.learn.learn import learn
from martello.practices.network.learn.model import Options, Snapshot
from martello.practices.network.learn.shadow import shadow

GOLDEN = Path(__file__).parent / "golden"

# What `conntrack -L` of both nodes says: no names, no Services, each connection at both nodes.
LINES = """
tcp 6 431999 ESTABLISHED src=10.1.1.10 dst=10.1.2.12 sport=43210 dport=5432 \
src=10.1.2.12 dst=10.1.1.10 sport=5432 dport=43210 [ASSURED] mark=0 use=1
tcp 6 119 TIME_WAIT src=10.1.1.10 dst=10.1.2.12 sport=43211 dport=5432 \
src=10.1.2.12 dst=10.1.1.10 sport=5432 dport=43211 [ASSURED] mark=0 use=1
udp 17 29 src=10.1.2.12 dst=10.1.1.5 sport=5353 dport=5353 \
src=10.1.1.5 dst=10.1.2.12 sport=5353 dport=5353 mark=0 use=1
icmp 1 29 src=10.1.1.10 dst=10.1.2.12 type=8 code=0 id=7 \
src=10.1.2.12 dst=10.1.1.10 type=0 code=0 id=7 mark=0 use=1
tcp 6 100 ESTABLISHED src=10.1.1.11 dst=10.96.1.3 sport=40001 dport=5432 \
src=10.1.2.12 dst=10.1.1.11 sport=5432 dport=40001 [ASSURED] mark=0 use=1
tcp 6 100 ESTABLISHED src=192.0.2.1 dst=10.1.1.11 sport=40002 dport=9000 \
src=10.1.1.11 dst=192.0.2.1 sport=9000 dport=40002 [ASSURED] mark=0 use=1
"""


def test_bare_tuples_of_conntrack_are_enough(tmp_path: Path) -> None:
    """The original direction is the initiator's, whatever the ports are; two readings at two nodes
    make one edge.
    """
    for name in ("n1", "n2"):
        (tmp_path / name).write_text(LINES.strip() + "\n")
    reading = read_flows([str(tmp_path / "n*")])
    lesson = learn(reading, cluster(shop()))
    proof = lesson.proof
    assert (proof.denied, proof.unresolved, proof.own_node) == (0, 0, 0)
    assert reading.skipped["icmp"] == 2
    assert proof.edges == 4
    ingress = {
        p["metadata"]["name"]: p["spec"]["ingress"]
        for p in lesson.policies
        if "ingress" in p["spec"]
    }
    peers = [{"podSelector": {"matchLabels": {"app": app}}} for app in ("api", "web")]
    assert ingress["learned-db-ingress"] == [
        {"from": peers, "ports": [{"protocol": "TCP", "port": 5432}]}
    ]
    again = read_flows([str(tmp_path / "n*")])
    assert list(shadow(again, cluster(shop()), lesson.policies)) == []


def test_pods_and_nodes_of_one_range_are_told_apart(tmp_path: Path) -> None:
    """Pods, nodes and bridges all of 10.x, no ranges on the nodes: as in the tests' own cluster."""
    objects = [node("a", ["10.213.0.11"], {}), node("b", ["10.213.0.12"], {})]
    objects += [namespace("default", {}), namespace("kube-system", {})]
    objects += workload("default", "client", ["10.213.101.2", "10.213.102.2"], nodes=("a", "b"))
    objects += workload("default", "server", ["10.213.102.3"], nodes=("b",), ports=[port(80)])
    text = (
        "tcp 6 99 ESTABLISHED src={} dst={} sport=5000 dport={} src={} dst={} sport={} dport=5000\n"
    )
    ends = [
        ("10.213.101.2", "10.213.102.3", 80),
        ("10.213.102.2", "10.213.102.3", 80),
        ("10.213.0.11", "10.213.102.3", 80),
        ("10.213.0.12", "10.213.102.3", 80),
        ("10.213.102.99", "10.213.102.3", 80),
        ("10.213.101.2", "10.213.0.11", 6443),
    ]
    lines = [text.format(s, d, p, d, s, p) for s, d, p in ends]
    (tmp_path / "flows").write_text("".join(lines))
    lesson = learn(read_flows([str(tmp_path / "flows")]), cluster(objects))
    assert lesson.proof.unresolved == 1
    assert lesson.unresolved[0].source == "10.213.102.99"
    rules = {
        p["metadata"]["name"]: p["spec"].get("ingress", p["spec"].get("egress"))
        for p in lesson.policies
    }
    assert rules["learned-server-ingress"] == [
        {
            "from": [
                {"podSelector": {"matchLabels": {"app": "client"}}},
                {"ipBlock": {"cidr": "10.213.0.11/32"}},
                {"ipBlock": {"cidr": "10.213.0.12/32"}},
            ],
            "ports": [{"protocol": "TCP", "port": 80}],
        }
    ]
    assert len(rules["learned-client-egress"]) == 2


def test_hubble_lines_and_their_identities(tmp_path: Path) -> None:
    """is_reply null, in both directions of one connection: one edge."""
    line = (
        '{{"flow":{{"time":"2023-11-14T22:15:00Z","verdict":"FORWARDED","is_reply":null,'
        '"IP":{{"source":"{}","destination":"{}"}},"l4":{{"TCP":{{"source_port":{},'
        '"destination_port":{}}}}},"source":{{}},"destination":{{}}}}}}\n'
    )
    text = line.format("10.1.1.10", "10.1.1.11", 45000, 9000)
    text += line.format("10.1.1.11", "10.1.1.10", 9000, 45000)
    (tmp_path / "hubble.jsonl").write_text(text)
    lesson = learn(read_flows([str(tmp_path / "hubble.jsonl")]), cluster(shop()))
    assert (lesson.proof.edges, lesson.proof.replayed) == (1, 2)
    assert lesson.demand == ()


def test_streams_are_read_once_and_only_edges_are_kept() -> None:
    """Many flows of few edges: each is pulled once, and seven edges are replayed."""
    pulled = 0

    def once() -> Iterator[Flow]:
        nonlocal pulled
        for _ in range(500):
            for one in shopping():
                pulled += 1
                yield one

    lesson = learn(once(), cluster(shop()))
    assert pulled == 500 * len(shopping())
    assert lesson.proof.edges == 7
    assert lesson.proof.flows == 500 * 624


def test_golden_shop() -> None:
    """The YAML of a small shop, judged by hand; MARTELLO_GOLDEN=write rewrites it."""
    lesson = learn(shopping(), cluster(shop()), Options(namespaces=("shop",)))
    text = "---\n".join(yaml.safe_dump(p, sort_keys=False) for p in lesson.policies)
    place = GOLDEN / "shop.yaml"
    if os.environ.get("MARTELLO_GOLDEN") == "write":
        GOLDEN.mkdir(exist_ok=True)
        place.write_text(text, "utf-8")
    assert place.read_text("utf-8") == text


def test_a_history_in_any_order_is_the_same() -> None:
    """Snapshots are sorted by their time."""
    states = (Snapshot(1.0, cluster(shop())), Snapshot(2.0, cluster(shop())))
    seen = [flow("10.1.1.10", "10.96.1.1", 80)]
    found = [learn(seen, cluster(shop()), Options(history=h)) for h in (states, states[::-1])]
    assert found[0].policies == found[1].policies
