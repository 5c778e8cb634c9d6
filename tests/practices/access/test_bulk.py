"""All who-can answers at once are the single ones."""

from __future__ import annotations

import random

from tests.support.access.random_world import SPACES, request, world

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, resource_of
from martello.practices.access import Access
from martello.practices.access.bulk import Bulk
from martello.practices.access.model import MASTERS, Request


def test_pairs_are_those_of_who_can() -> None:
    named = 0
    for seed in range(60):
        pick = random.Random(seed)
        ours = Access(Cluster(resource_of(o, Nowhere(), "x") for o in world(pick, 10)))
        bulk = Bulk(ours.index)
        for _ in range(10):
            raw = {**request(pick), "namespace": ""}
            found = set(bulk.named(bulk.pairs(Request(**raw))))
            named += len(found)
            for space in ("", *SPACES) if "path" not in raw else ("",):
                asked = Request(**{**raw, "namespace": space})
                single = {
                    (subject, grant.scope)
                    for subject, answer in ours.who_can(asked)
                    for grant in answer.grants
                    if subject.name != MASTERS
                }
                assert {pair for pair in found if pair[1] in ("", space)} == single
    assert named > 200


def test_nobody_bound_is_nobody() -> None:
    bulk = Bulk(Access(Cluster([])).index)
    assert len(bulk.pairs(Request("get", "", "pods"))) == 0
