"""Proposals against live flows, and policies against what became of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.network.objects import Object, cluster, policy
from tests.support.network.taught import BEGIN, flow, shop, shopping

from martello.core.errors import BadInput, Refused
from martello.core.flow import Flow
from martello.practices.network.learn.drift import drift
from martello.practices.network.learn.learn import learn
from martello.practices.network.learn.model import Options
from martello.practices.network.learn.shadow import shadow

WEB, API, DB, CACHE = "10.1.1.10", "10.1.1.11", "10.1.2.12", "10.1.2.13"


def test_what_was_learned_drops_none_of_it_and_says_what_it_would_drop() -> None:
    """The direction and the policy that would drop a flow are named."""
    here = cluster(shop())
    lesson = learn(shopping(), here)
    assert list(shadow(shopping(), here, lesson.policies)) == []
    (drop,) = shadow([flow(WEB, DB, 5432, witness="live:1")], here, lesson.policies)
    assert (drop.source, drop.destination, drop.port) == ("shop/web", "shop/db", 5432)
    assert (drop.verdict, drop.times, drop.witness) == ("denied", 1, "live:1")
    assert "on the way out" in drop.why


def test_shadow_answers_while_the_flows_still_come() -> None:
    """It never waits for the end of a stream; repeats are numbered; dropped flows are no news."""
    here = cluster(shop())
    lesson = learn(shopping(), here)

    def endless() -> Iterator[Flow]:
        while True:
            yield flow(WEB, API, 9000)
            yield flow(WEB, DB, 5432, verdict="dropped")
            yield flow(WEB, DB, 5432)

    drops = shadow(endless(), here, lesson.policies)
    assert [next(drops).times for _ in range(3)] == [1, 2, 3]


def test_an_observed_flow_that_would_be_denied_refuses_everything() -> None:
    """A policy that is in force already denies what was seen: the flow and the step are named."""
    deny = policy(
        "policy.networking.k8s.io/v1alpha2",
        "ClusterNetworkPolicy",
        "no-db",
        {
            "tier": "Admin",
            "priority": 1,
            "subject": {"pods": _pods("shop", "db")},
            "ingress": [{"action": "Deny", "from": [{"namespaces": {}}]}],
        },
    )
    with pytest.raises(Refused) as refused:
        learn([flow(API, DB, 5432, witness="day.log:3")], cluster([*shop(), deny]))
    text = str(refused.value)
    assert "shop/api → shop/db TCP 5432 (day.log:3)" in text
    assert "denied on the way in by ClusterNetworkPolicy/no-db" in text


def _pods(space: str, app: str) -> Object:
    spaces = {"matchLabels": {"kubernetes.io/metadata.name": space}}
    return {"namespaceSelector": spaces, "podSelector": {"matchLabels": {"app": app}}}


def test_a_pod_and_its_own_node_need_no_policy_but_other_nodes_do() -> None:
    """A policy in force cuts the pod off from nodes; its own node is reached all the same."""
    closed = policy(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        "closed",
        {"podSelector": {"matchLabels": {"app": "api"}}, "policyTypes": ["Egress"]},
        "shop",
    )
    here = cluster([*shop(), closed])
    lesson = learn([flow(API, "192.0.2.1", 9100)], here)
    assert lesson.proof.denied == 0
    after = list(shadow([flow(API, "192.0.2.2", 9100)], here, [closed]))
    assert [drop.verdict for drop in after] == ["denied"]


def test_a_second_lesson_replaces_the_first() -> None:
    """What an earlier run proposed is not taken for a wish of its own."""
    first = learn([flow(WEB, DB, 5432), flow(WEB, API, 9000)], cluster(shop()))
    again = learn([flow(WEB, API, 9000)], cluster([*shop(), *first.policies]))
    assert again.policies == learn([flow(WEB, API, 9000)], cluster(shop())).policies
    assert not any(p.destination == "shop/db" and not p.why for p in again.proof.open_pairs)


def test_hold_out_tells_what_a_shorter_watch_would_have_missed() -> None:
    """Learned from the first 80 % of time; a new edge of the rest is missed, an old one is not."""
    flows = [
        flow(WEB, API, 9000, at=10),
        flow(API, DB, 5432, at=20, count=3),
        flow(WEB, API, 9000, at=100),
        flow(WEB, CACHE, 6379, at=110, count=5),
    ]
    held = learn(flows, cluster(shop())).proof.held_out
    assert held is not None
    assert held.until == pytest.approx(BEGIN + 90)
    assert (held.trained_edges, held.later_edges) == (2, 1)
    assert (held.missed_edges, held.missed_flows) == (1, 5)
    assert held.missed == ("shop/web → shop/cache TCP 6379",)
    assert learn([flow(WEB, API, 9000, at=0)], cluster(shop())).proof.held_out is None


def test_drift_names_what_nobody_uses_and_what_is_asked_for() -> None:
    """NET-022 and NET-023: old flows do not count."""
    lesson = learn([*shopping(), flow(WEB, CACHE, 6379)], cluster(shop()))
    here = cluster([*shop(), *lesson.policies])
    later = [
        *(flow(f.source.ip, f.destination.ip, f.port, f.protocol, 1000) for f in shopping()),
        flow(WEB, CACHE, 6379, at=10),
        flow(WEB, DB, 5432, at=1000, verdict="dropped", count=4),
    ]
    found = drift(later, here, BEGIN + 900)
    assert ("shop/web", "shop/cache", "TCP 6379") in {
        (u.source, u.destination, u.ports) for u in found.unused
    }
    assert ("shop/web", "shop/api") not in {(u.source, u.destination) for u in found.unused}
    (rule,) = (r for r in found.rules if r.policy.ref.name == "learned-cache-ingress")
    assert rule.path == ("spec", "ingress", 0)
    assert "learned-api-ingress" not in {r.policy.ref.name for r in found.rules}
    (asked,) = found.demand
    assert (asked.source, asked.destination, asked.count) == ("shop/web", "shop/db", 4)
    assert "on the way out" in asked.why


def test_options_that_do_not_fit_are_bad_input() -> None:
    """A namespace that is not here names the nearest; a dialect must be known."""
    with pytest.raises(BadInput, match="no namespace 'shp'") as wrong:
        learn((), cluster(shop()), Options(namespaces=("shp",)))
    assert "shop" in wrong.value.next
    with pytest.raises(BadInput, match="no dialect"):
        learn((), cluster(shop()), Options(dialect="Calico"))
