"""Objects and flows as nobody should write them: an answer or a BadInput, never a fall."""

from __future__ import annotations

from copy import deepcopy
from random import Random
from typing import Any, Final

import pytest
from tests.support.network.objects import Object, cluster
from tests.support.network.taught import flow, shop, shopping, workload

from martello.core.errors import MartelloError
from martello.core.flow import Flow, Peer
from martello.practices.network.learn.declared import hosts
from martello.practices.network.learn.drift import drift
from martello.practices.network.learn.learn import learn
from martello.practices.network.learn.model import Options
from martello.practices.network.learn.shadow import shadow

JUNK: Final[tuple[Any, ...]] = (
    None,
    0,
    -1,
    True,
    "",
    "²",
    "x" * 300,
    [],
    {},
    [None],
    {"a": 1},
    1.5,
)
KEPT: Final = frozenset(("kind", "apiVersion", "metadata"))


def spoiled(random: Random) -> list[Object]:
    """The shop with values of the wrong kind in a few places, but with names."""
    objects = deepcopy(shop())
    for _ in range(random.randint(1, 6)):
        at: Any = random.choice(objects)
        keys = [k for k in at if k not in KEPT] or ["spec"]
        key: Any = random.choice(keys)
        while isinstance(at.get(key) if isinstance(at, dict) else at[key], dict | list):
            inner = at[key]
            if not inner or random.random() < 0.2:
                break
            at = inner
            key = random.choice(list(at)) if isinstance(at, dict) else random.randrange(len(at))
        at[key] = random.choice(JUNK)
    return objects


@pytest.mark.parametrize("seed", range(60))
def test_objects_of_the_wrong_kind_never_end_in_a_fall(seed: int) -> None:
    """Whatever is learned of the rest is learned."""
    objects = spoiled(Random(seed))
    try:
        lesson = learn(shopping(), cluster(objects), Options(include_declared=True))
    except MartelloError:
        return
    assert lesson.proof.denied == 0


@pytest.mark.parametrize(
    "odd",
    [
        Flow(Peer(), Peer(), "TCP", 80),
        Flow(Peer(ip="nonsense"), Peer(ip="10.1.1.10"), "TCP", 80, reply=False),
        Flow(Peer(ip="10.1.1.10"), Peer(ip="10.1.1.11"), "TCP", 0, reply=False),
        Flow(Peer(ip="10.1.1.10"), Peer(ip="10.1.1.11"), "GRE", 9, reply=False),
        Flow(Peer(ip="127.0.0.1"), Peer(ip="127.0.0.1"), "TCP", 9, reply=False),
        Flow(Peer(ip="203.0.113.1"), Peer(ip="203.0.113.2"), "TCP", 9, reply=False),
        Flow(Peer(ip="10.1.1.10"), Peer(ip="10.1.1.10"), "TCP", 9, reply=False),
        Flow(Peer(ip="10.1.1.10"), Peer(ip="10.96.1.1"), "TCP", 81, reply=False),
        Flow(Peer(ip="10.1.1.10"), Peer(ip="10.96.1.1"), "TCP", 80, reply=True),
        Flow(Peer(ip="10.1.1.10"), Peer(ip="::ffff:1.2.3.4"), "TCP", 80, at=-5.0, count=-7),
        Flow(Peer(ip="10.1.1.10"), Peer(ip="10.1.1.11"), "TCP", 80, translated=("x", 0)),
        Flow(Peer(namespace="shop", workload="gone"), Peer(ip="10.1.1.10"), "TCP", 80),
    ],
)
def test_odd_flows_are_counted_and_taken_as_they_are(odd: Flow) -> None:
    """Learned, set aside or unresolved: their number is right in every verb."""
    here = cluster(shop())
    lesson = learn([odd], here)
    assert lesson.proof.flows == 1
    assert lesson.proof.denied == 0
    assert list(shadow([odd], here, lesson.policies)) == []
    assert drift([odd], here, -10.0).flows == 1


def test_hosts_are_parsed_and_bounded() -> None:
    """URLs with users, several hosts, ports; noise; very long values."""

    def told(text: str) -> list[tuple[str, int]]:
        return [(named.host, named.port) for named in hosts(text)]

    assert told("postgres://u:p%40@db.shop.svc:5432,db2:5433/x?y=http://not-a-value") == [
        ("db.shop.svc", 5432),
        ("db2", 5433),
        ("not-a-value", 80),
    ]
    assert told("jdbc:postgresql://db/x") == [("db", 5432)]
    assert told("kafka-0:9092, kafka-1:9092") == [("kafka-0", 9092), ("kafka-1", 9092)]
    assert told("[::1]:80 a:b:c \x00 ://") == []
    assert len(told("http://a " * 100_000)) <= 256


def test_a_dense_crowd_of_labels_costs_little() -> None:
    """300 workloads that share a label are still told apart: work is counted by their selectors."""
    objects = shop()
    for number in range(300):
        labels = {"app": f"w{number}", "part-of": "crowd"}
        objects += workload(
            "ops", f"w{number}", [f"10.1.2.{number % 100 + 100}"], labels=labels, start=number
        )
    lesson = learn([flow("10.1.1.10", "10.1.2.199", 80, at=1e6)], cluster(objects))
    assert lesson.proof.unresolved == 0
    assert "w299" in repr(lesson.policies)
