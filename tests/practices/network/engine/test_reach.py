"""What holds for pairs, whatever the rules: itself, the own node, doubt, families, other worlds."""

from __future__ import annotations

import pytest
from tests.support.network.objects import Object, cluster, namespace, node, pod, policy

from martello.core.errors import BadInput
from martello.core.reach import ALL, NONE, Ports, conn
from martello.practices.network.engine.reach import Reach, reach, reach_of
from martello.practices.network.model import Address, Endpoint, Node, Policies, Profile

TCP80 = conn([Ports("TCP", 80, 80)])
DENY_ALL: Object = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def network(name: str, spec: Object, space: str = "shop") -> Object:
    return policy("networking.k8s.io/v1", "NetworkPolicy", name, spec, space)


def admin(name: str, priority: int, action: str, version: int = 2, **rule: object) -> Object:
    kind = "ClusterNetworkPolicy" if version == 2 else "AdminNetworkPolicy"
    tier = {"tier": "Admin"} if version == 2 else {}
    one = {"action": action, "from": [{"namespaces": {}}], **rule}
    spec = {**tier, "priority": priority, "subject": {"namespaces": {}}, "ingress": [one]}
    return policy(f"policy.networking.k8s.io/v1alpha{version}", kind, name, spec)


def shop(*more: Object, profile: Profile | None = None) -> Reach:
    host = pod("shop", "host", {}, ["192.0.2.1"], [], "n1")
    host["spec"]["hostNetwork"] = True
    return reach(
        cluster(
            [
                node("n1", ["192.0.2.1"], {}),
                node("n2", ["192.0.2.2"], {}),
                namespace("shop", {}),
                pod("shop", "web", {"app": "web"}, ["10.0.0.1", "fd00::1"], [], "n1"),
                pod("shop", "db", {"app": "db"}, ["10.0.0.2", "fd00::2"], [], "n2"),
                pod("shop", "old", {"app": "old"}, ["10.0.0.3"], [], "n2"),
                pod("shop", "new", {"app": "new"}, ["fd00::3"], [], "n2"),
                host,
                *more,
            ]
        ),
        profile or Profile(blocks_match_pods=True),
    )


def end(found: Reach, name: str) -> Endpoint:
    return next(e for e in found.world.endpoints if e.workload == name)


def of_nodes(found: Reach) -> dict[str, Node]:
    return {n.name: n for n in found.world.nodes}


def test_p13_a_pod_reaches_itself() -> None:
    found = shop(network("none", DENY_ALL))
    assert found.verdict(end(found, "web"), end(found, "web")).yes == ALL
    assert found.verdict(end(found, "web"), end(found, "db")).yes == NONE


def test_p13_the_pods_of_a_workload_are_not_one() -> None:
    template = {"metadata": {"labels": {"app": "many"}}, "spec": {"containers": []}}
    many = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "many", "namespace": "shop"},
        "spec": {"template": template},
    }
    found = shop(network("none", DENY_ALL), many)
    assert found.verdict(end(found, "many"), end(found, "many")).yes == NONE


def test_p14_the_own_node_passes_and_others_are_addresses() -> None:
    found = shop(network("none", DENY_ALL))
    nodes, web = of_nodes(found), end(found, "web")
    assert found.verdict(nodes["n1"], web).yes == ALL
    assert found.verdict(web, nodes["n1"]).yes == ALL
    assert found.verdict(end(found, "host"), web).yes == ALL
    assert found.verdict(nodes["n2"], web).yes == NONE


def test_p15_pods_on_the_network_of_their_node_are_no_subjects_and_no_pods() -> None:
    all_pods: Object = {"podSelector": {}, "ingress": [{"from": [{"namespaceSelector": {}}]}]}
    found = shop(network("p", all_pods))
    assert found.verdict(end(found, "db"), end(found, "host")).yes == ALL
    assert found.verdict(end(found, "host"), end(found, "db")).yes == NONE


def test_p17_families() -> None:
    block = {"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]}
    found = shop(network("p", block))
    web, db = end(found, "web"), end(found, "db")
    assert (found.verdict(web, db, 4).yes, found.verdict(web, db, 6).yes) == (ALL, NONE)
    both = found.verdict(web, db)
    assert (both.yes, both.maybe, both.because) == (NONE, ALL, ("IPv4 and IPv6 differ",))
    assert found.verdict(end(found, "old"), db).yes == ALL
    assert found.verdict(end(found, "old"), end(found, "new")).maybe == NONE


def test_c5_equal_priority_is_unknown_for_the_ports_that_differ() -> None:
    ports = [{"tcp": {"destinationPort": {"number": 80}}}]
    found = shop(admin("a", 1, "Deny", protocols=ports), admin("b", 1, "Accept"))
    answer = found.verdict(end(found, "web"), end(found, "db"))
    assert answer.maybe.ranges == TCP80.ranges
    assert answer.yes == ALL - answer.maybe
    assert any("same priority 1" in reason for reason in answer.because)


def test_c9_two_versions_have_no_order() -> None:
    found = shop(admin("a", 1, "Deny"), admin("b", 9, "Allow", 1))
    answer = found.verdict(end(found, "web"), end(found, "db"))
    assert (answer.yes, answer.maybe) == (NONE, ALL)
    assert any(reason.startswith("the order of") for reason in answer.because)


def test_doubt_makes_everything_of_the_subjects_undecided() -> None:
    found = shop(policy("cilium.io/v2", "CiliumNetworkPolicy", "c", {}, "shop"))
    answer = found.verdict(end(found, "web"), end(found, "db"))
    assert (answer.yes, answer.maybe) == (NONE, ALL)
    assert any("CiliumNetworkPolicy" in reason for reason in answer.because)


def test_a_plugin_that_enforces_nothing() -> None:
    found = shop(network("none", DENY_ALL))
    profile = Profile("flannel", enforces=False)
    assert reach_of(found.world, found.policies, profile).count().sure == 21


def test_a_plugin_that_leaves_pods_without_an_owner_alone() -> None:
    found = shop(network("none", DENY_ALL), profile=Profile("aws-vpc", True, needs_owner=True))
    assert found.verdict(end(found, "web"), end(found, "db")).yes == ALL
    assert found.count().sure == 21


def test_places_of_another_world() -> None:
    found, other = shop(), reach(cluster([namespace("x", {}), pod("x", "y", {}, [], [])]))
    assert found.verdict(end(shop(), "web"), end(found, "db")).yes == ALL
    with pytest.raises(BadInput, match="x/y is not in this cluster"):
        found.verdict(end(other, "y"), end(found, "db"))


def test_outside_to_outside_is_not_governed() -> None:
    found = shop(network("none", DENY_ALL))
    assert found.verdict(Address(4, 1, 1), Address(4, 2, 2)).yes == ALL


def test_no_policies() -> None:
    found = shop()
    assert reach_of(found.world, Policies(())).count().maybe == 0
