"""Classes of service and oom_score_adj, by version: tables."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from martello.practices.resources.node.model import Node, Part, Pod
from martello.practices.resources.node.qos import oom_score_adj, qos_class

GI = 1 << 30
NODE = Node("n", {"memory": 16 * GI * 1000}, {})
BOTH = {"cpu": 100, "memory": 100}


@pytest.mark.parametrize(
    ("needs", "expected"),
    [
        ([({}, {})], "BestEffort"),
        ([({"cpu": 0, "memory": 0}, {"cpu": 0})], "BestEffort"),  # 0 is nothing said
        ([({"ephemeral-storage": 5}, {"ephemeral-storage": 5})], "BestEffort"),
        ([(BOTH, BOTH)], "Guaranteed"),
        ([(BOTH, BOTH), (BOTH, BOTH)], "Guaranteed"),
        ([({"cpu": 100}, {"cpu": 100})], "Burstable"),  # memory has none
        ([({"cpu": 50, "memory": 100}, BOTH)], "Burstable"),
        ([(BOTH, BOTH), ({}, {})], "Burstable"),  # an init container counts as any
        ([(BOTH, {})], "Burstable"),
        ([({**BOTH, "gpu": 1}, {**BOTH, "gpu": 2})], "Guaranteed"),
        ([], "BestEffort"),
    ],
)
def test_the_class_of_a_pod(needs: list[Any], expected: str) -> None:
    assert qos_class(needs) == expected


def test_what_the_pod_says_as_a_whole_decides_alone() -> None:
    assert qos_class([({}, {})], (BOTH, BOTH)) == "Guaranteed"
    assert qos_class([(BOTH, BOTH)], ({"cpu": 50}, {"cpu": 100})) == "Burstable"
    assert qos_class([(BOTH, BOTH)], ({}, {})) == "BestEffort"


def pod(qos: Any, memory: int = 0, *, spec: Any = None, priority: int = 0, **more: Any) -> Pod:
    """A pod of one container that asks for bytes of memory."""
    part = Part("c", {"memory": memory * 1000} if memory else {}, {})
    raw = {"spec": spec} if spec is not None else {}
    return Pod("ns", "p", "", (part,), part.requests, {}, qos, priority=priority, raw=raw, **more)


NODE_CRITICAL = {"priorityClassName": "system-node-critical"}
CLUSTER_CRITICAL = {"priorityClassName": "system-cluster-critical"}
ADJUST = [
    # the pod, the kubelet's version, oom_score_adj
    (pod("Guaranteed", GI), 37, -997),
    (pod("Guaranteed", GI), 20, -997),
    (pod("Guaranteed", GI), 19, -998),
    (pod("BestEffort"), 37, 1000),
    (pod("Burstable"), 37, 999),  # no memory asked for: not as bad as BestEffort
    (pod("Burstable", GI), 37, 938),  # 1000 - floor(1000 / 16)
    (pod("Burstable", 8 * GI), 37, 500),
    (pod("Burstable", 16 * GI), 37, 3),  # not as good as Guaranteed
    (pod("Burstable", 16 * GI), 19, 2),
    (pod("Burstable", 99 * GI), 37, 3),
    (pod("BestEffort", priority=2_000_001_000, spec=NODE_CRITICAL), 37, -997),
    (pod("BestEffort", priority=2_000_001_000, spec=NODE_CRITICAL), 21, -997),
    (pod("BestEffort", priority=2_000_000_000, spec=CLUSTER_CRITICAL), 22, 1000),
    (pod("BestEffort", priority=2_000_000_000, spec=CLUSTER_CRITICAL), 21, -997),
    (pod("BestEffort", priority=2_000_001_000), 37, -997),  # the class is not known
    (pod("Burstable", 8 * GI, static=True, spec={}), 37, 500),  # static alone is not critical
    (pod("Burstable", 8 * GI, static=True, spec={}), 21, -997),
]


@pytest.mark.parametrize(("one", "version", "expected"), ADJUST)
def test_oom_score_adj(one: Pod, version: int, expected: int) -> None:
    node = msgspec.structs.replace(NODE, kubernetes=version)
    assert oom_score_adj(one, one.parts[0], node) == expected


def test_a_sidecar_is_no_worse_than_the_least_of_the_containers() -> None:
    parts = (
        Part("a", {"memory": 8 * GI * 1000}, {}),
        Part("b", {"memory": 4 * GI * 1000}, {}),
        Part("s", {"memory": GI * 1000}, {}, sidecar=True),
        Part("t", {"memory": 6 * GI * 1000}, {}, sidecar=True),
    )
    one = msgspec.structs.replace(pod("Burstable"), parts=parts)
    assert [oom_score_adj(one, part, NODE) for part in parts] == [500, 750, 750, 625]
    old = msgspec.structs.replace(NODE, kubernetes=27)
    assert oom_score_adj(one, parts[2], old) == 938


def test_what_the_pod_asks_for_beyond_its_containers_is_shared_out() -> None:
    spec = {
        "resources": {"requests": {"memory": "9Gi"}},
        "containers": [{"name": "c"}],
        "initContainers": [{"name": "i", "resources": {"requests": {"memory": "2Gi"}}}],
    }
    one = pod("Burstable", GI, spec=spec)
    # 9 Gi less 2 Gi of the init container, for two: 3.5 Gi each, and the container's own.
    assert oom_score_adj(one, one.parts[0], NODE) == 1000 - 4608 * 1000 // 16384
    assert oom_score_adj(one, one.parts[0], msgspec.structs.replace(NODE, kubernetes=33)) == 938


@given(st.integers(0, 1 << 45), st.integers(0, 1 << 45), st.sampled_from((19, 21, 30, 37)))
def test_burstable_stays_between_the_other_classes(
    request: int, capacity: int, version: int
) -> None:
    node = Node("n", {"memory": capacity * 1000}, {}, kubernetes=version)
    one = pod("Burstable", request)
    found = oom_score_adj(one, one.parts[0], node)
    assert 2 <= found <= 999
