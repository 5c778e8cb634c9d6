"""An analyser that was changed answers as one made from nothing."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from tests.support.network.objects import Object
from tests.support.network.random_cluster import random_cluster

from martello.core.cluster import Cluster
from martello.core.reach import Conn, Reachability
from martello.core.resource import Nowhere, Ref, Resource, resource_of
from martello.practices.network.engine.reach import Reach, reach
from martello.practices.network.model import Address, Place, Profile

EVENTS = 1_000
OUTSIDE = (
    Address(4, 0xCB007105, 0xCB007105),
    Address(4, 0x0A4D010A, 0x0A4D010B),
    Address(6, 0x20010DB8011300000000000000000005, 0x20010DB8011300000000000000000005),
)


def test_a_thousand_random_events_equal_a_rebuild() -> None:
    random = Random(4)
    profile = Profile(blocks_match_pods=None)
    found = reach(_cluster(random_cluster(1)), profile)
    pool = [resource_of(o, Nowhere()) for seed in range(2, 60) for o in random_cluster(seed)]
    for number in range(EVENTS):
        changed, removed = _event(random, found, pool)
        found = found.apply(changed, removed)
        if number % 3 == 0:
            found.ready()
        if number % 5:
            continue
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


def _cluster(objects: list[Object]) -> Cluster:
    return Cluster([resource_of(one, Nowhere()) for one in objects])
