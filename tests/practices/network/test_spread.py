"""How far a pod gets, against a walk over every pair."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.network import objects as o
from tests.support.network.random_cluster import ANY, random_cluster

from martello.practices.network.addresses import name_of
from martello.practices.network.answers.spread import spread
from martello.practices.network.engine.reach import Reach, reach
from martello.practices.network.model import Address, Endpoint, Place, Profile

PROFILE = Profile("test", blocks_match_pods=False)


def _pod(name: str, *ports: int) -> o.Object:
    declared = [{"containerPort": port} for port in ports]
    return o.pod("shop", name, {"app": name}, [], declared)


def _only(app: str, source: str, port: int = 80) -> o.Object:
    peer = {"podSelector": {"matchLabels": {"app": source}}}
    rule = {"from": [peer], "ports": [{"port": port}]}
    spec: dict[str, Any] = {"podSelector": {"matchLabels": {"app": app}}, "ingress": [rule]}
    return o.policy("networking.k8s.io/v1", "NetworkPolicy", app, spec, "shop")


def _chain() -> Reach:
    pods = [_pod("web", 80), _pod("api", 80), _pod("db", 80), _pod("far", 80)]
    closed: dict[str, Any] = {"podSelector": {}}
    rules = [
        o.policy("networking.k8s.io/v1", "NetworkPolicy", "closed", closed, "shop"),
        _only("api", "web"),
        _only("db", "api"),
        _only("far", "db", 9999),
    ]
    return reach(o.cluster([o.namespace("shop", {}), *pods, *rules]), PROFILE)


def _named(found: Reach, name: str) -> Endpoint:
    return next(e for e in found.world.endpoints if e.name == name)


def test_each_hop_names_what_it_reaches_first_from_where_and_on_which_port() -> None:
    found = _chain()
    result = spread(found, _named(found, "shop/web"))
    told = [(hop.number, [(r.place, r.via, str(r.by)) for r in hop.reached]) for hop in result.hops]
    assert told == [
        (1, [("shop/api", "shop/web", "TCP 80")]),
        (2, [("shop/db", "shop/api", "TCP 80")]),
    ]
    assert (result.sure, result.maybe, result.total) == (2, 0, 3)


def test_a_port_that_nobody_listens_on_leads_nowhere() -> None:
    found = _chain()
    assert spread(found, _named(found, "shop/db")).hops == ()


def test_hops_are_bounded() -> None:
    found = _chain()
    assert [h.number for h in spread(found, _named(found, "shop/web"), 1).hops] == [1]
    assert spread(found, _named(found, "shop/web"), -1).hops == ()
    assert len(spread(found, _named(found, "shop/web"), 10**9).hops) == 2


def test_an_address_may_be_where_it_begins() -> None:
    objects = [o.namespace("shop", {}), _pod("web", 80), _pod("api", 80), _only("api", "web")]
    found = reach(o.cluster(objects), PROFILE)
    result = spread(found, Address(4, 1, 1))
    assert [[r.place for r in hop.reached] for hop in result.hops] == [["shop/web"], ["shop/api"]]


def test_what_is_only_perhaps_reached_is_told_apart_and_so_is_all_behind_it() -> None:
    strange = o.policy("cilium.io/v9", "StrangeNetworkPolicy", "odd", {}, "shop")
    found = reach(o.cluster([o.namespace("shop", {}), _pod("web", 80), _pod("api", 80), strange]))
    result = spread(found, _named(found, "shop/web"))
    assert (result.sure, result.maybe, result.total) == (0, 1, 1)
    assert not result.hops[0].reached[0].sure


def _walked(found: Reach, source: Place, hops: int) -> dict[str, tuple[int, bool]]:
    """The first hop of each name, and whether it is sure; what becomes sure later counts again."""
    places: list[Place] = [*found.world.endpoints, *found.world.nodes]
    first = name_of(source)
    known: dict[str, tuple[int, bool]] = {}
    edge: list[tuple[Place, bool]] = [(source, True)]
    for number in range(1, hops + 1):
        new: dict[str, bool] = {}
        for place, sure in edge:
            for other in places:
                name = name_of(other)
                if name == first or other is place:
                    continue
                answer = found.verdict(place, other)
                yes, maybe = answer.yes, answer.maybe
                if isinstance(other, Endpoint) and other.ports:
                    heard = [(p.protocol, p.number) for p in other.ports]
                    is_yes = any(yes.allows(*port) for port in heard)
                    is_maybe = any(maybe.allows(*port) for port in heard)
                else:
                    is_yes, is_maybe = bool(yes), bool(maybe)
                surely = is_yes and sure
                if (surely or is_yes or is_maybe) and not new.get(name):
                    before = known.get(name)
                    if before is None or (surely and not before[1]):
                        new[name] = surely
        known.update({name: (number, sure) for name, sure in new.items()})
        edge = [(p, new[name_of(p)]) for p in places if name_of(p) in new]
    return known


@pytest.mark.parametrize("seed", range(10))
def test_every_walk_in_random_clusters(seed: int) -> None:
    found = reach(o.cluster(random_cluster(seed, ANY)))
    for source in found.world.endpoints[:4]:
        told: dict[str, tuple[int, bool]] = {}
        for hop in spread(found, source).hops:
            told.update({row.place: (hop.number, row.sure) for row in hop.reached})
        assert told == _walked(found, source, 3), source.key


def test_a_cluster_wide_denial_holds_for_the_own_node_too() -> None:
    rule = {"action": "Deny", "to": [{"nodes": {}}]}
    spec = {"tier": "Admin", "priority": 1, "subject": {"namespaces": {}}, "egress": [rule]}
    deny = o.policy("policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy", "deny", spec)
    pod = o.pod("shop", "web", {"app": "web"}, ["10.0.0.1"], [], "n1")
    node = o.node("n1", ["192.0.2.1"], {})
    found = reach(o.cluster([o.namespace("shop", {}), pod, node, deny]), PROFILE)
    assert spread(found, _named(found, "shop/web")).hops == ()
    back = spread(found, found.world.nodes[0])
    assert [(row.place, row.sure) for hop in back.hops for row in hop.reached] == [
        ("shop/web", True)
    ]
