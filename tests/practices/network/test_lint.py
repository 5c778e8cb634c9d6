"""What checks share: conflicts of equal rank, policies read once, notes of other engines."""

from __future__ import annotations

from io import BytesIO

from martello.adapters.manifests import read_paths
from martello.core.cluster import Cluster
from martello.core.resource import Ref
from martello.practices.network.lint.together import (
    Noted,
    conflicts,
    guarded_otherwise,
    hits,
    isolated_otherwise,
    policies_of,
    reach_of_cluster,
)

HEAD = """
{apiVersion: v1, kind: Namespace, metadata: {name: shop}}
---
{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop, labels: {app: a}},
  spec: {containers: []}}
"""


def cluster(*policies: str) -> Cluster:
    text = "\n---\n".join((HEAD, *policies))
    return read_paths(["-"], stdin=BytesIO(text.encode())).world()


def rule(name: str, action: str, *, priority: int = 5, port: int = 80, pods: str = "a") -> str:
    return f"""
{{apiVersion: policy.networking.k8s.io/v1alpha2, kind: ClusterNetworkPolicy,
  metadata: {{name: {name}}}, spec: {{tier: Admin, priority: {priority},
    subject: {{pods: {{namespaceSelector: {{}}, podSelector: {{matchLabels: {{app: {pods}}}}}}}}},
    ingress: [{{action: {action}, from: [{{namespaces: {{}}}}],
      protocols: [{{tcp: {{destinationPort: {{number: {port}}}}}}}]}}]}}}}
"""


def names(*policies: str) -> list[tuple[str, str]]:
    found = conflicts(cluster(*policies))
    return [(c.policy.resource.ref.name, c.other.resource.ref.name) for c in found]


def test_equal_priority_and_other_action_is_a_conflict() -> None:
    assert names(rule("one", "Deny"), rule("two", "Accept")) == [("one", "two")]
    assert names(rule("one", "Deny"), rule("two", "Pass")) == [("one", "two")]


def test_no_conflict_without_a_common_pod_port_action_or_rank() -> None:
    assert names(rule("one", "Deny"), rule("two", "Deny")) == []
    assert names(rule("one", "Deny"), rule("two", "Accept", priority=6)) == []
    assert names(rule("one", "Deny"), rule("two", "Accept", port=81)) == []
    assert names(rule("one", "Deny"), rule("two", "Accept", pods="b")) == []


def test_policies_and_reach_are_computed_once() -> None:
    world = cluster(rule("one", "Deny"))
    assert policies_of(world) is policies_of(world)
    assert reach_of_cluster(world) is reach_of_cluster(world)


def test_notes_become_hits_of_their_objects() -> None:
    world = cluster(rule("one", "Deny"))
    version, kind = "policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy"
    there = Noted("NET-022", Ref("", version, kind, "", "one"), "unused", ("spec",))
    nowhere = Noted("NET-022", Ref("", version, kind, "", "gone"), "unused")
    nobody = Noted("NET-021", Ref("", "v1", "Cluster", "", ""), "overlap")
    found = list(hits(world, (there, nowhere, nobody), "NET-022"))
    assert [(h.resource.ref.name, h.path, h.message) for h in found] == [
        ("one", ("spec",), "unused")
    ]
    assert [h.message for h in hits(world, (there, nobody), "NET-021")] == ["overlap"]


def test_a_deny_of_another_dialect_isolates() -> None:
    world = cluster(rule("one", "Deny"))
    pod = next(r for r in world.resources if r.ref.kind == "Pod")
    assert isolated_otherwise(world, pod, "in") == (True, "")
    assert isolated_otherwise(world, pod, "out") == (False, "")
    assert isolated_otherwise(cluster(rule("one", "Accept")), pod, "in") == (False, "")
    assert guarded_otherwise(world, "shop") == (False, ""), "it is about some pods only"


def test_a_policy_that_is_not_understood_leaves_it_open_and_says_why() -> None:
    odd = """
{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: odd, namespace: shop},
  spec: {endpointSelector: {}, unheardOf: 1}}
"""
    world = cluster(odd)
    pod = next(r for r in world.resources if r.ref.kind == "Pod")
    isolated, reason = isolated_otherwise(world, pod, "in")
    assert not isolated
    assert reason.startswith("shop/CiliumNetworkPolicy/odd: ")
