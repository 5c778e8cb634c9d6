"""All policies of a cluster: what is used, what is in doubt, what is refused."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.mutations import VALUES, nodes, replaced
from tests.support.network import objects as o

from martello.core.cluster import Cluster
from martello.core.errors import BadInput
from martello.core.resource import Nowhere, resource_of
from martello.practices.network.dialects.read import is_read, read, refuse
from martello.practices.network.model import ADMIN, NETWORK, Pods, Profile
from martello.practices.network.world import world


def _np(name: str, spec: Any = None, space: str = "shop") -> dict[str, Any]:
    return o.policy("networking.k8s.io/v1", "NetworkPolicy", name, spec or {}, space)


def test_policies_come_in_the_order_of_the_input() -> None:
    found = read(o.cluster([_np("b"), _np("a")]))
    assert [p.resource.ref.name for p in found.policies] == ["b", "a"]
    assert not found.faults
    assert not found.notes


def test_two_objects_of_one_name_are_a_fault_and_both_in_doubt() -> None:
    found = read(o.cluster([_np("a"), _np("a", {"ingress": [{}]}), _np("a", space="other")]))
    (fault,) = found.faults
    assert fault.path == ("metadata", "name")
    assert [bool(p.doubt) for p in found.policies] == [True, True, False]
    assert found.policies[1].ingress == ()


def test_no_namespace_and_default_are_one_name() -> None:
    assert len(read(o.cluster([_np("a", space=""), _np("a", space="default")])).faults) == 1


def test_two_namespaces_of_one_name_are_a_fault() -> None:
    found = read(o.cluster([o.namespace("a", {}), o.namespace("a", {"b": "c"})]))
    assert [f.resource.ref.kind for f in found.faults] == ["Namespace"]


def test_S6_what_is_not_understood_is_never_ignored() -> None:
    raw = o.policy("crd.example.com/v1", "FancyNetworkPolicy", "f", {}, "shop")
    wide = o.policy("crd.example.com/v1", "WideNetworkPolicy", "w", {})
    found = read(o.cluster([raw, wide]))
    narrow, everywhere = found.policies
    assert (narrow.tier, narrow.subject) == (NETWORK, Pods(namespace="shop"))
    assert (everywhere.tier, everywhere.subject) == (ADMIN, Pods())
    assert all(p.doubt for p in found.policies)
    assert found.notes == (
        "FancyNetworkPolicy.crd.example.com is not understood",
        "WideNetworkPolicy.crd.example.com is not understood",
    )


def test_a_kind_that_could_not_be_listed_puts_every_pod_in_doubt() -> None:
    unlisted = {"NetworkPolicy.networking.k8s.io": "forbidden", "Secret": "forbidden"}
    (policy,) = read(Cluster([], unlisted=unlisted)).policies
    assert (policy.subject, policy.ingress, policy.egress) == (Pods(), (), ())
    assert "forbidden" in policy.doubt


def test_a_plugin_that_enforces_nothing_has_no_policies() -> None:
    found = read(o.cluster([_np("a")]), Profile("flannel", enforces=False))
    assert found.policies == ()
    assert found.notes == ("flannel enforces no policies",)


def test_kinds_that_a_plugin_does_not_act_on_are_left_out_and_said() -> None:
    admin = o.policy("policy.networking.k8s.io/v1alpha1", "AdminNetworkPolicy", "a", {})
    profile = Profile("x", dialects=frozenset(("NetworkPolicy.networking.k8s.io",)))
    found = read(o.cluster([_np("a"), admin]), profile)
    assert [p.resource.ref.kind for p in found.policies] == ["NetworkPolicy"]
    assert found.notes == ("x does not act on AdminNetworkPolicy.policy.networking.k8s.io",)


def test_what_a_change_makes_to_be_read_again() -> None:
    plain = read(o.cluster([_np("a")]))
    assert is_read("NetworkPolicy.networking.k8s.io", plain, Profile())
    assert not is_read("Pod", plain, Profile())
    assert not is_read("Node", plain, Profile())
    assert is_read("Node", plain, Profile(blocks_match_nodes=False))
    assert not is_read("NetworkSet.projectcalico.org", plain, Profile())
    calico = o.policy("projectcalico.org/v3", "NetworkPolicy", "c", {}, "shop")
    assert is_read("NetworkSet.projectcalico.org", read(o.cluster([calico])), Profile())
    spec: dict[str, Any] = {"endpointSelector": {}}
    cilium = o.policy("cilium.io/v2", "CiliumNetworkPolicy", "c", spec, "shop")
    assert is_read("Node", read(o.cluster([cilium])), Profile())


def test_refuse_names_the_first_and_counts_the_rest() -> None:
    bad: dict[str, Any] = {"ingress": [{"from": [{}, {}]}]}
    with pytest.raises(BadInput) as error:
        refuse(read(o.cluster([_np("a", bad)])))
    assert "shop/NetworkPolicy/a" in error.value.what
    assert error.value.why == "spec.ingress[0].from[0] must specify a peer (and 1 more)"
    refuse(read(o.cluster([_np("a")])))


_EXAMPLES = (
    _np(
        "full",
        {
            "podSelector": {"matchLabels": {"a": "b"}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {
                    "from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}],
                    "ports": [{"port": 80, "endPort": 90}, {"port": "http", "protocol": "UDP"}],
                }
            ],
            "egress": [{"to": [{"podSelector": {}, "namespaceSelector": {}}]}],
        },
    ),
    o.policy(
        "policy.networking.k8s.io/v1alpha2",
        "ClusterNetworkPolicy",
        "c",
        {
            "tier": "Admin",
            "priority": 1,
            "subject": {"namespaces": {}},
            "egress": [
                {
                    "action": "Deny",
                    "name": "x",
                    "to": [{"networks": ["10.0.0.0/8"]}, {"nodes": {}}, {"domainNames": ["a.b"]}],
                    "protocols": [
                        {"tcp": {"destinationPort": {"range": {"start": 1, "end": 9}}}},
                        {"udp": {"destinationPort": {"number": 9}}},
                    ],
                }
            ],
        },
    ),
    o.policy(
        "policy.networking.k8s.io/v1alpha1",
        "AdminNetworkPolicy",
        "a",
        {
            "priority": 1,
            "subject": {"pods": {"namespaceSelector": {}, "podSelector": {}}},
            "ingress": [
                {
                    "action": "Pass",
                    "from": [{"namespaces": {}}],
                    "ports": [{"portRange": {"start": 1, "end": 2}}, {"namedPort": "x"}],
                }
            ],
        },
    ),
)


@pytest.mark.parametrize("raw", _EXAMPLES, ids=lambda raw: str(raw["kind"]))
def test_any_value_anywhere_is_a_policy_a_fault_or_a_doubt(raw: dict[str, Any]) -> None:
    assert not read(o.cluster([raw])).faults
    for path in nodes(raw["spec"], ("spec",)):
        for value in VALUES:
            changed = replaced(raw, path, value)
            (policy,) = read(o.cluster([changed])).policies
            if policy.doubt:
                assert not policy.ingress
                assert not policy.egress


def test_any_value_anywhere_in_a_pod_is_read() -> None:
    pod = o.pod("a", "x", {"a": "b"}, ["10.0.0.1"], [{"name": "a", "containerPort": 80}], "n1")
    pod["metadata"]["ownerReferences"] = [{"controller": True, "uid": "u", "name": "r"}]
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "j", "namespace": "a"},
        "spec": {"template": {"metadata": {"labels": {"a": "b"}}, "spec": pod["spec"]}},
        "status": {"conditions": [{"type": "Failed", "status": "False"}]},
    }
    for raw in (pod, job, o.node("n1", ["10.0.0.2"], {})):
        for path in nodes(raw):
            if path[0] in ("apiVersion", "kind") or path in (("metadata",), ("metadata", "name")):
                continue
            if path == ("metadata", "namespace"):
                continue
            for value in VALUES:
                world(o.cluster([replaced(raw, path, value)]))


@pytest.mark.corpus
def test_every_input_of_the_corpus_that_must_be_refused_is(corpora: Path) -> None:
    lines = (corpora / "np-guard" / "invalid.jsonl").read_text().splitlines()
    assert len(lines) == 24
    for case in map(json.loads, lines):
        docs = [m["doc"] for m in case["manifests"] if m["doc"]]
        found = read(Cluster([resource_of(doc, Nowhere()) for doc in docs]))
        assert len(found.faults) == 1, case["dir"]
        with pytest.raises(BadInput):
            refuse(found)


@pytest.mark.corpus
def test_no_valid_input_of_the_corpus_is_refused(corpora: Path) -> None:
    with gzip.open(corpora / "np-guard" / "connlist.jsonl.gz", "rt") as lines:
        for line in lines:
            docs = [m["doc"] for m in json.loads(line)["manifests"] if m["doc"]]
            objects = [d for d in docs if d.get("kind") and "items" not in d]
            found = read(o.cluster(objects))
            assert not found.faults
            assert not found.notes
