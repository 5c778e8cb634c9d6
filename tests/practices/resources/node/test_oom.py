"""The kernel's order of kills: a table, and an attacker's best play against trying everything."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from martello.practices.resources.node.model import Node, Part, Pod, Use
from martello.practices.resources.node.oom import kills, memory, order, uses, whole

GI = 1 << 30
PAGE = 4096
# Of 4,000,000 pages a step of oom_score_adj is 4,000 pages.
TOTAL = 4_000_000 * PAGE
NODE = Node("n", {"memory": TOTAL * 1000}, {}, used_by_system=Use(memory=0))


def pod(name: str, qos: Any, pages: int | None, request: int = 0, **more: Any) -> Pod:
    """A pod of one container, in pages."""
    asked = {"memory": request * PAGE * 1000} if request else {}
    used = Use(memory=None if pages is None else pages * PAGE)
    return Pod("ns", name, f"deploy/{name}", (Part("c", asked, {}, used),), asked, {}, qos, **more)


TABLE = [
    ("BestEffort before Burstable before Guaranteed",
     [("g", "Guaranteed", 900_000, 0), ("b", "Burstable", 10, 400_000), ("e", "BestEffort", 1, 0)],
     ["e", "b", "g"]),
    ("by the share of memory where the class is the same",
     [("small", "BestEffort", 10, 0), ("big", "BestEffort", 500_000, 0)], ["big", "small"]),
    ("what a container asks for is taken off what it uses",
     [("asks", "Burstable", 900_000, 800_000), ("plain", "Burstable", 200_000, 4_000)],
     ["plain", "asks"]),
    ("far over its request goes before one without any",
     [("over", "Burstable", 900_000, 400_000), ("none", "BestEffort", 10, 0)], ["over", "none"]),
    ("Guaranteed only by its share, after all",
     [("big", "Guaranteed", 3_000_000, 0), ("idle", "Burstable", 0, 3_999_999)],
     ["idle", "big"]),
    ("equals by name", [("b", "BestEffort", 5, 0), ("a", "BestEffort", 5, 0)], ["a", "b"]),
]  # fmt: skip


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_the_order_of_kills(row: tuple[str, list[Any], list[str]]) -> None:
    _, given_, expected = row
    pods = [pod(name, qos, pages, request) for name, qos, pages, request in given_]
    assert [one.pod.name for one in order(NODE, pods)] == expected


def test_points_are_pages_in_use_and_thousandths_of_all_pages() -> None:
    found = order(NODE, [pod("e", "BestEffort", 70), pod("g", "Guaranteed", 70)])
    assert [(one.adjust, one.points // PAGE) for one in found] == [
        (1000, 4_000_070),
        (-997, 70 - 997 * 4_000),
    ]


def test_kubepods_is_full_before_the_node_where_something_is_reserved() -> None:
    assert memory(NODE) == TOTAL
    reserved = msgspec.structs.replace(NODE, reserved={"memory": TOTAL * 250})
    assert memory(reserved) == TOTAL * 3 // 4
    assert order(reserved, [pod("e", "BestEffort", 0)])[0].points == 3_000_000 * PAGE
    loose = msgspec.structs.replace(reserved, pods_enforced=False)
    assert memory(loose) == TOTAL
    # What is outside of pods takes more than what is reserved for it: the node is full first.
    greedy = msgspec.structs.replace(reserved, used_by_system=Use(memory=TOTAL // 2))
    assert order(greedy, [pod("e", "BestEffort", 0)])[0].points == TOTAL


@pytest.mark.parametrize(
    ("cgroup", "version", "single", "expected"),
    [(2, 28, False, True), (2, 27, False, False), (1, 37, False, False), (2, 37, True, False)],
)
def test_a_container_is_killed_whole(
    cgroup: Any, version: int, single: bool, expected: bool
) -> None:
    node = msgspec.structs.replace(NODE, cgroup=cgroup, kubernetes=version, single_kill=single)
    assert whole(node) is expected


def test_a_burstable_attacker_in_small_pieces_outlives_what_is_worse_than_its_adjustment() -> None:
    evil = pod("evil", "Burstable", 0, 400_000)  # 900
    pods = [
        pod("e", "BestEffort", 100_000),
        pod("near", "Burstable", 390_000, 400_000),  # 900 too, and uses something
        pod("asks", "Burstable", 100_000, 2_000_000),  # 500
        evil,
    ]
    found = kills(NODE, pods, evil, evil.parts[0], None)
    assert [one.pod.name for one in found.victims] == ["e", "near"]
    assert [one // PAGE for one in found.uses] == [3_410_000, 3_510_000]
    assert found.ends == "itself"
    assert kills(NODE, pods, evil, evil.parts[0], 3_420_000 * PAGE).ends == "bounded"
    assert kills(NODE, [evil], evil, evil.parts[0], None).ends == "alone"


@cache
def most(
    others: tuple[tuple[int, int], ...],  # points, pages
    mine: int,
    cap: int,
    room: int,
) -> int:
    """The most kills by any use: the kernel takes the highest, the attacker's pieces weigh
    nothing.
    """
    best = 0
    for used in range(cap + 1):
        if used <= room:
            continue
        top = max(range(len(others)), key=lambda i: others[i][0], default=None)
        if top is None or others[top][0] < mine:
            continue
        rest = others[:top] + others[top + 1 :]
        best = max(best, 1 + most(rest, mine, cap, room + others[top][1]))
    return best


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(("Guaranteed", "Burstable", "BestEffort")),
            st.integers(0, 6),
            st.integers(0, 9),
        ),
        max_size=5,
    ),
    st.sampled_from(("Guaranteed", "Burstable", "BestEffort")),
    st.integers(0, 9),
    st.integers(0, 30),
)
def test_no_use_kills_more_than_the_play(
    given_: list[tuple[str, int, int]], class_: str, request: int, cap: int
) -> None:
    step = 200_000  # pages: 20 of them are the node
    pods = [pod(f"p{i}", q, used * step, asked * step) for i, (q, used, asked) in enumerate(given_)]
    evil = pod("evil", class_, 0, request * step)
    found = kills(NODE, [*pods, evil], evil, evil.parts[0], cap * step * PAGE)
    base = next(one for one in order(NODE, [evil])).points
    ranked = order(NODE, pods)
    assert [one.pod.name for one in found.victims] == [
        one.pod.name for one in ranked[: len(found.victims)]
    ]
    others = tuple((one.points, one.use // PAGE // step) for one in ranked)
    room = 20 - sum(pages for _, pages in others)
    assert len(found.victims) == most(others, base, cap, room)


def test_memory_of_a_pod_falls_to_the_containers_that_nobody_measured() -> None:
    parts = (
        Part("a", {}, {}, Use(memory=10)),
        Part("b", {"memory": 1_000}, {}),
        Part("c", {"memory": 3_000}, {}),
    )
    one = msgspec.structs.replace(pod("p", "Burstable", None), parts=parts, use=Use(memory=50))
    assert uses(one) == [10, 10, 30]
    assert uses(msgspec.structs.replace(one, use=Use())) == [10, 1, 3]
    even = (Part("a", {}, {}), Part("b", {}, {}))
    assert uses(msgspec.structs.replace(one, parts=even)) == [25, 25]
