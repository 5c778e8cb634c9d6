"""Processor time down the tree: against progressive filling in small steps, and by hand."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from martello.practices.resources.node.cgroups import Group
from martello.practices.resources.node.model import Node, Part, Pod, Use
from martello.practices.resources.node.share import SYSTEM, Key, Shares, fill, served

NODE = Node("n", {"cpu": 1_000, "memory": 1 << 40}, {"cpu": 1_000}, cgroup=1)


def pod(name: str, cpu: int = 0, limit: int = 0, parts: int = 1, qos: str = "") -> Pod:
    """A pod of equal containers."""
    limits = {"cpu": limit} if limit else {}
    made = tuple(Part(f"c{i}", {"cpu": cpu}, limits) for i in range(parts))
    kind = qos or ("Burstable" if cpu or limit else "BestEffort")
    whole = {"cpu": limit * parts} if limit else {}
    return Pod("ns", name, f"deploy/{name}", made, {"cpu": cpu * parts}, whole, kind)  # type: ignore[arg-type]


def key(name: str, container: int = 0) -> Key:
    return f"ns/{name}", f"c{container}"


def poured(group: Group, capacity: float, demands: dict[Key, float]) -> dict[Key, float]:
    """Progressive filling: a drop at a time goes, at each level, to the child that is furthest
    behind its weight and can still take one.
    """
    drop = capacity / 2_000
    got: dict[int, float] = {}
    keys: dict[int, Key] = {}

    def room(at: Group) -> float:
        own = math.inf if at.cap is None else at.cap - got.get(id(at), 0.0)
        if not at.children and (at.part is not None or at.name == "system"):
            leaf = (at.pod.key, at.part.name) if at.pod and at.part else SYSTEM
            keys[id(at)] = leaf
            own = min(own, demands.get(leaf, 0.0) - got.get(id(at), 0.0))
        elif not at.children:
            return 0.0
        else:
            own = min(own, sum(room(child) for child in at.children))
        return own

    left = capacity
    while left > drop / 2 and room(group) > drop / 2:
        at = group
        got[id(at)] = got.get(id(at), 0.0) + drop
        while at.children:
            able = [child for child in at.children if room(child) > drop / 2]
            if not able:
                break
            at = min(able, key=lambda child: got.get(id(child), 0.0) / child.weight)
            got[id(at)] = got.get(id(at), 0.0) + drop
        left -= drop
    room(group)
    return {leaf: got.get(number, 0.0) for number, leaf in keys.items()}


def trees(depth: int) -> st.SearchStrategy[Group]:
    """Trees with a few leaves; names are made unique afterwards."""
    weights, caps = st.integers(2, 60), st.none() | st.integers(20, 900)
    leaf = st.builds(Group, st.just("leaf"), weights, caps)
    if not depth:
        return leaf
    inner = st.builds(
        lambda w, c, k: Group("group", w, c, children=tuple(k)),
        weights,
        caps,
        st.lists(trees(depth - 1), min_size=1, max_size=3),
    )
    return leaf | inner


def named(group: Group, path: str = "r") -> Group:
    """The tree with a pod of one container at each leaf."""
    if group.children:
        children = tuple(named(child, f"{path}{i}") for i, child in enumerate(group.children))
        return msgspec.structs.replace(group, name=path, children=children)
    part = Part("c0", {}, {})
    owner = Pod("ns", path, "", (part,), {}, {}, "BestEffort")
    return msgspec.structs.replace(group, name="c0", pod=owner, part=part)


def leaves(group: Group) -> list[Key]:
    if group.pod is not None and group.part is not None:
        return [(group.pod.key, group.part.name)]
    return [one for child in group.children for one in leaves(child)]


@settings(max_examples=25, deadline=None)
@given(trees(2), st.integers(100, 1_500), st.data())
def test_filling_drop_by_drop_comes_to_the_same(
    shape: Group, capacity: int, data: st.DataObject
) -> None:
    root = named(Group("r", 1, children=(shape,)))
    demands = {
        one: float(data.draw(st.sampled_from((0, 50, 200, 500, 2_000)))) for one in leaves(root)
    }
    ours = fill(root, capacity, demands)
    theirs = poured(root, capacity, demands)
    for one in leaves(root):
        assert ours[one] == pytest.approx(theirs[one], abs=capacity / 100), one
    assert sum(ours.values()) <= capacity + 1e-6


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_each_attacker_harms_as_filling_anew_says(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 6))
    sizes = st.sampled_from((0, 100, 250, 500))
    pods = [
        pod(f"p{i}", data.draw(sizes), data.draw(st.sampled_from((0, 0, 600))), 1 + i % 2)
        for i in range(count)
    ]
    all_ = [key(one.name, i) for one in pods for i in range(len(one.parts))]
    demands = {one: float(data.draw(st.sampled_from((0, 40, 150, 400)))) for one in all_}
    node = msgspec.structs.replace(NODE, cgroup=data.draw(st.sampled_from((1, 2))))
    calm, shares = served(node, pods, demands), Shares(node, pods, demands)
    for attacker in all_ * 2:  # the second time from what is known
        short = shares.lost(attacker)
        stormy = served(node, pods, {**demands, attacker: math.inf})
        caps = {
            key(p.name, i): part.limits.get("cpu") or math.inf
            for p in pods
            for i, part in enumerate(p.parts)
        }
        expected = {
            one: min(demands[one], caps[one]) - stormy[one]
            for one in all_
            if one != attacker and stormy[one] < calm[one] - 1e-6
        }
        assert short == pytest.approx(expected)


def test_what_siblings_leave_idle_falls_to_those_that_want() -> None:
    pods = [pod("a", 500), pod("b", 500), pod("c")]
    found = served(NODE, pods, {key("a"): 100.0, key("b"): math.inf, key("c"): math.inf})
    assert found[key("a")] == 100.0
    # kubepods: burstable 1024 shares against besteffort 2, of the 1000 there are.
    assert found[key("b")] == pytest.approx(1000 * 1024 / 1026 - 100)
    assert found[key("c")] == pytest.approx(1000 * 2 / 1026)


def test_the_weight_of_a_class_is_the_sum_of_its_pods() -> None:
    pods = [pod("g", 400, 400, qos="Guaranteed"), pod("b", 100), pod("x", 300)]
    found = served(NODE, pods, dict.fromkeys([key("g"), key("b"), key("x")], math.inf))
    # 409 shares for g, 409 for the class of b and x, which hold 102 and 307 in it, 2 for none.
    assert found[key("g")] == pytest.approx(400)  # its limit, less than its half
    assert found[key("b")] == pytest.approx(600 * 102 / 409, rel=0.01)
    assert found[key("x")] == pytest.approx(600 * 307 / 409, rel=0.01)


def test_a_limit_of_the_whole_pod_holds_its_containers_together() -> None:
    two = msgspec.structs.replace(pod("a", 100, parts=2), limit={"cpu": 300})
    found = served(NODE, [two], {key("a"): math.inf, key("a", 1): math.inf})
    assert [found[key("a", i)] for i in range(2)] == [150.0, 150.0]


def test_what_is_outside_of_pods_competes_with_all_of_them() -> None:
    node = msgspec.structs.replace(NODE, used_by_system=Use(cpu=900))
    found = served(node, [pod("a", 500)], {key("a"): math.inf})
    # kubepods has the shares of the whole node, 1024, as what is outside of it.
    assert found[key("a")] == 500.0
    assert found[SYSTEM] == 500.0


def test_a_node_without_pods_serves_nobody() -> None:
    assert served(NODE, [], {}) == {SYSTEM: 0.0}
