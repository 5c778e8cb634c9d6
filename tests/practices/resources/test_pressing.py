"""What is nearly spent, told by quotas and by measurements."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support.resources.guarded import thing

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, resource_of
from martello.core.sizing import Sizes
from martello.core.usage import Chunk, Owned
from martello.practices.resources.pressing import of_container, of_quotas
from martello.practices.resources.usage.demand import Demand
from martello.practices.resources.usage.gather import gather, window

MI = 2.0**20
DAY = 86_400.0


def test_quotas_from_nine_tenths_on() -> None:
    hard = {"pods": "10", "requests.memory": "2Gi", "services": "10", "count/jobs.batch": "0"}
    used = {"pods": "8", "requests.memory": "1944Mi", "services": "9", "count/jobs.batch": "0"}
    status = {"hard": hard, "used": used}
    held = thing("ResourceQuota", "compute", "shop", {"hard": hard}, status=status)
    world = Cluster([resource_of(held, Nowhere(), "live")], name="live")
    found = {one.what: one.says for one in of_quotas(world, "shop")}
    assert found == {"requests.memory": "1.9Gi of 2Gi (95%)", "services": "9 of 10 (90%)"}


def demand(memory: float, cores: float, days: int = 2) -> Demand:
    """A container that uses the same all the time."""
    times = np.arange(0.0, days * DAY, 60.0) + DAY
    of = Owned("shop", "web-1", "app", "deploy/web")
    chunks = [
        Chunk(of, "memory", times, np.full(len(times), memory * MI)),
        Chunk(of, "cores", times, np.full(len(times), cores)),
    ]
    (found,) = gather(chunks, window(DAY, DAY * (days + 1)))
    return found


@pytest.mark.parametrize(
    ("memory", "cores", "kinds"),
    [
        (80, 0.05, []),
        (95, 0.05, ["memory near limit"]),
        (80, 0.5, ["cpu above request"]),
        (95, 0.5, ["memory near limit", "cpu above request"]),
    ],
)
def test_containers_near_their_limits(memory: float, cores: float, kinds: list[str]) -> None:
    now = Sizes(cores=0.1, memory=50 * MI, memory_limit=100 * MI)
    found = list(of_container(demand(memory, cores), now))
    assert [one.kind for one in found] == kinds
    assert all(one.of == "shop/deploy/web/app" for one in found)


def test_nothing_is_pressing_without_bounds() -> None:
    assert not list(of_container(demand(95, 0.5), Sizes()))
