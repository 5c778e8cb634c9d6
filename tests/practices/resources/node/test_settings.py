"""Nodes and their kubelets' settings: what is told, what follows, what is assumed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from martello.core.cluster import Cluster
from martello.core.errors import BadInput, MartelloError
from martello.core.resource import Nowhere, resource_of
from martello.practices.resources.node.model import Node, Use
from martello.practices.resources.node.settings import nodes
from martello.practices.resources.node.summary import own_image_disk, uses

MI, GI = 1 << 20, 1 << 30
DATA = Path(__file__).parents[3] / "adapters/kubelet/data"
CONFIG: dict[str, Any] = json.loads((DATA / "configz.json").read_text())["kubeletconfig"]
SUMMARY: dict[str, Any] = json.loads((DATA / "summary.json").read_text())


def node_object(name: str = "worker-1", **status: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"zone": "a"}},
        "spec": {"taints": [{"key": "k", "effect": "NoSchedule"}, "odd"], "unschedulable": True},
        "status": {
            "capacity": {
                "cpu": "4",
                "memory": "16Gi",
                "ephemeral-storage": "100G",
                "pods": "110",
            },
            "allocatable": {
                "cpu": "3700m",
                "memory": str(15 * GI - 100 * MI),
                "ephemeral-storage": "90G",
                "pods": "110",
            },
            "nodeInfo": {"kubeletVersion": "v1.30.2+k3s1"},
            **status,
        },
    }


def world(*objects: dict[str, Any]) -> Cluster:
    return Cluster([resource_of(one, Nowhere()) for one in objects], kubernetes=33)


def one(kubelet: dict[str, Any] | None = None, stats: Any = None, **status: Any) -> Node:
    told = {} if kubelet is None else {"worker-1": kubelet}
    seen = {} if stats is None else {"worker-1": stats}
    (found,) = nodes(world(node_object(**status)), told, seen)
    return found


def test_a_node_that_tells_nothing_but_itself() -> None:
    found = one()
    assert found.kubernetes == 30
    assert found.labels == {"zone": "a"}
    assert found.taints == ({"key": "k", "effect": "NoSchedule"},)
    assert found.unschedulable
    assert found.eviction["memory.available"] == 100 * MI
    # A tenth as the kubelet reckons: in single precision, 0.1 is a little more.
    assert found.eviction["nodefs.available"] == int(100e9 * 0.10000000149011612) == 10_000_000_149
    assert found.eviction["imagefs.available"] == 15_000_000_596
    assert "nodefs.inodesFree" not in found.eviction  # nobody knows how many there are
    assert found.reserved == {"cpu": 300, "memory": GI * 1000}
    assert (found.pod_pids, found.pids, found.disk) == (None, 32_768, 100_000_000_000)
    assert {"eviction", "reserved", "pod_pids", "pids", "cgroup", "inodes"} <= found.assumed
    assert "allocatable" not in found.assumed
    assert found.used_by_system == Use()


def test_a_configuration_replaces_what_was_assumed() -> None:
    found = one(CONFIG)
    assert found.eviction["memory.available"] == 200 * MI
    assert found.soft == {"memory.available": 400 * MI}
    assert found.reclaim == {"memory.available": 100 * MI}
    assert found.reserved == {"cpu": 300, "memory": 768 * MI * 1000}
    assert (found.pod_pids, found.reserved_pids) == (1024, 200)
    assert (found.cgroup, found.single_kill, found.pods_enforced) == (2, False, True)
    assert found.assumed == {
        "curve",
        "pids",
        "inodes",
        "free_disk",
        "image_fs",
        "used_by_system",
    }


def test_stats_tell_the_rest() -> None:
    found = one(CONFIG, SUMMARY)
    assert found.assumed == {"curve"}
    assert (found.pids, found.inodes, found.free_disk) == (4_194_304, 6_500_000, 80_000_000_000)
    assert found.eviction["nodefs.inodesFree"] == 325_000
    assert found.image_fs is False
    assert found.used_by_system == Use(
        cpu=122, memory=1 * GI, pids=883, disk=20_000_000_000 - 1_101_824, inodes=499_979
    )


def test_one_threshold_drops_the_defaults_of_the_others() -> None:
    assert one({"evictionHard": {"memory.available": "1Gi"}}).eviction == {"memory.available": GI}
    merged = one(
        {"evictionHard": {"memory.available": "1Gi"}, "mergeDefaultEvictionSettings": True}
    )
    assert merged.eviction.keys() == {"memory.available", "nodefs.available", "imagefs.available"}
    assert one({"evictionHard": {}}).eviction == {}
    assert one({}).eviction.keys() == merged.eviction.keys()  # null: the defaults


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("0%", None),
        ("100%", None),
        ("50%", 8 * GI),
        ("7.5%", 1_288_490_240),
        ("1.5", 2),
        ("0", None),
    ],
)
def test_thresholds_as_the_kubelet_reads_them(raw: str, expected: int | None) -> None:
    found = one({"evictionHard": {"memory.available": raw}})
    assert found.eviction.get("memory.available") == expected


@pytest.mark.parametrize(
    "kubelet",
    [
        {"evictionHard": {"memory.available": "many"}},
        {"evictionHard": {"memory.available": "-1"}},
        {"evictionHard": {"memory.available": "101%"}},
        {"evictionHard": {"memory.available": "1e9%"}},
        {"evictionHard": {"memory.available": "%"}},
        {"evictionHard": {"memory.available": 5}},
        {"evictionHard": {"memory.free": "1Gi"}},
        {"evictionHard": []},
        {"podPidsLimit": "many"},
        {"podPidsLimit": True},
        {"systemReserved": {"cpu": "-1"}},
        {"kubeReserved": "all"},
        {"enforceNodeAllocatable": "pods"},
        {"cpuCFSQuota": "no"},
        {"featureGates": []},
        {"reservedSystemCPUs": "all"},
        {"reservedSystemCPUs": 4},
    ],
)
def test_what_no_kubelet_starts_with_is_refused(kubelet: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="worker-1"):
        one(kubelet)


def test_a_refusal_is_bounded() -> None:
    with pytest.raises(BadInput) as error:
        one({"evictionHard": {"x" * 10_000: "1"}})
    assert len(str(error.value.why)) < 200


def test_switches() -> None:
    assert one({"enforceNodeAllocatable": []}).pods_enforced is False
    assert one({"enforceNodeAllocatable": ["none"]}).pods_enforced is False
    assert one({"cgroupsPerQOS": False}).pods_enforced is False
    assert one({"cpuCFSQuota": False}).cpu_quota is False
    assert one({"singleProcessOOMKill": True}).single_kill is True
    assert one({"memorySwap": {"swapBehavior": "LimitedSwap"}}).swap is True
    assert one({"podPidsLimit": -1}).pod_pids is None
    assert one({"featureGates": {"MemoryQoS": True}}).memory_qos is True
    recent = {"nodeInfo": {"kubeletVersion": "v1.37.0"}}
    assert one(**recent).memory_qos is True
    assert one({"featureGates": {"MemoryQoS": False}}, **recent).memory_qos is False


def test_processors_reserved_by_number_take_the_place_of_amounts() -> None:
    found = one({"reservedSystemCPUs": "0-1,3,1", "kubeReserved": {"cpu": "9", "memory": "1Ki"}})
    assert found.reserved == {"cpu": 3_000, "memory": 1_024_000}


def test_without_nodes_one_is_assumed() -> None:
    (found,) = nodes(world())
    assert found.name == ""
    assert found.capacity["cpu"] == 4_000
    assert found.allocatable["memory"] == (16 * GI - 100 * MI) * 1000
    assert found.kubernetes == 33
    assert {"capacity", "allocatable", "disk"} <= found.assumed
    (told,) = nodes(world(), {"": CONFIG})
    assert told.pod_pids == 1024


def test_a_configuration_for_all_gives_way_to_a_nodes_own() -> None:
    told = {"": {"podPidsLimit": 7}, "a": {"podPidsLimit": 9}}
    found = nodes(world(node_object("b"), node_object("a")), told)
    assert [(node.name, node.pod_pids) for node in found] == [("a", 9), ("b", 7)]


def test_uses_of_pods_and_containers() -> None:
    found = uses(SUMMARY)
    assert found["shop/web-5d7f9-abcde"] == Use(
        cpu=126, memory=421_527_552, pids=17, disk=1_101_824, inodes=21
    )
    assert found["shop/web-5d7f9-abcde/app"] == Use(
        cpu=121, memory=384 * MI, disk=49_152, inodes=13
    )
    assert found["shop/fresh"] == Use()  # no stats yet: it goes first


def test_images_on_a_disk_of_their_own() -> None:
    other = {"capacityBytes": 5, "inodes": 5}
    node = {**SUMMARY["node"], "runtime": {"imageFs": other}}
    assert own_image_disk({"node": node}) is True
    assert own_image_disk({}) is None


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("0159%GMmi.e-", max_size=6),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["memory.available", "cpu", "memory", "pid", "fs", "rlimit", "swapBehavior"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)
KEYS = st.sampled_from([*sorted(CONFIG), "node", "pods"])


@given(st.dictionaries(KEYS, VALUES, max_size=5), VALUES, VALUES)
def test_any_settings_make_a_node_or_are_refused(
    raw: dict[str, Any], capacity: Any, stats: Any
) -> None:
    try:
        found = one(raw, {"node": stats, "pods": stats}, capacity=capacity, allocatable=capacity)
    except MartelloError:
        return
    assert all(amount > 0 for amount in (*found.eviction.values(), *found.soft.values()))
    assert all(amount >= 0 for amount in found.allocatable.values())


def test_a_node_that_pods_are_on_and_that_is_not_here_is_assumed() -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"nodeName": "n"}}
    (found,) = nodes(world(pod))
    assert found.name == "n"
    assert {"capacity", "allocatable", "pod_pids"} <= found.assumed
    assert [one.name for one in nodes(world(pod, node_object()))] == ["n", "worker-1"]


def test_a_capacity_beyond_64_bits_is_the_most_there_is() -> None:
    found = one({"evictionHard": {"memory.available": "10%"}}, capacity={"memory": "1e400"})
    assert found.capacity["memory"] == ((1 << 63) - 1) * 1000
