"""Eviction: tables of who goes first, the kubelet's comparators written out, every play tried."""

from __future__ import annotations

from functools import cache, cmp_to_key
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from martello.practices.resources.node.evict import (
    Ranking,
    counted,
    disk_bound,
    memory_volume,
    order,
    play,
    room,
    threshold,
)
from martello.practices.resources.node.model import Node, Part, Pod, Signal, Use

MI = 1 << 20
NODE = Node(
    "n",
    {"memory": 1_000 * MI * 1000, "ephemeral-storage": 1_000_000_000},
    {"memory": 900 * MI * 1000},
    eviction={
        "memory.available": 100 * MI,
        "nodefs.available": 100_000,
        "imagefs.available": 150_000,
    },
    disk=1_000_000,
    used_by_system=Use(memory=0, disk=0),
)


def pod(
    name: str,
    used: int | None = None,
    request: int = 0,
    priority: int = 0,
    *,
    signal: Signal = "memory",
    **more: Any,
) -> Pod:
    """A pod that uses and asks for an amount of one resource."""
    field = "memory" if signal == "memory" else "ephemeral-storage"
    asked = {field: request * 1000} if request else {}
    use = Use(**{signal: used})
    return Pod(
        "ns", name, f"deploy/{name}", (Part("c", asked, {}),), asked, {}, "Burstable",
        priority=priority, use=use, **more,
    )  # fmt: skip


# Each row: what it shows, the pods as (name, use, request, priority), the order expected.
MEMORY = [
    ("over its request goes before those within it, whatever the priority",
     [("within", 50, 60, 0), ("over", 10, 5, 1000)], ["over", "within"]),
    ("of those over it the lower priority, be its excess smaller",
     [("high", 90, 10, 10), ("low", 11, 10, 5)], ["low", "high"]),
    ("of equal priority the larger excess, not the larger use",
     [("big", 100, 90, 0), ("small", 40, 10, 0)], ["small", "big"]),
    ("within their requests too: lower priority, then nearer to the request",
     [("far", 10, 90, 0), ("near", 50, 60, 0), ("low", 1, 90, -1)], ["low", "near", "far"]),
    ("exactly at its request is within it",
     [("at", 50, 50, 0), ("over", 51, 50, 0)], ["over", "at"]),
    ("nothing asked for and nothing used is within it",
     [("idle", 0, 0, 0), ("over", 1, 0, 0)], ["over", "idle"]),
    ("without stats before all others, of several the lower priority",
     [("over", 90, 0, 0), ("b", None, 50, 9), ("a", None, 0, 10)], ["b", "a", "over"]),
]  # fmt: skip
PIDS = [
    ("priority first, then the number of processes; requests play no part",
     [("few", 3, 0, 0), ("many", 300, 0, 0), ("low", 1, 0, -1)], ["low", "many", "few"]),
    ("without stats first only within its priority",
     [("none", None, 0, 5), ("one", 1, 0, 5), ("low", 1, 0, 0)], ["low", "none", "one"]),
]  # fmt: skip
INODES = [
    ("any use is over, none is within",
     [("none", 0, 0, 0), ("one", 1, 0, 9), ("two", 2, 0, 9)], ["two", "one", "none"]),
    ("a request for disk counts against inodes in the last place",
     [("asks", 900, 500, 0), ("plain", 500, 0, 0)], ["plain", "asks"]),
]  # fmt: skip
_BY_SIGNAL: list[tuple[Signal, list[Any]]] = [
    ("memory", MEMORY),
    ("disk", MEMORY),
    ("pids", PIDS),
    ("inodes", INODES),
]
TABLES = [(signal, *row) for signal, rows in _BY_SIGNAL for row in rows]


@pytest.mark.parametrize("row", TABLES, ids=lambda row: f"{row[0]}: {row[1]}")
def test_the_order_of_eviction(row: tuple[Signal, str, list[Any], list[str]]) -> None:
    signal, _, given_, expected = row
    pods = [pod(name, used, asked, rank, signal=signal) for name, used, asked, rank in given_]
    assert [one.name for one in order(NODE, pods, signal)] == expected


