"""Shares, quotas and weights of control groups, and the tree that they lie in."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from martello.practices.resources.node.cgroups import Group, quota, shares, tree, weight
from martello.practices.resources.node.model import Node, Part, Pod

MI = 1 << 20


@pytest.mark.parametrize(
    ("milli", "expected"),
    [
        (0, 2),
        (1, 2),
        (2, 2),
        (3, 3),
        (100, 102),
        (1000, 1024),
        (256_000, 262_144),
        (10**9, 262_144),
    ],
)
def test_shares_of_a_request(milli: int, expected: int) -> None:
    assert shares(milli) == expected


@pytest.mark.parametrize(
    ("milli", "expected"), [(0, 0), (1, 1_000), (10, 1_000), (11, 1_100), (2_500, 250_000)]
)
def test_quota_of_a_limit(milli: int, expected: int) -> None:
    assert quota(milli) == expected


# What KEP-2254 (the line) and runc#4785 (the curve) were published with.
@pytest.mark.parametrize(
    ("given_", "expected"), [(2, 1), (28, 1), (29, 2), (245, 10), (1024, 39), (262_144, 10_000)]
)
def test_weights_along_the_line(given_: int, expected: int) -> None:
    assert weight(given_) == expected


@pytest.mark.parametrize(
    ("given_", "expected"),
    [(2, 1), (102, 17), (256, 35), (512, 59), (1024, 100), (262_144, 10_000)],
)
def test_weights_along_the_curve(given_: int, expected: int) -> None:
    assert weight(given_, "curved") == expected


@given(st.integers(0, 300_000), st.sampled_from(("linear", "curved")))
def test_weights_grow_with_shares(given_: int, curve: Any) -> None:
    assert 1 <= weight(given_, curve) <= weight(given_ + 1, curve) <= 10_000


def pod(name: str, qos: Any, cpu: int = 0, limit: int = 0, memory: int = 0) -> Pod:
    asked = {"cpu": cpu, "memory": memory * 1000}
    held: dict[str, int] = {"cpu": limit} if limit else {}
    if memory:
        held["memory"] = memory * 1000
    return Pod("ns", name, "", (Part("c", asked, held),), asked, held, qos)


def child(group: Group, name: str) -> Group:
    return next(one for one in group.children if one.name == name)


NODE = Node(
    "n",
    {"cpu": 4_000, "memory": 1_000 * MI * 1000},
    {"cpu": 3_000, "memory": 700 * MI * 1000},
    reserved={"cpu": 1_000, "memory": 200 * MI * 1000},
    eviction={"memory.available": 100 * MI},
    pids=1_000,
    reserved_pids=100,
    pod_pids=50,
    cgroup=1,
)
PODS = [
    pod("g", "Guaranteed", 500, 500, 64 * MI),
    pod("a", "Burstable", 100),
    pod("b", "Burstable", 300, 600),
    pod("z", "BestEffort"),
]


def test_the_tree_of_a_node() -> None:
    kubepods = child(tree(NODE, PODS), "kubepods")
    assert kubepods.weight == 3 * 1024
    assert kubepods.memory == 800 * MI  # what is reserved, without the eviction threshold
    assert kubepods.pids == 900
    assert [one.name for one in kubepods.children] == ["ns/g", "burstable", "besteffort"]
    burstable, besteffort = child(kubepods, "burstable"), child(kubepods, "besteffort")
    assert burstable.weight == 409  # of 400 thousandths together
    assert besteffort.weight == 2
    first = child(kubepods, "ns/g")
    assert (first.weight, first.cap, first.memory, first.pids) == (512, 500, 64 * MI, 50)
    assert (first.children[0].cap, first.children[0].memory) == (500, 64 * MI)
    assert [(one.weight, one.cap) for one in burstable.children] == [(102, None), (307, 600)]
    assert [(one.weight, one.cap) for one in besteffort.children] == [(2, None)]


def test_a_node_that_does_not_enforce_gives_pods_all() -> None:
    node = msgspec.structs.replace(NODE, pods_enforced=False, cpu_quota=False, pod_pids=None)
    kubepods = child(tree(node, PODS), "kubepods")
    assert (kubepods.weight, kubepods.memory, kubepods.pids) == (4_096, 1_000 * MI, 1_000)
    assert child(kubepods, "ns/g").cap is None
    assert child(kubepods, "ns/g").pids is None


def test_the_curve_is_the_runtimes_and_holds_for_containers_alone() -> None:
    node = msgspec.structs.replace(NODE, cgroup=2, curve="curved")
    kubepods = child(tree(node, PODS), "kubepods")
    assert kubepods.weight == 118  # the line, of 3072 shares
    assert child(kubepods, "ns/g").weight == 20
    assert child(kubepods, "ns/g").children[0].weight == 59
    assert child(tree(node, []), "system").weight == 100


def test_the_least_limit_is_a_hundredth_of_a_core() -> None:
    tiny = child(tree(NODE, [pod("g", "Guaranteed", 1, 1)]), "kubepods").children[0]
    assert (tiny.cap, tiny.weight) == (10, 2)


def test_memory_high_lies_at_nine_tenths_of_the_way() -> None:
    node = msgspec.structs.replace(NODE, cgroup=2, memory_qos=True)

    def high(request: int, limit: int) -> int | None:
        asked = {"memory": request * MI * 1000} if request else {}
        held = {"memory": limit * MI * 1000} if limit else {}
        one = Pod("ns", "p", "", (Part("c", asked, held),), asked, held, "Burstable")
        group = child(child(child(tree(node, [one]), "kubepods"), "burstable"), "ns/p")
        return group.children[0].high

    assert high(100, 200) == 190 * MI
    assert high(0, 200) == 180 * MI
    assert high(0, 0) == 630 * MI  # of what the node can give
    assert high(100, 100) is None
    assert high(800, 0) is None  # asks for more than there is
    node = msgspec.structs.replace(node, cgroup=1)
    assert high(100, 200) is None
