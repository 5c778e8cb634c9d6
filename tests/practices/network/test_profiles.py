"""Profiles: each plugin differs from another only in what it documents."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.network import objects as o

from martello.core.cluster import Cluster
from martello.core.errors import BadInput
from martello.practices.network.dialects.read import read
from martello.practices.network.model import Block, Profile
from martello.practices.network.profiles import PROFILES, detect, profile
from martello.practices.network.world import world

_NP = "NetworkPolicy.networking.k8s.io"
_CNP = "ClusterNetworkPolicy.policy.networking.k8s.io"
_ANP = "AdminNetworkPolicy.policy.networking.k8s.io"


@pytest.mark.parametrize(
    ("name", "blocks", "itself", "enforces", "acts_on", "does_not"),
    [
        ("in-tree", True, None, True, {_NP, _CNP, _ANP}, {"CiliumNetworkPolicy.cilium.io"}),
        ("calico", True, None, True, {_NP, _CNP, _ANP}, {"CiliumNetworkPolicy.cilium.io"}),
        ("cilium", False, True, True, {_NP, _CNP, "CiliumNetworkPolicy.cilium.io"}, {_ANP}),
        ("antrea", True, True, True, {_NP, _ANP, "NetworkPolicy.crd.antrea.io"}, {_CNP}),
        ("ovn", True, True, True, {_NP, _ANP}, {_CNP}),
        ("kindnet", True, None, True, {_NP, _ANP}, {_CNP}),
        ("aws-vpc", True, None, True, {_NP}, {_ANP, _CNP}),
        ("flannel", True, True, False, set(), {_NP}),
        ("martello", True, None, True, {_NP, _CNP, _ANP}, {"CiliumNetworkPolicy.cilium.io"}),
    ],
)
def test_profiles(
    name: str,
    blocks: bool,
    itself: bool | None,
    enforces: bool,
    acts_on: set[str],
    does_not: set[str],
) -> None:
    found = profile(name)
    assert found.name == name
    assert found.blocks_match_pods is blocks
    assert found.self_via_service is itself
    assert found.enforces is enforces
    assert found.dialects is not None
    assert acts_on <= found.dialects
    assert not does_not & found.dialects


def test_every_profile_is_tested_here() -> None:
    assert len(PROFILES) == 9


def test_without_a_name_all_is_open() -> None:
    assert profile("") == Profile()
    ranges = profile("", ("10.244.0.0/16",), ("10.96.0.0/12",))
    assert (ranges.pod_ranges, ranges.service_ranges) == (("10.244.0.0/16",), ("10.96.0.0/12",))


def test_flannel_has_no_policies() -> None:
    raw = o.policy("networking.k8s.io/v1", "NetworkPolicy", "p", {}, "a")
    assert read(o.cluster([raw])).policies
    assert not read(o.cluster([raw]), profile("flannel")).policies


@pytest.mark.parametrize(("name", "hint"), [("clium", "cilium"), ("x", "")])
def test_a_wrong_name(name: str, hint: str) -> None:
    with pytest.raises(BadInput) as error:
        profile(name)
    assert hint in error.value.next
    assert "cilium" in error.value.why


def test_a_wrong_range() -> None:
    with pytest.raises(BadInput):
        profile("calico", ("10.244.0.0/99",))


def _daemon(name: str, *args: str, agent: str = "", labels: Any = None) -> dict[str, Any]:
    containers = [{"name": agent or "main", "args": list(args)}]
    template = {"metadata": {"labels": labels or {}}, "spec": {"containers": containers}}
    metadata = {"name": name, "namespace": "kube-system"}
    spec = {"template": template}
    return {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": metadata, "spec": spec}


@pytest.mark.parametrize(
    ("daemons", "name"),
    [
        (["cilium"], "cilium"),
        (["calico-node"], "calico"),
        (["antrea-agent"], "antrea"),
        (["ovnkube-node"], "ovn"),
        (["kindnet"], "kindnet"),
        (["kube-flannel-ds"], "flannel"),
        (["kube-flannel-ds", "calico-node"], "calico"),
        (["kube-proxy"], ""),
        ([], ""),
    ],
)
def test_detect(daemons: list[str], name: str) -> None:
    assert detect(o.cluster(map(_daemon, daemons))).name == name


def test_detect_by_the_label_of_the_pods() -> None:
    assert detect(o.cluster([_daemon("net", labels={"k8s-app": "calico-node"})])).name == "calico"


def test_aws_enforces_only_with_its_agent() -> None:
    plain = detect(o.cluster([_daemon("aws-node")]))
    assert (plain.name, plain.enforces) == ("aws-vpc", False)
    for word, enforces in (("true", True), ("false", False)):
        daemon = _daemon("aws-node", f"--enable-network-policy={word}", agent="aws-eks-nodeagent")
        assert detect(o.cluster([daemon])).enforces is enforces


def test_cilium_leaves_nodes_out_of_blocks_unless_told_otherwise() -> None:
    peers = [{"ipBlock": {"cidr": "10.0.0.0/8"}}]
    raw = o.policy(
        "networking.k8s.io/v1", "NetworkPolicy", "p", {"ingress": [{"from": peers}]}, "a"
    )
    objects = [raw, o.node("n", ["10.0.0.1"], {}), _daemon("cilium")]
    config: dict[str, Any] = {
        "kind": "ConfigMap",
        "apiVersion": "v1",
        "data": {"policy-cidr-match-mode": "nodes"},
    }
    config["metadata"] = {"name": "cilium-config", "namespace": "kube-system"}
    cases: tuple[tuple[list[Any], Any], ...] = (([], ((0x0A000001, 0x0A000001),)), ([config], ()))
    for more, excepts in cases:
        cluster = o.cluster([*objects, *more])
        (policy,) = read(cluster, detect(cluster)).policies
        assert policy.ingress is not None
        assert policy.ingress[0].peers is not None
        (block,) = policy.ingress[0].peers
        assert isinstance(block, Block)
        assert block.excepts == excepts


def test_aws_leaves_pods_without_an_owner_alone() -> None:
    pod = o.pod("a", "x", {}, [], [])
    cluster = o.cluster([pod, o.namespace("a", {})])
    assert not world(cluster, profile("calico")).notes
    (note,) = world(cluster, profile("aws-vpc")).notes
    assert note == "aws-vpc applies no policies to pods that nothing owns: a/x"


def test_detect_finds_ranges() -> None:
    nodes = [o.node(f"n{i}", [], {}) | {"spec": {"podCIDR": f"10.244.{i}.0/24"}} for i in (0, 1)]
    assert detect(o.cluster(nodes)).pod_ranges == ("10.244.0.0/23",)
    manager = o.pod("kube-system", "kcm", {"tier": "control-plane"}, [], [])
    flags = ["--cluster-cidr=10.244.0.0/16,fd00::/48", "--service-cluster-ip-range=10.96.0.0/12"]
    manager["spec"]["containers"][0]["command"] = flags
    found = detect(o.cluster([*nodes, manager]))
    assert found.pod_ranges == ("10.244.0.0/16", "fd00::/48")
    assert found.service_ranges == ("10.96.0.0/12",)
    pool = o.policy("crd.projectcalico.org/v1", "IPPool", "p", {"cidr": "192.168.0.0/16"})
    assert detect(o.cluster([*nodes, pool])).pod_ranges == ("192.168.0.0/16",)
    served = o.policy("networking.k8s.io/v1", "ServiceCIDR", "k", {"cidrs": ["10.0.0.0/24"]})
    assert detect(Cluster(o.cluster([served]).resources)).service_ranges == ("10.0.0.0/24",)
