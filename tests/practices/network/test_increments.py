"""After any sequence of events the increments give what a new build of the same state gives."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from tests.support.network.analyser import Asked, difference
from tests.support.network.events import random_events
from tests.support.network.objects import Object, cluster, resources
from tests.support.network.random_cluster import ANY, DECIDED, OUTSIDE, random_cluster

from martello.core.reach import Conn
from martello.practices.network.engine.reach import Reach, reach
from martello.practices.network.model import Profile

PROFILE = Profile("test", blocks_match_pods=True)
EVENTS = 300


def table(found: Reach) -> dict[tuple[str, str], tuple[Conn, Conn]]:
    """What passes for sure and what perhaps, for every pair with a pod at one side or the other."""
    asked = Asked(found)
    pods = sorted(f"{e.namespace}/{e.pod}" for e in found.world.endpoints)
    pairs = [*product(pods, pods), *product(pods, OUTSIDE), *product(OUTSIDE, pods)]
    told = {pair: asked.verdict(*pair) for pair in pairs}
    return {pair: (one.yes, one.maybe) for pair, one in told.items()}


def stepped(held: Reach, before: Sequence[Object], after: Sequence[Object]) -> Reach:
    changed, removed = difference(before, after)
    return held.apply(changed, removed)


def test_events_equal_a_rebuild() -> None:
    state = random_cluster(1, DECIDED)
    held = reach(cluster(state), PROFILE)
    seen = set()
    for number, event in enumerate(random_events(1, state, EVENTS, DECIDED), 1):
        changed, removed = resources(event.changed), resources(event.removed)
        held = held.apply(changed, [one.ref for one in removed])
        seen.add(event.name)
        if number % 60 == 0:
            assert table(held) == table(reach(cluster(event.state), PROFILE)), event.name
    assert len(seen) == 8


def test_many_changes_at_once_and_back() -> None:
    first, second = random_cluster(3, ANY), random_cluster(4, ANY)
    held = reach(cluster(first), PROFILE)
    there = stepped(held, first, second)
    assert table(there) == table(reach(cluster(second), PROFILE))
    assert table(stepped(there, second, first)) == table(held)
