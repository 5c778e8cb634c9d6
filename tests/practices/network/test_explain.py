"""Why one connection passes or not, and what would change it."""

from __future__ import annotations

from random import Random

import pytest
from tests.support.network.objects import Object, cluster, namespace, node, pod, policy
from tests.support.network.random_cluster import random_cluster

from martello.practices.network.answers.explain import explain
from martello.practices.network.engine.reach import Reach, reach
from martello.practices.network.model import Address, Place, Profile, Step

PROFILE = Profile(blocks_match_pods=True)


def network(name: str, mine: dict[str, str], **ways: list[Object]) -> Object:
    spec: Object = {"podSelector": {"matchLabels": mine}, "policyTypes": list(ways), **ways}
    spec["policyTypes"] = [way.title() for way in ways]
    return policy("networking.k8s.io/v1", "NetworkPolicy", name, spec, "shop")


def shop(*policies: Object) -> Reach:
    pods = [
        pod("shop", app, {"app": app, "team": "a"}, [f"10.0.0.{n}"], [], "n1")
        for n, app in enumerate(("web", "api", "db", "job"), 1)
    ]
    far = pod("far", "web", {"app": "web"}, ["10.0.1.1"], [], "n2")
    nodes = [node("n1", ["192.0.2.1"], {}), node("n2", ["192.0.2.2"], {})]
    spaces = [namespace("shop", {"env": "prod"}), namespace("far", {})]
    return reach(cluster([*nodes, *spaces, *pods, far, *policies]), PROFILE)


def ask(found: Reach, source: str, to: str, protocol: str = "TCP", port: int = 80) -> list[Step]:
    places: dict[str, Place] = {e.key: e for e in found.world.endpoints}
    places.update({n.name: n for n in found.world.nodes})
    return list(explain(found, places[source], places[to], protocol, port))


def said(steps: list[Step]) -> list[tuple[str, str, str]]:
    return [(step.direction, step.verdict, step.why) for step in steps]


def from_(*labels: dict[str, str], **more: object) -> Object:
    return {"from": [{"podSelector": {"matchLabels": one}} for one in labels], **more}


def test_free_pods() -> None:
    assert said(ask(shop(), "shop/web", "shop/db")) == [
        ("out", "allowed", "no policy selects it"),
        ("in", "allowed", "no policy selects it"),
    ]


def test_the_rule_that_allows_is_named() -> None:
    found = shop(network("db", {"app": "db"}, ingress=[from_({"app": "x"}), from_({"app": "web"})]))
    step = ask(found, "shop/web", "shop/db")[1]
    assert step.why == "allowed by shop/NetworkPolicy/db, spec.ingress[1]"
    assert step.policy is not None
    assert (step.policy.ref.name, step.path) == ("db", ("spec", "ingress", 1))


def test_a_denial_names_the_nearest_rule_and_the_fix() -> None:
    rules = [from_({"team": "b", "app": "x"}), from_({"app": "api"}, ports=[{"port": 80}])]
    found = shop(network("db", {"app": "db"}, ingress=rules))
    assert said(ask(found, "shop/web", "shop/db")) == [
        ("out", "allowed", "no policy selects it"),
        (
            "in",
            "denied",
            "isolated by shop/NetworkPolicy/db; nearest rule spec.ingress[1] of"
            " shop/NetworkPolicy/db wants app=api, pod has app=web",
        ),
        (
            "fix",
            "",
            "add {podSelector: {matchLabels: {app: web}}} to spec.ingress[1].from"
            " (also opens: nothing else)",
        ),
    ]


def test_a_port_that_is_missing() -> None:
    rule = from_({"team": "a"}, ports=[{"port": 443}])
    found = shop(network("db", {"app": "db"}, ingress=[rule]))
    steps = ask(found, "shop/web", "shop/db")
    assert steps[1].why.endswith("wants TCP 443, not TCP 80")
    assert steps[2].why == (
        "add {protocol: TCP, port: 80} to spec.ingress[0].ports"
        " (also opens: shop/api → shop/db, shop/job → shop/db)"
    )


def test_a_port_for_everyone_opens_nodes_and_the_outside_too() -> None:
    found = shop(network("db", {"app": "db"}, ingress=[{"ports": [{"port": 443}]}]))
    fix = ask(found, "shop/web", "shop/db")[2]
    # Two pods here, one in the other namespace, the other node, what is outside in both families.
    assert fix.why == (
        "add {protocol: TCP, port: 80} to spec.ingress[0].ports"
        " (also opens: shop/api → shop/db, shop/job → shop/db, far/web → shop/db and 3 more)"
    )


def test_a_port_for_ranges_opens_all_of_them() -> None:
    blocks = [{"ipBlock": {"cidr": "203.0.113.0/24"}}, {"ipBlock": {"cidr": "203.0.114.0/24"}}]
    rule = {"from": blocks, "ports": [{"port": 443}]}
    found = shop(network("db", {"app": "db"}, ingress=[rule]))
    db = next(e for e in found.world.endpoints if e.pod == "db")
    fix = explain(found, Address(4, 0xCB007105, 0xCB007105), db, "TCP", 80)[2]
    assert fix.why.endswith("(also opens: 203.0.113.0-203.0.114.255 → shop/db)")


def test_two_fixes_open_what_only_both_of_them_open() -> None:
    found = shop(
        network("out", {"team": "a"}, egress=[]),
        network("in", {"app": "db"}, ingress=[from_({"team": "a"}, ports=[{"port": 443}])]),
    )
    fixes = [step.why for step in ask(found, "shop/web", "shop/db") if step.direction == "fix"]
    assert len(fixes) == 2
    for fix in fixes:
        assert fix.endswith("(also opens: shop/api → shop/db, shop/job → shop/db)")


