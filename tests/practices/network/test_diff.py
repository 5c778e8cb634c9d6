"""What changes between two states, and rules that are not needed, against pair by pair."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from tests.support.network import objects as o
from tests.support.network.random_cluster import ANY, DECIDED, random_cluster

from martello.core.reach import NONE, Reachability
from martello.practices.network.compare.diff import diff, equivalent
from martello.practices.network.engine.reach import Reach, reach, reach_of
from martello.practices.network.lint.shadowed import shadowed
from martello.practices.network.model import Endpoint, Policies, Profile, Rule

PROFILE = Profile("test", blocks_match_pods=False)
API = "networking.k8s.io/v1"


def _shop(*policies: o.Object, pods: tuple[str, ...] = ("web", "api", "db")) -> Reach:
    objects = [
        o.namespace("shop", {}),
        *(o.pod("shop", p, {"app": p}, [f"10.1.0.{n}"], []) for n, p in enumerate(pods, 1)),
        *policies,
    ]
    return reach(o.cluster(objects), PROFILE)


def _policy(app: str, ingress: list[dict[str, Any]], name: str = "") -> o.Object:
    spec = {"podSelector": {"matchLabels": {"app": app}}, "ingress": ingress}
    return o.policy(API, "NetworkPolicy", name or app, spec, "shop")


def _from(app: str, *ports: int) -> dict[str, Any]:
    peer = {"podSelector": {"matchLabels": {"app": app}}}
    return {"from": [peer], **({"ports": [{"port": port} for port in ports]} if ports else {})}


def _told(before: Reach, after: Reach) -> set[tuple[str, str, str, str, str]]:
    return {
        (c.kind, c.source, c.destination, str(c.before.yes), str(c.after.yes))
        for c in diff(before, after).changes
    }


def test_a_pair_is_added_removed_or_changed() -> None:
    before = _shop(_policy("db", [_from("api", 5432)]))
    after = _shop(_policy("db", [_from("api", 5432, 5433), _from("web", 5432)]))
    assert _told(before, after) == {
        ("added", "shop/web", "shop/db", "none", "TCP 5432"),
        ("changed", "shop/api", "shop/db", "TCP 5432", "TCP 5432-5433"),
    }
    assert {kind for kind, *_ in _told(after, before)} == {"removed", "changed"}
    assert equivalent(before, before)
    assert not equivalent(before, after)


def test_new_and_gone_workloads_are_told_apart_from_changes() -> None:
    before, after = _shop(pods=("web", "db")), _shop(pods=("db", "new"))
    found = diff(before, after)
    assert (found.new, found.gone) == (("shop/new",), ("shop/web",))
    assert {(c.kind, c.new, c.gone) for c in found.changes} == {
        ("added", ("shop/new",), ()),
        ("removed", (), ("shop/web",)),
    }
    assert not equivalent(before, after)


def test_addresses_are_cut_at_the_boundaries_of_both_and_joined_again() -> None:
    def block(cidr: str, *gone: str) -> dict[str, Any]:
        return {"from": [{"ipBlock": {"cidr": cidr, "except": list(gone)}}]}

    before = _shop(_policy("db", [block("10.0.0.0/8")]))
    after = _shop(_policy("db", [block("10.0.0.0/8", "10.2.0.0/16"), block("11.0.0.0/8")]))
    found = {(c.kind, c.source) for c in diff(before, after).changes}
    assert found == {("removed", "10.2.0.0/16"), ("added", "11.0.0.0/8")}


def test_a_doubt_that_comes_or_goes_is_a_row_of_its_own() -> None:
    strange = o.policy("cilium.io/v9", "StrangeNetworkPolicy", "odd", {}, "shop")
    before, after = _shop(_policy("db", [])), _shop(_policy("db", []), strange)
    (change,) = [
        c
        for c in diff(before, after).changes
        if (c.source, c.destination) == ("shop/web", "shop/db")
    ]
    assert change.kind == "doubt"
    assert (bool(change.before.maybe), bool(change.after.maybe)) == (False, True)


def test_there_is_a_most_of_rows() -> None:
    before, after = _shop(), _shop(_policy("db", []), _policy("api", []))
    found = diff(before, after, most=2)
    assert (len(found.changes), found.more) == (2, True)
    assert not diff(before, after).more


def _merged(
    found: Reach, sources: list[Endpoint], goals: list[Endpoint], near: bool = False
) -> Reachability:
    """Without a pod and its own node, or with them."""
    yes, maybe = NONE, NONE
    for source in sources:
        for goal in goals:
            if not near and _own(source, goal):
                continue
            answer = found.verdict(source, goal)
            yes, maybe = yes | answer.yes, maybe | answer.maybe
    return Reachability(yes, maybe - yes)


def _own(source: Endpoint, goal: Endpoint) -> bool:
    return bool(source.node) and (
        source.node == goal.node and source.host_network != goal.host_network
    )


def _by_name(found: Reach) -> dict[str, list[Endpoint]]:
    names: dict[str, list[Endpoint]] = {}
    for endpoint in found.world.endpoints:
        names.setdefault(endpoint.name, []).append(endpoint)
    return names


def _changed(objects: list[o.Object], random: Random) -> list[o.Object]:
    """Some objects gone, some labels others."""
    kept = [raw for raw in objects if raw["kind"] == "Node" or random.random() > 0.15]
    for raw in kept:
        labels = raw["metadata"].get("labels")
        if raw["kind"] == "Pod" and labels and random.random() < 0.2:
            labels.pop(next(iter(labels)))
    return kept


@pytest.mark.parametrize("seed", range(8))
def test_every_pair_of_random_clusters(seed: int) -> None:
    before = reach(o.cluster(random_cluster(seed, ANY)))
    after = reach(o.cluster(_changed(random_cluster(seed, ANY), Random(seed))))
    told = {(c.source, c.destination): c for c in diff(before, after).changes}
    ones, others = _by_name(before), _by_name(after)
    names = [*dict.fromkeys((*ones, *others))]
    states = ((before, ones), (after, others))
    tiered = any(p.tier != "network" for found, _ in states for p in found.policies.policies)
    for source in names:
        for goal in names:
            if source == goal:
                continue
            was = _merged(before, ones.get(source, []), ones.get(goal, []))
            now = _merged(after, others.get(source, []), others.get(goal, []))
            change = told.get((source, goal))
            pairs = [
                [(a, b) for a in by.get(source, []) for b in by.get(goal, [])] for _, by in states
            ]
            if (
                (was.yes, was.maybe) == (now.yes, now.maybe)
                and tiered
                and all(any(_own(*pair) for pair in both) for both in pairs)
            ):
                was, now = (_merged(f, by[source], by[goal], near=True) for f, by in states)
            if (was.yes, was.maybe) == (now.yes, now.maybe):
                assert change is None, (source, goal)
            else:
                assert change is not None, (source, goal)
                assert (change.before.yes, change.before.maybe) == (was.yes, was.maybe)
                assert (change.after.yes, change.after.maybe) == (now.yes, now.maybe)


def _without(found: Reach, gone: set[int]) -> Reach:
    def kept(rules: tuple[Rule, ...] | None) -> tuple[Rule, ...] | None:
        return None if rules is None else tuple(r for r in rules if id(r) not in gone)

    policies = []
    for policy in found.policies.policies:
        fields = {name: getattr(policy, name) for name in policy.__struct_fields__}
        fields.update(ingress=kept(policy.ingress), egress=kept(policy.egress))
        policies.append(type(policy)(**fields))
    return reach_of(found.world, Policies(tuple(policies)), found.profile)


@pytest.mark.parametrize("seed", range(8))
def test_without_the_shadowed_rules_of_random_clusters_nothing_changes(seed: int) -> None:
    found = reach(o.cluster(random_cluster(seed, DECIDED)))
    gone = {id(shadow.rule) for shadow in shadowed(found).found}
    assert equivalent(found, _without(found, gone))


def test_of_two_rules_that_say_the_same_the_earlier_stays() -> None:
    found = _shop(_policy("db", [_from("api", 5432), _from("web", 80), _from("api", 5432)]))
    (shadow,) = shadowed(found).found
    assert shadow.rule.path == ("spec", "ingress", 2)


def test_a_rule_that_pods_to_come_need_is_needed() -> None:
    rules = [_from("api", 5432), _from("later", 5432)]
    assert shadowed(_shop(_policy("db", rules))).found == ()
    anyone = {"from": [{"namespaceSelector": {}}], "ports": [{"port": 5432}]}
    (shadow, other) = shadowed(_shop(_policy("db", [*rules, anyone]))).found
    assert (shadow.rule.path[-1], other.rule.path[-1]) == (0, 1)


def test_a_rule_behind_another_of_an_admin_policy_is_shadowed() -> None:
    rules = [
        {"action": "Deny", "from": [{"namespaces": {}}]},
        {"action": "Allow", "from": [{"namespaces": {"matchLabels": {"team": "red"}}}]},
    ]
    spec = {"priority": 1, "subject": {"namespaces": {}}, "ingress": rules}
    version = "policy.networking.k8s.io/v1alpha1"
    (shadow,) = shadowed(_shop(o.policy(version, "AdminNetworkPolicy", "one", spec))).found
    assert (shadow.policy.resource.ref.name, shadow.rule.action) == ("one", "accept")


def test_rules_beyond_the_budget_are_counted_and_not_called_shadowed() -> None:
    found = _shop(_policy("db", [_from("api"), _from("api"), _from("web")]))
    (shadow,) = shadowed(found).found
    assert shadow.rule.path[-1] == 1
    nothing = shadowed(found, budget=0)
    assert (nothing.found, nothing.untried) == ((), 3)


def test_a_cluster_wide_denial_of_the_own_node_is_told() -> None:
    rule = {"action": "Deny", "to": [{"nodes": {}}]}
    spec = {"tier": "Admin", "priority": 1, "subject": {"namespaces": {}}, "egress": [rule]}
    deny = o.policy("policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy", "deny", spec)
    pod = o.pod("shop", "web", {}, ["10.0.0.1"], [], "n1")
    objects = [o.namespace("shop", {}), pod, o.node("n1", ["192.0.2.1"], {})]
    (change,) = diff(reach(o.cluster(objects)), reach(o.cluster([*objects, deny]))).changes
    assert (change.kind, change.source, change.destination) == ("removed", "shop/web", "node/n1")