def test_static_and_critical_pods_are_never_evicted() -> None:
    pods = [
        pod("static", 900, static=True),
        pod("node", 900, priority=2_000_001_000),
        pod("cluster", 900, priority=2_000_000_000),
        pod("high", 1, priority=1_999_999_999),
    ]
    assert [one.name for one in order(NODE, pods, "memory")] == ["high"]


def test_the_use_of_a_pod_is_that_of_its_containers() -> None:
    parts = (Part("a", {}, {}, Use(memory=30)), Part("b", {}, {}, Use(memory=20)))
    two = msgspec.structs.replace(pod("two"), parts=parts)
    half = msgspec.structs.replace(two, name="half", parts=(parts[0], Part("b", {}, {})))
    assert [one.name for one in order(NODE, [two, pod("x", 40), half], "memory")] == [
        "half",  # one of its containers has no stats
        "two",
        "x",
    ]


def test_overhead_counts_only_on_top_of_a_request() -> None:
    spec = {"overhead": {"memory": "20"}}
    alone = pod("alone", 10, 20, raw={"spec": spec})  # all that it asks for is overhead
    both = pod("both", 10, 21, raw={"spec": spec})
    assert [one.name for one in order(NODE, [both, alone], "memory")] == ["alone", "both"]
    assert counted(alone, "memory", 37) == 0
    assert counted(both, "memory", 37) == 21_000


@pytest.mark.parametrize(
    ("level", "version", "expected"),
    [
        ({"requests": {"cpu": "1"}}, 37, 0),
        ({"requests": {"cpu": "1"}}, 33, 50_000),
        ({"requests": {"memory": "50"}}, 37, 50_000),
        ({"limits": {"memory": "50"}}, 37, 50_000),
        ({"limits": {"example.com/gpu": "1"}}, 37, 50_000),
        ({"limits": {"cpu": "many"}}, 37, 50_000),
        ({}, 37, 50_000),
    ],
)
def test_what_a_pod_asks_for_as_a_whole_hides_what_its_containers_do(
    level: Any, version: int, expected: int
) -> None:
    one = pod("a", 10, 50, raw={"spec": {"resources": level}})
    assert counted(one, "memory", version) == expected


def kubelets_order(pods: list[Pod], signal: Signal) -> list[str]:
    """The comparators of pkg/kubelet/eviction/helpers.go, one after another."""

    def stat(one: Pod) -> int | None:
        found: int | None = getattr(one.use, signal)
        return found

    def first(a: bool, b: bool) -> int:
        return 0 if a == b else (1 if not a else -1)

    def asked(one: Pod, of: str) -> int:
        return one.request.get(of, 0)

    name = {"memory": "memory", "disk": "ephemeral-storage", "inodes": "inodes"}.get(signal, "")

    def exceeds(a: Pod, b: Pod) -> int:
        one, other = stat(a), stat(b)
        if one is None or other is None:
            return first(one is None, other is None)
        return first(one * 1000 > asked(a, name), other * 1000 > asked(b, name))

    def priority(a: Pod, b: Pod) -> int:
        return (a.priority > b.priority) - (a.priority < b.priority)

    def excess(a: Pod, b: Pod) -> int:
        one, other = stat(a), stat(b)
        if one is None or other is None:
            return first(one is None, other is None)
        of = "memory" if signal == "memory" else "ephemeral-storage"
        left, right = one * 1000 - asked(a, of), other * 1000 - asked(b, of)
        return (right > left) - (right < left)

    def processes(a: Pod, b: Pod) -> int:
        one, other = stat(a), stat(b)
        if one is None or other is None:
            return first(one is None, other is None)
        return other - one

    chain = [priority, processes] if signal == "pids" else [exceeds, priority, excess]

    def compare(a: Pod, b: Pod) -> int:
        for step in chain:
            if result := step(a, b):
                return result
        return -1 if a.key < b.key else 1

    able = [one for one in pods if not one.static and one.priority < 2_000_000_000]
    return [one.name for one in sorted(able, key=cmp_to_key(compare))]


