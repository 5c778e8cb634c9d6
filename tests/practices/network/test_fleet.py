"""Several clusters: the file, overlaps, who reaches whom across, and what exports are."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from tests.support.network.fleets import fleet, network_policy, pod_object, service_object

from martello.core.errors import BadInput
from martello.core.reach import ALL, NONE, Reachability
from martello.practices.network.fleets.file import members
from martello.practices.network.model import Endpoint, Node, Place


def _file(**b: Any) -> dict[str, Any]:
    a = {"files": "a", "pods": ["10.1.0.0/16"], "exports": [{"service": "shop/db", "to": ["b"]}]}
    return {"clusters": {"a": a, "b": {"context": "b", "pods": ["10.2.0.0/16"], **b}}}


def test_a_file_is_read() -> None:
    a, b = members(_file())
    assert (a.name, a.files, b.context) == ("a", "a", "b")
    assert a.exports[0].service == "shop/db"
    assert a.exports[0].to == ("b",)
    assert b.ranges == ((4, 0x0A020000, 0x0A02FFFF),)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ([], "no mapping"),
        ({"clusters": {}}, "names no clusters"),
        ({"clusters": {"A b": {}}}, "no name for a cluster"),
        ({"clusters": {7: {}}}, "no name for a cluster"),
        (_file(files="b"), "one of them"),
        (_file(pods=["10.0.0.0/33"]), "no range"),
        (_file(pods="10.0.0.0/8"), "no list"),
        (_file(pod=[]), "no key 'pod'"),
        (_file(exports=[{}]), "service or addresses"),
        (_file(exports=[{"service": "db"}]), "NAMESPACE/NAME"),
        (_file(exports=[{"service": "a/b", "to": ["c"]}]), "no cluster 'c'"),
        (_file(exports=[{"service": "a/b", "ports": ["TCP 0"]}]), "no port"),
        (_file(exports=[{"addresses": ["10.0.0.0/8"]}]), "more than"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(raw: Any, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        members(raw)


def _place(found: Any, cluster: str, name: str) -> tuple[str, Place]:
    world = found.reaches[cluster].world
    places: list[Endpoint | Node] = [*world.endpoints, *world.nodes]
    return cluster, next(p for p in places if name in (p.name, getattr(p, "pod", "")))


def test_x1_a_connection_needs_both_sides() -> None:
    """Egress of the one to the address, ingress of the other from it."""
    web = network_policy("web", "Egress", [{"to": [{"ipBlock": {"cidr": "10.2.0.0/16"}}]}])
    some = {"from": [{"ipBlock": {"cidr": "10.1.0.1/32"}}], "ports": [{"port": 80}]}
    found = fleet(
        {
            "a": [pod_object("web", "10.1.0.1"), pod_object("api", "10.1.0.2"), web],
            "b": [pod_object("db", "10.2.0.1"), network_policy("db", "Ingress", [some])],
        }
    )
    web_db = found.verdict(_place(found, "a", "web"), _place(found, "b", "db"), 4)
    assert str(web_db.yes) == "TCP 80"
    assert found.verdict(_place(found, "a", "api"), _place(found, "b", "db"), 4).yes == NONE
    assert found.verdict(_place(found, "b", "db"), _place(found, "a", "api"), 4).yes == ALL
    assert not found.overlaps


def test_x2_overlapping_ranges_are_unknown() -> None:
    found = fleet(
        {"a": [pod_object("web", "10.1.0.1")], "b": [pod_object("db", "10.1.0.2")]},
        pods={"a": ["10.1.0.0/24"], "b": ["10.1.0.0/25"]},
    )
    assert [str(one) for one in found.overlaps] == ["clusters a and b both use 10.1.0.0/25"]
    said = found.verdict(_place(found, "a", "web"), _place(found, "b", "db"), 4)
    assert said.yes == NONE
    assert said.maybe == ALL
    assert "both use 10.1.0.0/25" in said.because[0]


def test_x4_selectors_mean_pods_of_the_own_cluster_only() -> None:
    every: dict[str, Any] = {"from": [{"namespaceSelector": {}}]}
    found = fleet(
        {
            "a": [pod_object("web", "10.1.0.1")],
            "b": [
                pod_object("web", "10.2.0.2"),
                pod_object("db", "10.2.0.1"),
                network_policy("db", "Ingress", [every]),
            ],
        }
    )
    db = _place(found, "b", "db")
    assert found.verdict(_place(found, "a", "web"), db, 4).yes == NONE
    assert found.verdict(_place(found, "b", "web"), db, 4).yes == ALL


def test_translated_addresses_and_meshes_are_unknown() -> None:
    objects = {"a": [pod_object("web", "10.1.0.1")], "b": [pod_object("db", "10.2.0.1")]}
    for extra, said in ((("a",), "translates"), (("a", "b"), "mesh")):
        key = "translated" if said == "translates" else "mesh"
        found = fleet(objects, extra={name: {key: True} for name in extra})
        answer = found.verdict(_place(found, "a", "web"), _place(found, "b", "db"), 4)
        assert answer.yes == NONE
        assert said in answer.because[0]


def test_exports_are_the_pods_and_their_own_ports() -> None:
    found = fleet(
        {
            "a": [pod_object("web", "10.1.0.1")],
            "b": [pod_object("db", "10.2.0.1"), service_object("db", 80, 5432)],
        },
        exports={"b": [{"service": "shop/db", "to": ["a"]}]},
    )
    (opened,) = found.exports()
    assert (opened.address, str(opened.ports)) == (0x0A020001, "TCP 5432")
    assert str(found.allowed("a", "b", 4, 0x0A020001)) == "TCP 5432"
    missing = fleet({"a": [], "b": []}, exports={"b": [{"service": "shop/db"}]})
    with pytest.raises(BadInput, match="cannot export shop/db"):
        missing.exports()


@pytest.mark.parametrize("seed", range(8))
def test_crossings_are_all_pairs_one_by_one(seed: int) -> None:
    """Random policies on both sides: groups say what each of their pairs says."""
    chance = random.Random(seed)
    cidrs = ["10.1.0.0/29", "10.2.0.0/29", "10.2.0.4/32", "0.0.0.0/0", "10.1.0.2/31"]
    objects: dict[str, list[dict[str, Any]]] = {}
    for net, name in ((1, "a"), (2, "b")):
        objects[name] = [pod_object(f"p{n}", f"10.{net}.0.{n}") for n in range(1, 7)]
        for n in range(1, 7):
            for way, key in (("Egress", "to"), ("Ingress", "from")):
                if chance.random() < 0.5:
                    peers = [{"ipBlock": {"cidr": c}} for c in chance.sample(cidrs, 2)]
                    rule = {key: peers, "ports": [{"port": chance.choice([80, 443])}]}
                    objects[name].append(network_policy(f"p{n}", way, [rule]))
    found = fleet(objects, pods={"a": ["10.1.0.0/16"], "b": ["10.2.0.0/16", "10.1.0.6/32"]})
    assert found.overlaps
    counted: Counter[tuple[str, Reachability]] = Counter()
    for one in found.crossings():
        counted[one.source[0], one.passes] += one.pairs
    single: Counter[tuple[str, Reachability]] = Counter()
    for here, there in (("a", "b"), ("b", "a")):
        for source in found.reaches[here].world.endpoints:
            for to in found.reaches[there].world.endpoints:
                single[here, found.verdict((here, source), (there, to), 4)] += 1
    assert counted == single
    assert len(single) > 2
