"""Figures and tables of all pairs are what the answers for single pairs add up to."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from tests.support.network.objects import cluster, namespace, pod
from tests.support.network.random_cluster import ANY, random_cluster

from martello.core.reach import Conn
from martello.practices.network.engine.figures import _held
from martello.practices.network.engine.pairs import Pairs
from martello.practices.network.engine.reach import Reach, reach
from martello.practices.network.engine.totals import figured, looked_at
from martello.practices.network.model import Endpoint, Profile

SEEDS = range(12)


@pytest.mark.parametrize("seed", SEEDS)
def test_all_pairs_are_the_single_ones(seed: int) -> None:
    found = reach(cluster(random_cluster(seed)), Profile(blocks_match_pods=(True, None)[seed % 2]))
    every = [(s, d, found.verdict(s, d)) for s in found.world.endpoints for d in _ends(found)]
    counted = found.count()
    assert counted.sure == sum(bool(v.yes) for *_, v in every)
    assert counted.maybe == sum(bool(v.maybe) and not v.yes for *_, v in every)
    assert counted.pairs == len(every)


@pytest.mark.parametrize("by", ["namespace", "workload"])
@pytest.mark.parametrize("seed", SEEDS)
def test_tables_are_what_passes_between_some_members(seed: int, by: str) -> None:
    found = reach(cluster(random_cluster(seed)), Profile(blocks_match_pods=None))
    name: Callable[[Endpoint], str] = lambda e: e.namespace if by == "namespace" else e.name  # noqa: E731
    wanted: dict[tuple[str, str], tuple[Conn, Conn]] = {}
    for source in found.world.endpoints:
        for destination in found.world.endpoints:
            if source is not destination:
                answer = found.verdict(source, destination)
                key = name(source), name(destination)
                yes, most = wanted.get(key, (Conn(), Conn()))
                wanted[key] = yes | answer.yes, most | answer.yes | answer.maybe
    rows = {(a, b): (v.yes, v.yes | v.maybe) for a, b, v in found.matrix(by)}
    assert rows == {key: both for key, both in wanted.items() if both[1]}


def test_every_pair_must_allow_what_a_table_of_every_pair_allows() -> None:
    found = reach(cluster(random_cluster(3)), Profile(blocks_match_pods=True))
    rows = {(a, b): v for a, b, v in found.matrix("namespace", every=True)}
    for source in found.world.endpoints:
        for destination in found.world.endpoints:
            row = rows.get((source.namespace, destination.namespace))
            if row is not None and source is not destination:
                assert not row.yes - found.verdict(source, destination).yes


def test_nothing_has_no_pairs() -> None:
    found = reach(cluster([]))
    assert (found.count().pairs, list(found.matrix())) == (0, [])


def _ends(found: Reach) -> tuple[Endpoint, ...]:
    return found.world.endpoints


def test_a_cluster_of_nothing_but_pods_on_the_network_of_their_nodes() -> None:
    agent = pod("shop", "agent", {}, ["10.0.0.1"], [])
    agent["spec"]["hostNetwork"] = True
    found = reach(cluster([namespace("shop", {}), agent]))
    assert found.count().pairs == 1
    assert found.cells.count == 1


@pytest.mark.parametrize("seed", range(24))
def test_rows_give_the_figures_that_a_look_at_each_pair_gives(seed: int) -> None:
    """Of pods with one family, or with addresses that are not known: all by one plane."""
    shape = replace(ANY, host_network=False)
    objects = []
    for one in json.loads(json.dumps(random_cluster(seed, shape))):
        if one["kind"] == "Pod":
            held = [a for a in one["status"].pop("podIPs", []) if ":" not in a["ip"]]
            one["status"].pop("podIP", None)
            if seed % 3 and not held:
                continue
            if seed % 3:
                one["status"] |= {"podIP": held[0]["ip"], "podIPs": held}
        objects.append(one)
    found = reach(cluster(objects), Profile(blocks_match_pods=(True, None, False)[seed % 3]))
    pairs = Pairs(found.state, found.cells)
    assert len(pairs.planes) == 1
    for one_way, other in zip(figured(pairs), looked_at(pairs), strict=True):
        assert one_way.pairs == other.pairs
        assert one_way.own.tolist() == other.own.tolist()


def test_masks_that_look_alike_are_still_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = np.arange(12, dtype=np.uint64).reshape(3, 4) % 3
    held = _held(grid)
    assert np.array_equal(held.masks.T[:, held.of], grid)
    monkeypatch.setattr("martello.practices.network.engine.figures._mixed", lambda g: g[0] * 0)
    held = _held(grid)
    assert np.array_equal(held.masks.T[:, held.of], grid)
