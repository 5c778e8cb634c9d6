"""Whom the scheduler removes: small worlds by hand, and how versions differ."""

from __future__ import annotations

from typing import Any

import msgspec
from tests.support.objects import reading

from martello.practices.resources.node.model import Node, Pod
from martello.practices.resources.node.preempt import Budget, budgets, on_node, victims


def pod(name: str, cpu: int = 500, priority: int = 0, started: float = 0, **labels: str) -> Pod:
    asked = {"cpu": cpu} if cpu else {}
    raw: dict[str, Any] = {"metadata": {"labels": labels or {"app": name}}}
    return Pod(
        "ns", name, "", (), asked, {}, "Burstable", priority=priority, started=started, raw=raw
    )


def node(name: str = "n", cpu: int = 1_000, pods: int = 10) -> Node:
    room = {"cpu": cpu, "memory": 1 << 40, "pods": pods * 1_000}
    return Node(name, room, room)


def budget(allowed: int, **labels: str) -> Budget:
    return Budget("ns", {"matchLabels": labels}, allowed)


NEW = pod("new", 500, 100)


def gone(*placed: Pod, budgets: tuple[Budget, ...] = (), kubernetes: int = 37) -> list[str]:
    found = on_node(NEW, node(), placed, budgets, kubernetes)
    return [] if found is None else [one.name for one in found.victims]


def test_the_least_important_go_and_no_more_than_needed() -> None:
    assert gone(pod("low", priority=1), pod("high", priority=2)) == ["low"]
    assert gone(pod("old", started=1), pod("new", started=2)) == ["new"]
    # Both must go for room; the small one then comes back.
    assert gone(pod("big", 900, 1), pod("small", 100, 2)) == ["big"]


def test_only_pods_of_lower_priority_go() -> None:
    assert gone(pod("same", 1_000, 100)) == []
    assert gone(pod("same", 600, 100), pod("low", 400, 99)) == []


def test_a_budget_spares_its_pods_before_more_important_ones() -> None:
    held, free = pod("held", priority=1, app="db"), pod("free", priority=2)
    assert gone(held, free, budgets=(budget(0, app="db"),)) == ["free"]
    assert gone(held, free, budgets=(budget(1, app="db"),)) == ["held"]
    away = Budget("other", {"matchLabels": {"app": "db"}}, 0)
    empty = Budget("ns", {}, 0)  # selects nobody here, though all of them for an eviction
    broken = Budget("ns", {"matchExpressions": [{"operator": "Odd"}]}, 0)
    counted = Budget("ns", {"matchLabels": {"app": "db"}}, 0, frozenset({"held"}))
    assert gone(held, free, budgets=(away, empty, broken, counted)) == ["held"]


def test_among_nodes_each_rule_decides_what_the_one_before_left_open() -> None:
    def chosen(*placed: tuple[Pod, ...], budgets: tuple[Budget, ...] = ()) -> list[str]:
        on = {f"n{i}": one for i, one in enumerate(placed)}
        found = victims(NEW, [node(name) for name in on], on, budgets)
        return [choice.node for choice in found]

    db = (pod("db", 1_000, 1, app="db"),)
    assert chosen(db, (pod("x", 1_000, 90),), budgets=(budget(0, app="db"),)) == ["n1"]
    assert chosen((pod("x", 1_000, 5),), (pod("y", 1_000, 4),)) == ["n1"]
    both = (pod("x", 400, 5), pod("y", 100, 0), pod("k", 500, 200))
    assert chosen(both, (pod("z", 500, 5), pod("k", 500, 200))) == ["n1"]  # less together
    early, late = pod("x", 1_000, 5, 10), pod("y", 1_000, 5, 20)
    assert chosen((early,), (late,)) == ["n1"]
    assert chosen((early,), (pod("z", 1_000, 5, 10),)) == ["n0", "n1"]  # any of them


def test_nobody_goes_where_the_pod_fits_or_may_not_preempt() -> None:
    full = {"n": (pod("x", 1_000),)}
    assert [one.node for one in victims(NEW, [node()], full)] == ["n"]
    assert victims(NEW, [node(), node("free")], full) == ()
    meek = msgspec.structs.replace(NEW, preempts=False)
    assert victims(meek, [node()], full) == ()
    assert victims(NEW, [], {}) == ()


def test_the_number_of_pods_is_a_resource_too() -> None:
    placed = (pod("a", 0, 1), pod("b", 0, 2))
    found = on_node(pod("new", 0, 100), node(pods=2), placed)
    assert found is not None
    assert [one.name for one in found.victims] == ["a"]


def test_a_node_that_holds_too_much_refuses_what_asks_for_nothing_of_it_before_1_28() -> None:
    crowded = (pod("x", 2_000, 200), pod("low", 0, 1))
    new = msgspec.structs.replace(NEW, request={"memory": 1_000})
    assert victims(new, [node()], {"n": crowded}, kubernetes=28) == ()  # it fits
    assert on_node(new, node(), crowded, kubernetes=27) is None  # and nothing helps


def test_the_first_victim_stood_for_the_most_important_before_1_32() -> None:
    held = pod("held", 700, 1, app="db")
    other = pod("other", 300, 50)
    new = pod("new", 1_000, 100)
    allowed = (budget(0, app="db"),)
    old = on_node(new, node(), (held, other), allowed, 31)
    recent = on_node(new, node(), (held, other), allowed, 32)
    assert old is not None
    assert recent is not None
    assert [one.name for one in old.victims] == ["held", "other"]
    assert [one.name for one in recent.victims] == ["other", "held"]
    assert old.violations == recent.violations == 1


def test_budgets_are_read_from_their_status() -> None:
    text = """
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: a, namespace: ns}
spec: {selector: {matchLabels: {app: db}}}
status: {disruptionsAllowed: 2, disruptedPods: {db-0: "2026-01-01T00:00:00Z"}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: b, namespace: ns}
spec: {selector: many}
status: {disruptionsAllowed: true}
"""
    first, second = budgets(reading(text).world())
    assert first == Budget("ns", {"matchLabels": {"app": "db"}}, 2, frozenset({"db-0"}))
    assert second == Budget("ns", None, 0)
