"""Changes of a cluster that must not change an answer, or only in one direction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from itertools import product
from random import Random

import pytest
from tests.support.network.analyser import Asked
from tests.support.network.objects import Object, cluster, policy
from tests.support.network.random_cluster import ANY, OUTSIDE, Making, random_cluster
from tests.support.network.raw import directions

from martello.core.reach import Conn
from martello.practices.network.engine.reach import reach
from martello.practices.network.model import Profile

SEEDS = range(6)
PROFILE = Profile("test", blocks_match_pods=True)
Pair = tuple[str, str]
Table = dict[Pair, tuple[Conn, Conn]]
RENAMED = {"a": "alpha", "b": "beta", "c": "gamma", "x": "left", "y": "right", "app": "kind"}


def table(objects: Sequence[Object]) -> Table:
    """What passes for sure and what perhaps, for every pair with a pod at one side or the other."""
    asked = Asked(reach(cluster(objects), PROFILE))
    assert asked.reach.policies.faults == ()
    pods = [f"{e.namespace}/{e.pod}" for e in asked.reach.world.endpoints]
    pairs = [*product(pods, pods), *product(pods, OUTSIDE), *product(OUTSIDE, pods)]
    found = {pair: asked.verdict(*pair) for pair in pairs}
    return {pair: (one.yes, one.maybe) for pair, one in found.items()}


def is_network(one: Object) -> bool:
    return bool(one["kind"] == "NetworkPolicy")


def split(one: Object) -> Iterator[Object]:
    """A NetworkPolicy as one of each rule, element and port, and one that only isolates."""
    spec = one["spec"]
    ways = directions(spec)
    types = [way.capitalize() for way in sorted(ways)]
    bare = {"podSelector": spec.get("podSelector"), "policyTypes": types}
    parts: list[Object] = [bare]
    for way, peers in (("ingress", "from"), ("egress", "to")):
        for rule in spec.get(way) or () if way in ways else ():
            for peer in rule.get(peers) or [None]:
                for port in rule.get("ports") or [None]:
                    part = {} if peer is None else {peers: [peer]}
                    if port is not None:
                        part["ports"] = [port]
                    parts.append({**bare, way: [part]})
    name, space = one["metadata"]["name"], one["metadata"]["namespace"]
    for number, part in enumerate(parts):
        yield policy(one["apiVersion"], one["kind"], f"{name}-{number}", part, space)


def renamed(one: object) -> object:
    """The same object with other names of labels and values, wherever they are written."""
    if isinstance(one, dict):
        return {
            RENAMED.get(key, key) if isinstance(key, str) else key: renamed(value)
            for key, value in one.items()
        }
    if isinstance(one, list):
        return [renamed(value) for value in one]
    return RENAMED.get(one, one) if isinstance(one, str) else one


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_objects_does_not_count(seed: int) -> None:
    objects = random_cluster(seed, ANY)
    shuffled = Random(seed).sample(objects, len(objects))
    assert table(shuffled) == table(objects)


@pytest.mark.parametrize("seed", SEEDS)
def test_rules_split_over_policies_are_the_same_rules(seed: int) -> None:
    objects = random_cluster(seed, ANY)
    parts = [part for one in objects if is_network(one) for part in split(one)]
    assert table([*(one for one in objects if not is_network(one)), *parts]) == table(objects)


@pytest.mark.parametrize("seed", SEEDS)
def test_names_of_labels_do_not_count(seed: int) -> None:
    objects = random_cluster(seed, ANY)
    other = renamed(objects)
    assert isinstance(other, list)
    assert other != objects
    assert table(other) == table(objects)


@pytest.mark.parametrize("seed", SEEDS)
def test_one_more_rule_of_a_network_policy_closes_nothing(seed: int) -> None:
    objects = random_cluster(seed, ANY)
    making = Making(Random(seed), ANY)
    making.spaces = ["n0", "n1"]
    at, chosen = making.random.choice(
        [(n, one) for n, one in enumerate(objects) if is_network(one)]
    )
    more = deepcopy(chosen)
    ways = sorted(directions(chosen["spec"]))
    more["spec"]["policyTypes"] = [way.capitalize() for way in ways]
    for way in ways:
        rule = making.network_rule("from" if way == "ingress" else "to")
        more["spec"].setdefault(way, []).append(rule)
    before, after = table(objects), table([*objects[:at], more, *objects[at + 1 :]])
    for pair, (yes, maybe) in before.items():
        assert not yes - after[pair][0], pair
        assert not (yes | maybe) - (after[pair][0] | after[pair][1]), pair


@pytest.mark.parametrize("seed", SEEDS)
def test_one_more_network_policy_touches_its_pods_only_and_opens_nothing_free(seed: int) -> None:
    objects = [one for one in random_cluster(seed, ANY) if not is_network(one)]
    making = Making(Random(seed), ANY)
    making.spaces = ["n0"]
    more = making.network_policy("more")
    before, after = table(objects), table([*objects, more])
    for pair, (yes, maybe) in before.items():
        if not any(end.startswith("n0/") for end in pair):
            assert after[pair] == (yes, maybe), pair
        assert not (after[pair][0] | after[pair][1]) - (yes | maybe), pair


def test_allow_all_beside_deny_all_is_allow_all() -> None:
    both = ["Ingress", "Egress"]
    shut = {"podSelector": {}, "policyTypes": both}
    free = {**shut, "ingress": [{}], "egress": [{}]}
    objects = [one for one in random_cluster(1, ANY) if one["kind"] in ("Pod", "Namespace", "Node")]
    spaces = {one["metadata"]["namespace"] for one in objects if one["kind"] == "Pod"}

    def with_(**specs: Object) -> list[Object]:
        made = [
            policy("networking.k8s.io/v1", "NetworkPolicy", name, spec, space)
            for name, spec in specs.items()
            for space in spaces
        ]
        return [*objects, *made]

    assert table(with_(deny=shut, allow=free)) == table(with_(allow=free)) == table(objects)
    assert table(with_(deny=shut)) != table(objects)