def test_what_a_pass_skips_is_not_to_be_narrowed() -> None:
    def admin(name: str, priority: int, action: str) -> Object:
        rule = {"action": action, "from": [{"namespaces": {}}]}
        spec = {"tier": "Admin", "priority": priority, "subject": {"namespaces": {}}}
        return policy(
            "policy.networking.k8s.io/v1alpha2",
            "ClusterNetworkPolicy",
            name,
            {**spec, "ingress": [rule]},
        )

    none = network("none", {"app": "db"}, ingress=[])
    found = shop(admin("first", 1, "Pass"), admin("then", 2, "Deny"), none)
    (fix,) = [step.why for step in ask(found, "shop/web", "shop/db") if step.direction == "fix"]
    assert fix.startswith("add {from: ")
    found = shop(admin("then", 2, "Deny"), none)
    fixes = [step.why for step in ask(found, "shop/web", "shop/db") if step.direction == "fix"]
    assert fixes[0] == "narrow spec.ingress[0] of ClusterNetworkPolicy/then"
    assert fixes[1].startswith("add {from: ")


def test_what_a_fix_opens_besides_is_found_by_trying() -> None:
    found = shop(
        network("all", {"team": "a"}, ingress=[from_({"app": "api"}, ports=[{"port": 80}])]),
        network("out", {"app": "job"}, egress=[]),
    )
    fix = ask(found, "shop/web", "shop/db")[2]
    assert fix.why.endswith("(also opens: shop/web → shop/api, shop/web → shop/job)")


def test_deny_all_gets_a_rule() -> None:
    found = shop(network("none", {"app": "db"}, ingress=[]))
    steps = ask(found, "far/web", "shop/db")
    assert steps[1].why == "isolated by shop/NetworkPolicy/none, no rule of which allows anything"
    assert steps[2].why == (
        "add {from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: far}},"
        " podSelector: {matchLabels: {app: web}}}], ports: [{protocol: TCP, port: 80}]}"
        " to spec.ingress of shop/NetworkPolicy/none (also opens: nothing else)"
    )


def test_outside_gets_a_block() -> None:
    found = shop(network("none", {"app": "db"}, ingress=[]))
    db = next(e for e in found.world.endpoints if e.pod == "db")
    steps = explain(found, Address(4, 0xCB007105, 0xCB007105), db, "TCP", 80)
    assert steps[0].why == "no policy applies outside of pods"
    assert "{ipBlock: {cidr: 203.0.113.5/32}}" in steps[2].why


def test_the_own_node_passes_and_another_does_not() -> None:
    found = shop(network("none", {"app": "db"}, ingress=[]))
    own, other = ask(found, "n1", "shop/db")[1], ask(found, "n2", "shop/db")[1]
    assert own.why == "a pod and its own node always reach each other"
    assert other.verdict == "denied"


def test_a_pod_reaches_itself() -> None:
    found = shop(network("none", {"app": "db"}, ingress=[], egress=[]))
    assert said(ask(found, "shop/db", "shop/db")) == [
        ("out", "allowed", "a pod always reaches itself")
    ]


def test_an_admin_denial_is_narrowed() -> None:
    spec = {
        "tier": "Admin",
        "priority": 1,
        "subject": {"namespaces": {}},
        "ingress": [{"action": "Deny", "from": [{"namespaces": {"matchLabels": {"env": "prod"}}}]}],
    }
    found = shop(policy("policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy", "a", spec))
    steps = ask(found, "shop/web", "shop/db")
    assert steps[1].why == "denied by admin policy ClusterNetworkPolicy/a, spec.ingress[0]"
    assert steps[2].why == "narrow spec.ingress[0] of ClusterNetworkPolicy/a"


def test_protocols_without_ports_are_in_doubt() -> None:
    found = shop(network("db", {"app": "db"}, ingress=[{"ports": [{"port": 80}]}]))
    step = ask(found, "shop/web", "shop/db", "ICMP", 0)[1]
    assert (step.verdict, step.why) == (
        "unknown",
        "rules with ports say nothing of protocols without ports",
    )


@pytest.mark.parametrize("seed", range(20))
def test_explanations_agree_with_verdicts(seed: int) -> None:
    """The worst direction is the answer; where families differ, that of the worse one."""
    found = reach(cluster(random_cluster(seed)), Profile(blocks_match_pods=(True, None)[seed % 2]))
    places: list[Place] = [*found.world.endpoints, *found.world.nodes]
    places += [Address(a.version, a.first, a.first) for v in (4, 6) for a in found.addresses(v)]
    random = Random(seed)
    for _ in range(60):
        source, to = random.choice(places), random.choice(places)
        if isinstance(source, Address) and isinstance(to, Address):
            continue
        protocol, port = random.choice((("TCP", 80), ("TCP", 8080), ("UDP", 81), ("ICMP", 0)))
        verdicts = {step.verdict for step in explain(found, source, to, protocol, port)} - {""}
        worst = next(v for v in ("denied", "unknown", "allowed") if v in verdicts)
        answer = found.verdict(source, to)
        by_family = {found.verdict(source, to, v).verdict(protocol, port) for v in (4, 6)}
        if len(by_family) == 1 or not answer.maybe:
            assert worst == answer.verdict(protocol, port)
        else:
            assert worst in by_family