AMOUNTS = st.none() | st.integers(0, 12)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(("memory", "disk", "inodes", "pids")),
    st.lists(st.tuples(AMOUNTS, st.integers(0, 12), st.integers(-1, 1)), max_size=8),
)
def test_the_kubelets_comparators_give_the_same_order(
    signal: Signal, given_: list[tuple[int | None, int, int]]
) -> None:
    pods = [
        pod(f"p{i}", used, asked, rank, signal=signal)
        for i, (used, asked, rank) in enumerate(given_)
    ]
    assert [one.name for one in order(NODE, pods, signal)] == kubelets_order(pods, signal)


def test_the_threshold_is_the_largest_that_holds() -> None:
    assert threshold(NODE, "memory") == 100 * MI
    assert threshold(NODE, "disk") == 150_000  # images lie on the same disk
    assert threshold(msgspec.structs.replace(NODE, image_fs=True), "disk") == 100_000
    soft = msgspec.structs.replace(NODE, soft={"memory.available": 300 * MI})
    assert threshold(soft, "memory") == 300 * MI
    assert threshold(NODE, "pids") is None
    assert play(NODE, [pod("a", 1, signal="pids")], pod("x"), None, "pids").ends == "no threshold"


def test_room_is_what_is_left_above_the_threshold() -> None:
    pods = [pod("a", 300 * MI), pod("b", None, 100 * MI)]  # the request stands in
    assert room(NODE, pods, "memory") == 500 * MI
    system = msgspec.structs.replace(NODE, used_by_system=Use(memory=200 * MI))
    assert room(system, pods, "memory") == 300 * MI
    reserved = msgspec.structs.replace(NODE, reserved={"memory": 350 * MI * 1000})
    assert room(reserved, pods, "memory") == 150 * MI  # kubepods is full before the node
    free = msgspec.structs.replace(reserved, pods_enforced=False)
    assert room(free, pods, "memory") == 500 * MI
    unknown = msgspec.structs.replace(reserved, used_by_system=Use())
    assert room(unknown, pods, "memory") == 150 * MI  # the node uses what is reserved for it
    measured = msgspec.structs.replace(NODE, free_disk=400_000)
    assert room(measured, [], "disk") == 250_000
    assert room(msgspec.structs.replace(NODE, disk=None), [], "disk") is None
    assert room(NODE, [], "inodes") is None


@cache
def best(
    order_: tuple[tuple[int | None, int, int], ...],
    gone: frozenset[int],
    attacker: tuple[int, int],
    cap: int,
    capacity: int,
    kept: int,
    critical: bool,
) -> int:
    """The most evictions that any sequence of uses brings about, by trying all of them."""
    most = 0
    alive = [i for i in range(len(order_)) if i not in gone]
    others = sum(_held(order_[i]) for i in alive)
    for used in range(cap + 1):
        if capacity - others - used >= kept:
            continue

        def rank(used_: int | None, asked: int, priority: int) -> tuple[float, float, float]:
            if used_ is None:
                return (0, priority, 0)
            return (1 if used_ > asked else 2, priority, asked - used_)

        ranked = sorted(((rank(*order_[i]), i) for i in alive), key=lambda one: one[0])
        mine = rank(used, *attacker)
        if ranked and (critical or ranked[0][0] <= mine):
            step = frozenset((*gone, ranked[0][1]))
            most = max(most, 1 + best(order_, step, attacker, cap, capacity, kept, critical))
    return most


