"""What the kubelet's own functions answered (1.20.2): order of eviction, class, score, groups.

data/kubelet_test.go recorded it; of 5,000 such worlds, none was answered otherwise by Martello.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, resource_of
from martello.practices.resources.node.cgroups import Group, quota, tree
from martello.practices.resources.node.evict import order
from martello.practices.resources.node.model import CRITICAL, Node, Pod, Use
from martello.practices.resources.node.pods import pods
from martello.practices.resources.node.qos import oom_score_adj

FILE = Path(__file__).parent / "data" / "kubelet-1.20.2.json"
WORLDS: list[dict[str, Any]] = json.loads(FILE.read_text())
NODE = Node("n", {"cpu": 8_000, "memory": (16 << 30) * 1000}, {}, kubernetes=20, cgroup=1)


def read(world: dict[str, Any]) -> dict[str, Pod]:
    objects = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": one["name"], "namespace": "ns"},
            "spec": {"nodeName": "n", "priority": one["priority"], **one["spec"]},
        }
        for one in world["pods"]
    ]
    use = {
        f"ns/{one['name']}": Use(**{world["signal"]: one["use"]})
        for one in world["pods"]
        if one["use"] is not None
    }
    found = pods(Cluster([resource_of(one, Nowhere()) for one in objects], kubernetes=20), use)
    return {one.name: one for one in found}


def groups(all_: dict[str, Pod]) -> dict[str, Group]:
    kubepods = tree(NODE, list(all_.values())).children[1]
    return {
        group.name.removeprefix("ns/"): group
        for child in kubepods.children
        for group in ([child] if child.pod is not None else child.children)
    }


@pytest.mark.parametrize("part", range(4))
def test_the_kubelet_answers_the_same(part: int) -> None:
    for world in WORLDS[part::4]:
        ours = read(world)
        # Of equals the kubelet takes any: its order must be one of those that ours allows.
        theirs = [name for name in world["order"] if ours[name].priority < CRITICAL]
        for first, second in pairwise(theirs):
            pair = [ours[first], ours[second]]
            names = [one.name for one in order(NODE, pair, world["signal"])]
            assert names == [first, second] or equal(pair, world["signal"]), world
        assert {name: one.qos for name, one in ours.items()} == world["class"], world
        for one in ours.values():
            for container in one.parts:
                score = world["adjust"][f"{one.name}/{container.name}"]
                assert oom_score_adj(one, container, NODE) == score, world
        for name, group in groups(ours).items():
            cap = -1 if group.cap is None else quota(ours[name].limit["cpu"])
            memory = -1 if group.memory is None else group.memory
            shares, held, limit = world["group"][name]
            # Where nothing is limited the kubelet writes 0, or nothing.
            assert (group.weight, cap, memory) == (
                min(shares, 262_144),
                held or -1,
                limit or -1,
            ), world


def equal(pair: list[Pod], signal: Any) -> bool:
    """Whether two pods rank alike: their names alone decide, either way round."""
    first, second = pair
    swapped = [
        msgspec.structs.replace(first, name=second.name),
        msgspec.structs.replace(second, name=first.name),
    ]
    before = [one.name for one in order(NODE, pair, signal)]
    after = [one.name for one in order(NODE, swapped, signal)]
    return before == after
