"""Random worlds in a real API server: its access reviews and ours must say the same.

WORLDS sets how many worlds are tried.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest
from tests.support.access.random_world import person, request, world
from tests.support.access.reviews import clear, review, settle, stored
from tests.support.apiserver import ApiServer

from martello.practices.access import Access
from martello.practices.access.model import Principal, Request

pytestmark = pytest.mark.apiserver

WORLDS = int(os.environ.get("WORLDS", "20"))
REVIEWS = 200


@pytest.fixture
def server(apiserver: ApiServer) -> Iterator[ApiServer]:
    try:
        yield apiserver
    finally:
        clear(apiserver)


def test_reviews_of_a_real_server_agree(server: ApiServer) -> None:
    allowed = 0
    for seed in range(WORLDS):
        pick = random.Random(f"server {seed}")
        settle(server, world(pick, 8 + seed % 8, storable=True), f"sign-{seed}")
        ours = Access(stored(server))
        people = [person(pick) for _ in range(12)]
        for _ in range(REVIEWS):
            (user, groups), asked = pick.choice(people), request(pick)
            found = ours.can(Principal(user, groups), Request(**asked)).verdict
            wanted = review(server, user, groups, asked)
            assert found == ("allowed" if wanted else "denied"), (seed, user, groups, asked)
            allowed += wanted
    assert allowed > WORLDS * REVIEWS // 20
