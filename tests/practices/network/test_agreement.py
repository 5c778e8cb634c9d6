"""The analyser against the plain oracle, on random clusters with everything in them: doubt too
must be the same doubt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

import pytest
from tests.support.network.analyser import Asked
from tests.support.network.naive import Naive, naive
from tests.support.network.objects import Object, cluster
from tests.support.network.random_cluster import ANY, NODES, OUTSIDE, PORTS, random_cluster

from martello.practices.network.engine.reach import reach
from martello.practices.network.model import Profile

Question = tuple[str, str, str, int, int]  # source, destination, protocol, port, family
NAMES = {"example.com": ("203.0.113.5", "2001:db8:113::5")}


def questions(oracle: Naive, random: Random) -> Iterator[Question]:
    """Every ordered pair with a pod at one side or the other, on some ports, in each family."""
    places = [*oracle.pods, *(ip for ips in NODES.values() for ip in ips), *OUTSIDE]
    for source in places:
        for target in places:
            kinds = {oracle.end(source).kind, oracle.end(target).kind}
            held = [set(oracle.end(one).ips or (4, 6)) for one in (source, target)]
            shared = sorted(held[0] & held[1])
            if not kinds & {"pod"} or not shared:
                continue
            # a node is asked by one of its addresses here, and has both
            for family in shared if "node" in kinds else [0, *shared]:
                for protocol in ("TCP", "UDP", "SCTP"):
                    for port in random.sample((*PORTS, 82), 2):
                        yield source, target, protocol, port, family
                yield source, target, "ICMP", 0, family


def differences(
    objects: Sequence[Object], takes: bool | None, random: Random
) -> tuple[list[str], set[bool | None]]:
    """Where they differ, and which answers there were."""
    profile = Profile("test", takes, names=tuple(NAMES.items()))
    oracle = naive(objects, takes, NAMES)
    asked = Asked(reach(cluster(objects), profile))
    assert asked.reach.policies.faults == ()
    wrong, seen = [], set()
    for question in questions(oracle, random):
        says, said = oracle.allowed(*question), asked.allowed(*question)
        seen.add(says)
        if said is not says:
            wrong.append(f"{question}: analyser {said}, oracle {says}")
    return wrong, seen


@pytest.mark.parametrize("takes", [True, False, None])
def test_on_random_clusters(takes: bool | None) -> None:
    seen = set()
    for seed in range(8):
        wrong, answers = differences(random_cluster(seed, ANY), takes, Random(seed))
        assert wrong == [], seed
        seen |= answers
    assert seen == {True, False, None}
