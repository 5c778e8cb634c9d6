"""An analyser that was changed answers as one made from nothing."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from tests.support.network.objects import Object, cluster, namespace, node, pod, policy, resources
from tests.support.network.random_cluster import random_cluster

from martello.core.errors import BadInput
from martello.core.reach import Conn, Reachability
from martello.core.resource import Ref, Resource
from martello.practices.network.engine.reach import Reach, reach, reach_of
from martello.practices.network.model import Address, Endpoint, Place, Profile

EVENTS = 200
OUTSIDE = (
    Address(4, 0xCB007105, 0xCB007105),
    Address(4, 0x0A4D010A, 0x0A4D010B),
    Address(6, 0x20010DB8011300000000000000000005, 0x20010DB8011300000000000000000005),
)


def test_random_events_equal_a_rebuild() -> None:
    random = Random(4)
    profile = Profile(blocks_match_pods=None)
    found = reach(cluster(random_cluster(1)), profile)
    pool = resources([o for seed in range(2, 40) for o in random_cluster(seed)])
    for number in range(EVENTS):
        changed, removed = _event(random, found, pool)
        found = found.apply(changed, removed)
        if number % 3 == 0:
            found.ready()
        assert found.cluster is not None
        rebuilt = reach(found.cluster, profile)
        event = (number, changed, removed)
        assert sorted(map(_row, found.matrix("workload"))) == sorted(
            map(_row, rebuilt.matrix("workload"))
        ), event
        if number % 40 == 0:
            assert list(_answers(found)) == list(_answers(rebuilt)), event


def _event(random: Random, found: Reach, pool: list[Resource]) -> tuple[list[Resource], list[Ref]]:
    """One or two objects are added or replaced, or some object goes."""
    assert found.cluster is not None
    here = found.cluster.resources
    if len(here) > 40 or (random.random() < 0.4 and len(here) > 12):
        return [], [random.choice(here).ref]
    new = {one.ref: one for one in random.sample(pool, random.choice((1, 1, 2)))}
    return list(new.values()), []


def _row(row: tuple[str, str, Reachability]) -> tuple[str, str, str, str]:
    return row[0], row[1], str(row[2].yes), str(row[2].maybe)


def _answers(found: Reach) -> Iterator[tuple[str, str, int, Conn, Conn]]:
    """Every pair of places, in the order of their names."""
    pods = {f"pod {e.key}": e for e in found.world.endpoints}
    places: dict[str, Place] = {**pods, **{f"node {n.name}": n for n in found.world.nodes}}
    for a in OUTSIDE:
        places[str(a)] = a
    for source, one in sorted(places.items()):
        for target, other in sorted(places.items()):
            for family in (4, 6) if not isinstance(one, Address) else (one.version,):
                if not (isinstance(one, Address) and isinstance(other, Address)):
                    answer = found.verdict(one, other, family)
                    yield source, target, family, answer.yes, answer.maybe


def test_an_edit_makes_the_rows_of_its_groups_only() -> None:
    found = reach(cluster(_shop())).ready()
    changed = _policy("db", {"app": "db"}, {"app": "api"})
    after = found.apply(resources([changed])).ready()
    holding = [
        key
        for way in after.state.groups
        for key in after.state.groups[way].keys
        if any(after.state.serials[c >> 1].resource.ref.name == "db" for c in key.codes)
    ]
    assert found.state.made == 3
    assert after.state.made == len(holding) == 1
    assert after.world is found.world


def test_a_new_pod_of_a_known_kind_makes_no_row() -> None:
    found = reach(cluster(_shop())).ready()
    more = pod("shop", "web-2", {"app": "web"}, ["10.0.0.9"], [])
    assert found.apply(resources([more])).ready().state.made == 0


def test_the_one_before_still_answers_as_before() -> None:
    found = reach(cluster(_shop()))
    web, db = _endpoint(found, "web"), _endpoint(found, "db")
    after = found.apply(resources([_policy("db", {"app": "db"}, {"app": "never-named"})]))
    assert found.verdict(web, db).yes.allows("TCP", 80)
    assert not after.verdict(_endpoint(after, "web"), _endpoint(after, "db")).yes


def test_the_labels_of_a_node_change_what_runs_on_its_network() -> None:
    peers = [{"nodes": {"matchLabels": {"zone": "a"}}}]
    rule = {"action": "Deny", "to": peers}
    spec = {"tier": "Admin", "priority": 1, "subject": {"namespaces": {}}, "egress": [rule]}
    denial = policy("policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy", "n", spec)
    host = pod("shop", "host", {}, ["192.0.2.1"], [], "n1")
    host["spec"]["hostNetwork"] = True
    before = node("n1", ["192.0.2.1"], {"zone": "a"})
    found = reach(cluster([*_shop(), host, before, denial])).ready()
    after = found.apply(resources([node("n1", ["192.0.2.1"], {"zone": "b"})]))
    for one, passes in ((found, False), (after, True), (after.apply(resources([before])), False)):
        answer = one.verdict(_endpoint(one, "web"), _endpoint(one, "host"))
        assert bool(answer.yes) is passes


def test_places_in_memory_cannot_be_changed() -> None:
    found = reach(cluster(_shop()))
    with pytest.raises(BadInput, match="nothing to change"):
        reach_of(found.world, found.policies).apply(removed=[found.world.endpoints[0].resource.ref])


def _shop() -> list[Object]:
    """Three pods, each isolated by a policy of its own on the way in."""
    apps = ("web", "api", "db")
    pods = [pod("shop", a, {"app": a}, [f"10.0.0.{n}"], []) for n, a in enumerate(apps)]
    return [
        namespace("shop", {}),
        *pods,
        *(_policy(app, {"app": app}, {"app": "web"}) for app in apps),
    ]


def _policy(name: str, mine: dict[str, str], peers: dict[str, str]) -> Object:
    spec = {
        "podSelector": {"matchLabels": mine},
        "ingress": [{"from": [{"podSelector": {"matchLabels": peers}}]}],
    }
    return policy("networking.k8s.io/v1", "NetworkPolicy", name, spec, "shop")


def _endpoint(found: Reach, name: str) -> Endpoint:
    return next(e for e in found.world.endpoints if e.pod == name)


def test_one_name_with_and_without_the_default_namespace_is_refused_at_once() -> None:
    spec: Object = {"podSelector": {}, "policyTypes": ["Ingress"]}
    one, other = (
        policy("networking.k8s.io/v1", "NetworkPolicy", "np", spec, space)
        for space in ("default", "")
    )
    found = reach(cluster([pod("default", "web", {}, ["10.0.0.1"], []), one]))
    assert len(found.apply(resources([other])).policies.faults) == 1


def test_a_namespace_goes_with_the_last_policy_in_it() -> None:
    spec: Object = {"podSelector": {}, "policyTypes": ["Ingress"]}
    one = policy("networking.k8s.io/v1", "NetworkPolicy", "np", spec, "empty")
    found = reach(cluster([namespace("shop", {}), pod("shop", "web", {}, ["10.0.0.1"], []), one]))
    assert "empty" in found.world.namespaces
    after = found.apply(removed=[resources([one])[0].ref])
    assert "empty" not in after.world.namespaces
    assert after.notes == ()


def test_a_cluster_of_host_pods_alone_is_counted() -> None:
    host = pod("shop", "proxy", {}, ["192.0.2.1"], [], "n1")
    host["spec"]["hostNetwork"] = True
    found = reach(cluster([namespace("shop", {}), host, node("n1", ["192.0.2.1"], {})]))
    assert found.count().pairs == 1
    assert len(list(found.blocks())) == 1