def _held(one: tuple[int | None, int, int]) -> int:
    return one[1] if one[0] is None else one[0]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.none() | st.integers(0, 6), st.integers(0, 6), st.integers(0, 1)), max_size=5
    ),
    st.tuples(st.integers(0, 6), st.integers(0, 8), st.integers(0, 1)),
    st.integers(0, 30),
    st.integers(5, 26),
    st.booleans(),
)
def test_no_sequence_of_uses_evicts_more_than_the_play(
    others: list[tuple[int | None, int, int]],
    attacker: tuple[int, int, int],
    cap: int,
    capacity: int,
    critical: bool,
) -> None:
    node = Node(
        "n", {"memory": capacity * 1000}, {}, eviction={"memory.available": 2},
        used_by_system=Use(memory=0),
    )  # fmt: skip
    pods = [pod(f"p{i}", *one) for i, one in enumerate(others)]
    rank = 2_000_000_000 if critical else attacker[2]
    evil = pod("evil", attacker[0], attacker[1], rank)
    found = play(node, [*pods, evil], evil, cap)
    names = [one.victim.name for one in found.rounds]
    assert names == [one.name for one in order(node, pods, "memory")][: len(names)]
    expected = best(tuple(others), frozenset(), (attacker[1], rank), cap, capacity, 2, critical)
    assert len(names) == expected
    uses = [one.use for one in found.rounds]
    assert uses == sorted(uses)
    assert all(used <= cap for used in uses)
    assert found.assumed is any(used is None for used, _, _ in others)


def test_a_play_ends_for_a_reason() -> None:
    victims = [pod("a", 200 * MI), pod("b", 100 * MI, 200 * MI)]
    evil = pod("evil", 10 * MI, 700 * MI)
    free = play(NODE, [*victims, evil], evil, None)
    # a is over its request; then evil needs 800 Mi, over its own request, and goes before b.
    assert [(one.victim.name, one.use) for one in free.rounds] == [("a", 600 * MI + 1)]
    assert free.ends == "itself"
    assert play(NODE, [*victims, evil], evil, 600 * MI).ends == "bounded"
    assert play(NODE, [victims[0], evil], evil, None).ends == "alone"
    strong = msgspec.structs.replace(evil, request={"memory": 1_000 * MI * 1000})
    assert [one.victim.name for one in play(NODE, [*victims, strong], strong, None).rounds] == [
        "a",
        "b",
    ]


def test_what_is_reclaimed_beyond_the_threshold_spares_the_attacker_use() -> None:
    node = msgspec.structs.replace(NODE, reclaim={"memory.available": 50 * MI})
    pods = [pod("a", 30 * MI), pod("b", 20 * MI)]
    evil = pod("evil", 0, 1_000 * MI)
    uses = [one.use for one in play(node, [*pods, evil], evil, None).rounds]
    assert uses == [850 * MI + 1, 830 * MI + 1]


def test_a_pod_that_comes_anew_finds_the_room_of_the_others() -> None:
    pods = [pod("a", 300 * MI)]
    found = Ranking(NODE, pods, "memory").play(pod("new", None, 1_000 * MI), None)
    assert [one.use for one in found.rounds] == [600 * MI + 1]


def test_a_limit_of_one_container_bounds_the_disk_of_its_pod() -> None:
    def with_limits(*limits: int | None, init: str = "") -> Pod:
        parts = tuple(
            Part(f"c{i}", {}, {} if one is None else {"ephemeral-storage": one * 1000})
            for i, one in enumerate(limits)
        )
        first = {"name": "i", "resources": {"limits": {"ephemeral-storage": init}}}
        raw = {"spec": {"initContainers": [first]}} if init else {}
        return msgspec.structs.replace(pod("p"), parts=parts, raw=raw)

    assert disk_bound(with_limits(None, None)) is None
    assert disk_bound(with_limits(100, None)) == 100
    assert disk_bound(with_limits(100, 50)) == 150
    assert disk_bound(with_limits(100, 50, init="200")) == 200
    assert disk_bound(with_limits(None, init="many")) is None


def test_an_empty_dir_in_memory_is_bounded_by_the_least() -> None:
    plain = pod("p")
    limited = msgspec.structs.replace(plain, limit={"memory": 64 * MI * 1000})
    assert memory_volume(NODE, plain, None) == 900 * MI
    assert memory_volume(NODE, limited, None) == 64 * MI
    assert memory_volume(NODE, limited, 128 * MI) == 64 * MI
    assert memory_volume(NODE, limited, 32 * MI) == 32 * MI
    old = msgspec.structs.replace(NODE, kubernetes=21)
    assert memory_volume(old, limited, 32 * MI) == 500 * MI
