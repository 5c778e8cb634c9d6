"""NetworkPolicy as Kubernetes reads it: tables of directions, selectors, rules and peers."""

from __future__ import annotations

from typing import Any

import pytest

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, Resource, resource_of
from martello.practices.network.lint.policies import (
    EGRESS,
    INGRESS,
    Malformed,
    directions,
    each_rule,
    isolation,
    peer_workloads,
    pod_selector,
    rules,
    selects_all,
    subjects,
    unread,
)


def _policy(spec: Any, namespace: str = "shop", name: str = "p") -> Resource:
    metadata = {"name": name, "namespace": namespace}
    raw = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata}
    return resource_of({**raw, "spec": spec}, Nowhere())


def _pod(namespace: str, name: str, host_network: bool = False, **labels: str) -> Resource:
    metadata = {"namespace": namespace, "name": name, "labels": labels}
    spec = {"containers": [], "hostNetwork": host_network}
    return resource_of(
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}, Nowhere()
    )


def _namespace(name: str, **labels: str) -> Resource:
    metadata = {"name": name, "labels": labels}
    return resource_of({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}, Nowhere())


@pytest.mark.parametrize(
    ("spec", "ways"),
    [
        ({}, (INGRESS,)),
        ({"ingress": []}, (INGRESS,)),
        ({"egress": []}, (INGRESS,)),
        ({"egress": [{}]}, (INGRESS, EGRESS)),
        ({"policyTypes": []}, (INGRESS,)),
        ({"policyTypes": [], "egress": [{}]}, (INGRESS, EGRESS)),
        ({"policyTypes": ["Egress"]}, (EGRESS,)),
        ({"policyTypes": ["Ingress"], "egress": [{}]}, (INGRESS,)),
        ({"policyTypes": ["Egress", "Ingress"]}, (INGRESS, EGRESS)),
    ],
)
def test_directions(spec: dict[str, Any], ways: tuple[str, ...]) -> None:
    assert directions(_policy(spec)) == ways


def test_empty_and_absent_selectors_take_every_pod() -> None:
    assert selects_all(pod_selector(_policy({})))
    assert selects_all({"matchLabels": {}, "matchExpressions": []})
    assert not selects_all({"matchLabels": {"a": "b"}})


@pytest.mark.parametrize(
    "spec",
    [
        {"ingress": {}},
        {"ingress": [1]},
        {"ingress": [{"from": {}}]},
        {"ingress": [{"from": ["x"]}]},
        {"ingress": [{"ports": "80"}]},
        {"policyTypes": "Ingress"},
    ],
)
def test_malformed_policies_are_refused(spec: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        list(each_rule(_policy(spec)))


def test_rules_out_of_force_are_not_walked() -> None:
    policy = _policy({"policyTypes": ["Egress"], "ingress": [{}], "egress": [{"to": [{}]}]})
    assert [rule.path for rule in each_rule(policy)] == [("spec", "egress", 0)]
    assert [rule.peers_path for rule in each_rule(policy)] == [("spec", "egress", 0, "to")]
    assert len(rules(policy, INGRESS)) == 1


def test_subjects_lie_in_the_namespace_and_on_the_pod_network() -> None:
    world = [
        _pod("shop", "a", app="a"),
        _pod("shop", "host", host_network=True, app="a"),
        _pod("other", "a", app="a"),
    ]
    cluster = Cluster(world)
    policy = _policy({"podSelector": {"matchLabels": {"app": "a"}}})
    assert [w.resource.ref.name for w in subjects(policy, cluster)] == ["a"]
    with pytest.raises(Malformed):
        subjects(_policy({"podSelector": {"matchExpressions": [{}]}}), cluster)


def test_isolation_joins_policies_and_workloads() -> None:
    pods = [_pod("shop", "a", app="a"), _pod("shop", "b", app="b")]
    one = _policy({"podSelector": {"matchLabels": {"app": "a"}}}, name="one")
    two = _policy({"policyTypes": ["Egress"]}, name="two")
    broken = _policy({"policyTypes": 3}, namespace="bad")
    cluster = Cluster([*pods, one, two, broken])
    first, second = cluster.workloads("shop")
    isolated = isolation(cluster)
    assert isolated.isolates(first, INGRESS)
    assert not isolated.isolates(second, INGRESS)
    assert isolated.isolates(second, EGRESS)
    assert set(isolated.broken) == {"bad"}


@pytest.mark.parametrize(
    ("peer", "names"),
    [
        ({"podSelector": {}}, {"shop/a", "shop/b"}),
        ({"podSelector": {"matchLabels": {"app": "a"}}}, {"shop/a"}),
        ({"namespaceSelector": {}}, {"shop/a", "shop/b", "ops/a"}),
        ({"namespaceSelector": {"matchLabels": {"team": "ops"}}}, {"ops/a"}),
        (
            {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ops"}},
                "podSelector": {"matchLabels": {"app": "b"}},
            },
            set(),
        ),
        ({"namespaceSelector": {"matchLabels": {"team": "unknown"}}}, None),
        ({"ipBlock": {"cidr": "10.0.0.0/8"}}, None),
        ({}, None),
    ],
)
def test_peers(peer: dict[str, Any], names: set[str] | None) -> None:
    world = [_namespace("shop"), _namespace("ops", team="ops")]
    world += [_pod("shop", "a", app="a"), _pod("shop", "b", app="b"), _pod("ops", "a", app="a")]
    world += [_pod("elsewhere", "a", app="a")]
    found = peer_workloads(peer, _policy({}), Cluster(world))
    if names is None:
        assert found is None
    else:
        assert found is not None
        assert {f"{w.namespace}/{w.resource.ref.name}" for w in found} == names


def test_other_dialects_and_refused_lists_are_said() -> None:
    kind = "NetworkPolicy.networking.k8s.io"
    assert unread(Cluster([])) == ""
    assert "refused" in unread(Cluster([], unlisted={kind: "refused"}))
    cilium = {"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy"}
    other = resource_of({**cilium, "metadata": {"name": "c"}}, Nowhere())
    assert "Cilium" in unread(Cluster([other]))
