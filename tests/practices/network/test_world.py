"""The places of a cluster, and how people name them."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.network import objects as o

from martello.core.cluster import Cluster
from martello.core.errors import BadInput
from martello.core.resource import Nowhere, resource_of
from martello.practices.network.model import Address, Endpoint, Node
from martello.practices.network.world import endpoint_of, find, world

_OWNED = {"controller": True, "uid": "r1", "kind": "ReplicaSet", "name": "web-5d4"}


def _maker(kind: str, name: str, uid: str, owner: dict[str, Any] | None = None) -> dict[str, Any]:
    version = "batch/v1" if kind in ("Job", "CronJob") else "apps/v1"
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": []}}
    spec: dict[str, Any] = {"template": template}
    if kind == "CronJob":
        spec = {"jobTemplate": {"spec": spec}}
    metadata = {"name": name, "namespace": "shop", "uid": uid}
    if owner:
        metadata["ownerReferences"] = [owner]  # type: ignore[assignment]
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


def _web_pod(name: str, **status: Any) -> dict[str, Any]:
    pod = o.pod("shop", name, {"app": "web"}, ["10.1.0.1"], [])
    pod["metadata"]["ownerReferences"] = [_OWNED]
    pod["status"].update(status)
    return pod


def _deployed(*pods: dict[str, Any]) -> Cluster:
    owner = {"controller": True, "uid": "d1", "kind": "Deployment", "name": "web"}
    return o.cluster(
        [
            _maker("Deployment", "web", "d1"),
            _maker("ReplicaSet", "web-5d4", "r1", owner),
            *pods,
        ]
    )


def test_pods_are_grouped_under_their_outermost_owner() -> None:
    found = world(_deployed(_web_pod("web-a"), _web_pod("web-b"))).endpoints
    assert [(e.name, e.kind, e.workload, e.key) for e in found] == [
        ("shop/web", "Deployment", "web", "shop/web-a"),
        ("shop/web", "Deployment", "web", "shop/web-b"),
    ]


def test_a_workload_without_pods_is_one_endpoint_and_what_it_made_is_none() -> None:
    (found,) = world(_deployed()).endpoints
    assert (found.name, found.kind, found.pod, found.labels) == (
        "shop/web",
        "Deployment",
        "",
        {"app": "web"},
    )
    assert found.addresses == ()


def test_workloads_of_one_name_and_two_kinds_are_told_apart() -> None:
    made = [_maker("Deployment", "web", "d1"), _maker("CronJob", "web", "c1")]
    found = world(o.cluster([*made, o.pod("shop", "web", {}, [], [])])).endpoints
    assert {e.name for e in found} == {"shop/web"}
    assert len({e.key for e in found}) == 3


def test_an_owner_that_is_not_here_still_names_its_pods() -> None:
    (found,) = world(o.cluster([_web_pod("web-a")])).endpoints
    assert (found.name, found.kind) == ("shop/web-5d4", "ReplicaSet")


def test_a_mirror_pod_of_a_node_stands_for_itself() -> None:
    pod = o.pod("kube-system", "etcd-n1", {}, ["10.0.0.1"], [])
    pod["metadata"]["ownerReferences"] = [{"controller": True, "kind": "Node", "name": "n1"}]
    (found,) = world(o.cluster([pod])).endpoints
    assert (found.workload, found.kind) == ("etcd-n1", "Pod")


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_P17_pods_that_are_over_are_no_endpoints(phase: str) -> None:
    (found,) = world(_deployed(_web_pod("web-a", phase=phase))).endpoints
    assert found.pod == ""
    assert not world(
        o.cluster([o.pod("a", "x", {}, [], []) | {"status": {"phase": phase}}])
    ).endpoints


def test_P17_pending_pods_have_no_address_and_dual_stack_ones_two() -> None:
    pending = o.pod("a", "pending", {}, [], [])
    both = o.pod("a", "both", {}, ["10.1.0.1", "fd00::1"], [])
    found = {e.pod: e.addresses for e in world(o.cluster([pending, both])).endpoints}
    assert found["pending"] == ()
    assert found["both"] == ((4, 0x0A010001), (6, (0xFD << 120) + 1))


def test_P7_the_name_label_is_on_every_namespace() -> None:
    found = world(o.cluster([o.namespace("shop", {"team": "a"})])).namespaces
    assert found == {"shop": {"team": "a", "kubernetes.io/metadata.name": "shop"}}


def test_P8_no_namespace_is_default_and_a_missing_one_has_a_name_only() -> None:
    pod = o.pod("", "x", {}, [], [])
    found = world(o.cluster([pod, o.pod("shop", "y", {}, [], [])]))
    assert [e.key for e in found.endpoints] == ["default/x", "shop/y"]
    assert found.namespaces == {"default": None, "shop": None}
    assert any("default, shop" in note for note in found.notes)


def test_P10_init_and_sidecar_ports_count_and_repeats_are_kept() -> None:
    http = {"name": "http", "containerPort": 80}
    pod = o.pod("a", "x", {}, [], [http, {"name": "http", "containerPort": 8080}])
    pod["spec"]["initContainers"] = [
        {"name": "i", "ports": [{"name": "dns", "containerPort": 53, "protocol": "UDP"}]}
    ]
    (found,) = world(o.cluster([pod])).endpoints
    assert [(p.name, p.number, p.protocol) for p in found.ports] == [
        ("http", 80, "TCP"),
        ("http", 8080, "TCP"),
        ("dns", 53, "UDP"),
    ]


def test_P15_a_pod_on_the_network_of_its_node_has_the_addresses_of_the_node() -> None:
    pod = o.pod("a", "x", {}, ["10.0.0.7"], [], "n1")
    pod["spec"]["hostNetwork"] = True
    node = o.node("n1", ["10.0.0.7", "fd00::7"], {"zone": "a"})
    found = world(o.cluster([pod, node]))
    assert found.endpoints[0].host_network
    assert found.endpoints[0].addresses == found.nodes[0].addresses
    assert len(found.nodes[0].addresses) == 2


def test_nodes_have_pod_ranges() -> None:
    node = o.node("n1", [], {})
    node["spec"] = {"podCIDRs": ["10.244.1.0/24", "fd00::/64", "junk"]}
    (found,) = world(o.cluster([node])).nodes
    assert found.pod_ranges[0] == (4, 0x0AF40100, 0x0AF401FF)
    assert len(found.pod_ranges) == 2


def test_jobs() -> None:
    job = _maker("Job", "report", "j1")
    (found,) = world(o.cluster([job])).endpoints
    assert found.labels["job-name"] == "report"
    (cron,) = world(o.cluster([_maker("CronJob", "nightly", "c1")])).endpoints
    assert (cron.name, cron.labels) == ("shop/nightly", {"app": "nightly"})
    done = job | {"status": {"conditions": [{"type": "Complete", "status": "True"}]}}
    assert not world(o.cluster([done])).endpoints


def test_a_custom_kind_with_a_pod_template_counts_and_a_pod_template_does_not() -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c"}]}}
    rollout = {
        "apiVersion": "example.com/v1",
        "kind": "Rollout",
        "metadata": {"name": "r", "namespace": "shop"},
        "spec": {"template": template},
    }
    alone = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "t"}}
    found = world(o.cluster([rollout, alone | {"template": template}])).endpoints
    assert [(e.name, e.labels) for e in found] == [("shop/r", {"a": "b"})]


def test_what_could_not_be_listed_is_said() -> None:
    found = world(Cluster([], unlisted={"Pod": "forbidden", "Namespace": "forbidden"}))
    assert found.unlisted == {"Pod": "forbidden", "Namespace": "forbidden"}
    assert found.notes == (
        "Pod could not be listed: forbidden",
        "Namespace could not be listed: forbidden",
    )


def test_endpoint_of_one_object_is_what_the_world_has() -> None:
    cluster = _deployed(_web_pod("web-a"))
    by_key = {e.key: e for e in world(cluster).endpoints}
    found = [endpoint_of(r, cluster) for r in cluster.resources]
    assert [f and f.key for f in found] == [None, None, "shop/web-a"]
    assert found[2] is not None
    assert found[2].name == by_key["shop/web-a"].name
    alone = _deployed()
    assert [f and f.key for f in (endpoint_of(r, alone) for r in alone.resources)] == [
        "shop/Deployment/web",
        None,
    ]


def _shop() -> Cluster:
    return o.cluster(
        [
            *(r.raw for r in _deployed(_web_pod("web-a")).resources),
            o.pod("shop", "db-0", {}, ["10.1.0.9"], []),
            o.node("n1", ["10.0.0.1"], {}),
        ]
    )


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("shop/web", ["web-a"]),
        ("shop/deploy/web", ["web-a"]),
        ("shop/Deployment/web", ["web-a"]),
        ("shop/pod/web-a", ["web-a"]),
        ("shop/web-a", ["web-a"]),
        ("shop/*", ["web-a", "db-0"]),
        ("10.1.0.9", ["db-0"]),
    ],
)
def test_find_endpoints(text: str, names: list[str]) -> None:
    found = find(world(_shop()), text)
    assert [e.pod for e in found if isinstance(e, Endpoint)] == names


def test_find_nodes_and_addresses() -> None:
    places = world(_shop())
    assert [n.name for n in find(places, "node/n1") if isinstance(n, Node)] == ["n1"]
    assert [n.name for n in find(places, "10.0.0.1") if isinstance(n, Node)] == ["n1"]
    assert find(places, "8.8.8.8") == (Address(4, 0x08080808, 0x08080808),)
    assert find(places, "10.0.0.0/8") == (Address(4, 0x0A000000, 0x0AFFFFFF),)
    assert [p.version for p in find(places, "internet") if isinstance(p, Address)] == [4, 6]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("shop/wbe", "shop/web"),
        ("web", "shop/web"),
        ("prod/web", "shop/web"),
        ("shop/sts/web", "shop/web"),
        ("node/n2", "node/n1"),
        ("", "matrix"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest(text: str, hint: str) -> None:
    with pytest.raises(BadInput) as error:
        find(world(_shop()), text)
    assert hint in error.value.next


def test_of_two_objects_of_one_name_the_last_counts() -> None:
    one, other = o.pod("a", "x", {"v": "1"}, [], []), o.pod("a", "x", {"v": "2"}, [], [])
    found = world(Cluster([resource_of(raw, Nowhere()) for raw in (one, other)]))
    assert [e.labels for e in found.endpoints] == [{"v": "2"}]
