"""The plain decision equals the engine for every pair of pods, and bounds it where in doubt."""

from __future__ import annotations

from functools import partial

import pytest
from tests.support.network.objects import cluster
from tests.support.network.random_cluster import ANY, random_cluster

from martello.core.reach import ALL, NONE, Conn, Ports, Reachability
from martello.practices.network.decide.decide import (
    EVERYTHING_PASSES,
    IN,
    OUT,
    Asked,
    Passing,
    decide,
)
from martello.practices.network.decide.sides import Sides, spoken
from martello.practices.network.decide.takes import place_takes
from martello.practices.network.decide.witness import Reading
from martello.practices.network.engine.reach import Reach, reach
from martello.practices.network.model import Endpoint, NamedPort


def plainly(found: Reach, source: Endpoint, destination: Endpoint) -> Reachability:
    """One pair, by sets."""
    sides = Sides(found.policies, Reading(found.world, found.profile))
    bounds = []
    for hopeful in (False, True):
        passing = EVERYTHING_PASSES
        for one, other, way in ((source, destination, OUT), (destination, source, IN)):
            takes = partial(place_takes, place=other, reading=sides.reading)
            ports = partial(spoken, destination.ports)
            if sides.doubted(one, way):
                passing &= EVERYTHING_PASSES if hopeful else Passing()
                continue
            asked = Asked(way, takes, ports, hopeful)
            passing &= decide(sides.governing(one, way), asked)
        bounds.append(passing.conn)
    return Reachability(bounds[0], bounds[1] - bounds[0])


@pytest.mark.parametrize("seed", range(12))
def test_every_pair_of_pods_as_the_engine_says(seed: int) -> None:
    found = reach(cluster(random_cluster(seed, ANY)))
    pods = [e for e in found.world.endpoints if not e.host_network]
    for source in pods:
        for destination in pods:
            if source is destination or not _meet(source, destination):
                continue
            engine = found.verdict(source, destination)
            plain = plainly(found, source, destination)
            where = f"{source.key} → {destination.key}"
            # What is certain here is certain there; the engine may know more of families.
            assert not plain.yes - engine.yes, where
            assert not engine.maybe - plain.maybe, where
            assert not engine.yes - (plain.yes | plain.maybe), where


def _meet(one: Endpoint, other: Endpoint) -> bool:
    """Whether two pods have a family in common; unknown addresses may be of any."""
    families = [{version for version, _ in e.addresses} or {4, 6} for e in (one, other)]
    return bool(families[0] & families[1])


def test_names_are_sets_that_may_be_all_but_some() -> None:
    http, dns = NamedPort("http", "TCP"), NamedPort("dns", "UDP")
    one = Passing(names=frozenset((http,)))
    rest = EVERYTHING_PASSES - one
    assert one | rest == EVERYTHING_PASSES
    assert not (one & rest)
    assert (rest & Passing(names=frozenset((http, dns)))).shown == (dns,)
    assert Passing(Conn((Ports("TCP", 1, 65535),)), frozenset((http, dns))).shown == (dns,)
    assert Passing(ALL).conn - EVERYTHING_PASSES.conn == NONE
