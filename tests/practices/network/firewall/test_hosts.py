"""What nodes let in by role, the table it makes in a real kernel, and the same in others' words."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import msgspec
import pytest
from tests.support.network.room import inside, missing, room, routed

from martello.adapters import nft
from martello.core.cluster import Cluster
from martello.core.errors import BadInput
from martello.core.flow import Flow, Peer
from martello.core.resource import Nowhere, resource_of
from martello.practices.network.firewall.exports import calico, cilium, neutral
from martello.practices.network.firewall.hosts import (
    METADATA,
    Opening,
    Site,
    keeping,
    openings,
    site,
    would_cut,
)
from martello.practices.network.firewall.hosttable import TABLE, host_rules
from martello.practices.network.model import Node, World

CONTROL = Node("c1", {"node-role.kubernetes.io/control-plane": ""}, ((4, 0x0A000001), (6, 1)))
WORKER = Node("w1", {}, ((4, 0x0A000002),), ((4, 0x0AF40000, 0x0AF400FF),))
SITE = Site(
    (CONTROL, WORKER),
    frozenset({"c1"}),
    ("10.244.0.0/16", "fd00:244::/56"),
    admin=("192.0.2.0/24",),
    scrapers=("10.244.9.9",),
    plugin="calico",
    published=(
        Opening("shop/web", "TCP", 30080, 30080, ("anyone",), "Service shop/web", before=True),
        Opening(
            "shop/db",
            "TCP",
            30081,
            30081,
            ("nodes",),
            "Service shop/db",
            ("198.51.100.0/24",),
            True,
        ),
    ),
)


def _flow(source: str, to: str, port: int, protocol: str = "TCP", reply: bool = False) -> Flow:
    return Flow(Peer(ip=source), Peer(ip=to), protocol, port, reply=reply)


def _ports(node: str) -> set[tuple[str, int, int]]:
    return {(one.protocol, one.first, one.last) for one in openings(SITE, node)}


def test_f9_roles_open_their_ports_and_no_others() -> None:
    both = {("TCP", 22, 22), ("TCP", 10250, 10250), ("UDP", 4789, 4789), ("TCP", 30080, 30080)}
    assert both < _ports("w1") < _ports("c1")
    assert _ports("c1") - _ports("w1") == {("TCP", 2379, 2380), ("TCP", 6443, 6443)}
    spans = [(first, last) for _, first, last in _ports("c1")]
    for closed in (10255, 10257, 10259):
        assert not any(first <= closed <= last for first, last in spans)


def test_a_site_without_a_fail_safe_or_with_bad_ranges_is_refused() -> None:
    with pytest.raises(BadInput, match="fail-safe"):
        openings(msgspec.structs.replace(SITE, failsafe=()), "c1")
    with pytest.raises(BadInput, match="no range"):
        openings(msgspec.structs.replace(SITE, admin=("10.0.0.0/33",)), "c1")
    with pytest.raises(BadInput, match="no node"):
        openings(SITE, "w9")


def test_f9_the_own_session_is_kept() -> None:
    assert keeping(SITE, "192.0.2.7 50000 10.0.0.1 2222").failsafe == (22, 2222)
    for plain in ("", "a b c d", "192.0.2.7 50000 10.0.0.1 22", "1 2 3 99999"):
        assert keeping(SITE, plain) is SITE


def test_what_would_be_cut_is_told() -> None:
    cut = _flow("203.0.113.9", "10.0.0.1", 6443)
    flows = [
        cut,
        _flow("203.0.113.9", "10.0.0.1", 22),
        _flow("192.0.2.7", "10.0.0.1", 6443),
        _flow("10.0.0.2", "10.0.0.1", 6443),
        _flow("203.0.113.9", "10.0.0.9", 6443),
        _flow("203.0.113.9", "10.0.0.1", 50000, reply=True),
        _flow("203.0.113.9", "10.0.0.1", 0, "ICMP"),
        _flow("10.244.0.5", "10.0.0.1", 6443),
    ]
    assert would_cut(SITE, "c1", flows) == (cut,)
    seen = msgspec.structs.replace(SITE, api_pods=("10.244.0.6/32",))
    assert would_cut(seen, "c1", flows) == (cut, flows[-1])


def test_a_site_is_read_from_objects() -> None:
    raws = [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"namespace": "shop", "name": "db"},
            "spec": {
                "type": "LoadBalancer",
                "loadBalancerSourceRanges": ["198.51.100.0/24", 7],
                "ports": [{"port": 1, "nodePort": 30081}, {"port": 2}, "x", {"nodePort": "a"}],
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": {"namespace": "default", "name": "kubernetes"},
            "subsets": [{"ports": [{"port": 8443}]}],
        },
    ]
    cluster = Cluster([resource_of(raw, Nowhere()) for raw in raws])
    found = site(cluster, World((), {}, (CONTROL, WORKER)), admin=("192.0.2.0/24",))
    assert (found.api_port, found.pods, found.control) == (
        8443,
        ("10.244.0.0/24",),
        frozenset({"c1"}),
    )
    assert [(o.name, o.first, o.sources) for o in found.published] == [
        ("shop/db", 30081, ("198.51.100.0/24",))
    ]


def test_f9_others_words_hold_the_same_ports() -> None:
    rows = neutral(SITE, "c1")["allow"]
    assert {(r["protocol"], *(r["ports"] or (0, 0))) for r in rows} == _ports("c1")
    endpoint, own, before = calico(SITE, "c1")
    assert endpoint["spec"]["expectedIPs"] == ["10.0.0.1", "::1"]
    assert before["spec"]["preDNAT"] is True
    assert len(own["spec"]["ingress"]) + len(before["spec"]["ingress"]) == len(rows) + 2
    # an empty group is nobody, not everybody
    for rule in own["spec"]["ingress"][2:]:
        opened = rule.get("destination") == {"ports": [22]}
        assert opened == ("source" not in rule) or rule["source"]["nets"]
    rules = cilium(SITE, "c1")["spec"]["ingress"]
    assert all(len({"fromEntities", "fromCIDR"} & set(rule)) == 1 for rule in rules)
    assert cilium(SITE, "w1")["spec"]["nodeSelector"]["matchExpressions"][0]["operator"] == (
        "DoesNotExist"
    )


@pytest.mark.skipif(bool(missing()), reason=missing())
def test_the_kernel_takes_it_and_loads_it_again() -> None:
    for node in ("c1", "w1"):
        with room() as place:
            tool = inside(place)
            text = host_rules(SITE, node).text
            nft.load(text, tool)
            first = nft.listed(TABLE, tool)
            nft.load(text, tool)
            assert nft.listed(TABLE, tool) == first
            nft.restore(first, TABLE, tool)
            assert nft.listed(TABLE, tool)


@pytest.mark.skipif(bool(missing()), reason=missing())
def test_f9_packets_come_in_by_role_and_node_ports_before_translation() -> None:
    """A node with two others behind it: an operator, and a stranger."""
    operator, stranger = "192.0.2.7", "203.0.113.9"
    node = Node("w1", {}, ((4, 0xA9FE0101),))
    small = msgspec.structs.replace(SITE, nodes=(CONTROL, node), control=frozenset({"w1"}))
    asked = [22, 6443, 2379, 10255, 30080, 30081, 30082]
    with routed([operator, stranger]) as (place, (one, other)):
        tool = inside(place)
        nft.load(host_rules(small, "w1").text, tool)
        translated = "table ip nat { chain p { type nat hook prerouting priority dstnat;"
        nft.load(f"{translated} tcp dport 30080-30082 redirect to :22; }}; }}", tool)
        assert _answers(place, one, asked) == [22, 6443, 30080]
        assert _answers(place, other, asked) == [22, 30080]


@pytest.mark.skipif(bool(missing()), reason=missing())
def test_f9_the_metadata_address_is_closed_to_pods_only() -> None:
    """A pod, a machine that is none, and the metadata service behind one node."""
    with routed(["10.244.0.5", "192.0.2.7", METADATA[0]]) as (place, (one, other, service)):
        assert _answers(service, one, [80], METADATA[0]) == [80]
        nft.load(host_rules(SITE, "w1").text, inside(place))
        assert _answers(service, one, [80], METADATA[0]) == []
        assert _answers(service, other, [80], METADATA[0]) == [80]


def _answers(
    node: str, source: str, ports: Sequence[int], address: str = "169.254.1.1"
) -> list[int]:
    """The ports of a node that a place reaches by an address; a listener on each."""
    listen = (
        "import socket, sys, time\n"
        "held = [socket.create_server(('', int(p))) for p in sys.argv[1:]]\n"
        "print('ready', flush=True)\nsys.stdin.read()\n"
    )
    dial = (
        "import socket, sys\n"
        "for p in sys.argv[2:]:\n"
        "    try:\n"
        "        socket.create_connection((sys.argv[1], int(p)), timeout=0.2).close()\n"
        "        print(p)\n"
        "    except OSError:\n"
        "        pass\n"
    )
    words = [str(port) for port in ports]
    server = subprocess.Popen(
        [*inside(node).enter, sys.executable, "-S", "-c", listen, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"
        said = nft.run(
            [*inside(source).enter, sys.executable, "-S", "-c", dial, address, *words], ""
        )
        return [int(line) for line in said.stdout.split()]
    finally:
        server.communicate(b"")
