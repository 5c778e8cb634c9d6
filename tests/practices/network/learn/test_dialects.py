"""The same lesson in every dialect, each proved by the analyser."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.network.naive import Naive
from tests.support.network.objects import Object, cluster
from tests.support.network.taught import flow, shop, shopping

from martello.practices.network.learn.learn import learn
from martello.practices.network.learn.model import (
    CILIUM,
    CLUSTER_NETWORK_POLICY,
    DIALECTS,
    Lesson,
    Options,
)

WEB, API, DB = "10.1.1.10", "10.1.1.11", "10.1.2.12"


def named(lesson: Lesson, name: str) -> Object:
    """The spec of one policy."""
    (found,) = (p for p in lesson.policies if p["metadata"]["name"] == name)
    spec: Object = found["spec"]
    return spec


@pytest.mark.parametrize("dialect", DIALECTS)
def test_nothing_observed_is_lost_and_much_is_closed(dialect: str) -> None:
    """The replay runs through the reader of that dialect."""
    lesson = learn(shopping(), cluster(shop()), Options(dialect=dialect))
    assert {p["kind"] for p in lesson.policies} == {dialect}
    assert (lesson.proof.denied, lesson.proof.undecided) == (0, 0)
    assert lesson.proof.pairs_after == 7
    assert lesson.proof.pairs_before == 44
    held = lesson.proof.held_out
    assert held is not None
    assert held.missed_edges == 1


def test_cilium_is_told_names_and_entities() -> None:
    """A name instead of an address, DNS through the proxy, nodes as entities."""
    lesson = learn(shopping(), cluster(shop()), Options(dialect=CILIUM))
    egress: list[Any] = named(lesson, "learned-api-egress")["egress"]
    port = {"ports": [{"port": "443", "protocol": "TCP"}]}
    assert {"toFQDNs": [{"matchName": "pay.example.com"}], "toPorts": [port]} in egress
    (dns,) = (r for r in egress if "5353" in repr(r))
    assert dns["toPorts"][0]["rules"] == {"dns": [{"matchPattern": "*"}]}
    labels = {"k8s:io.kubernetes.pod.namespace": "kube-system", "app": "coredns"}
    assert dns["toEndpoints"] == [{"matchLabels": labels}]
    ingress = named(lesson, "learned-db-ingress")["ingress"]
    assert {"fromEntities": ["host", "remote-node"]}.items() <= ingress[1].items()


def test_cluster_policies_accept_before_the_namespace_denies() -> None:
    """Names are domain names; without one the address is a network."""
    seen = [*shopping(), flow(API, "203.0.113.20", 8443)]
    lesson = learn(seen, cluster(shop()), Options(dialect=CLUSTER_NETWORK_POLICY))
    spec = named(lesson, "learned-shop-api-egress")
    deny = named(lesson, "learned-shop-default-deny")
    assert spec["tier"] == deny["tier"] == "Baseline"
    assert spec["priority"] < deny["priority"]
    peers = [peer for rule in spec["egress"] for peer in rule["to"]]
    assert {"domainNames": ["pay.example.com"]} in peers
    assert {"networks": ["203.0.113.20/32"]} in peers


def test_cluster_policies_hold_before_the_oracle() -> None:
    """Pods that were not seen together are cut off, the others are not."""
    objects = shop()
    lesson = learn(shopping(), cluster(objects), Options(dialect=CLUSTER_NETWORK_POLICY))
    after = Naive([*objects, *lesson.policies])
    web, db, api = "shop/web-5d8-0", "shop/db-0", "shop/api-5d8-0"
    assert after.allowed(web, api, "TCP", 9000) is True
    assert after.allowed(api, db, "TCP", 5432) is True
    assert after.allowed(web, db, "TCP", 5432) is False
    assert after.allowed(web, api, "TCP", 9001) is False


def test_many_rules_become_several_cluster_policies() -> None:
    """25 rules a direction, 25 networks a peer."""
    seen = [flow(API, f"{20 + n % 60}.7.7.7", 1000 + n) for n in range(60)]
    seen += [flow(API, f"{n}.9.9.9", 443) for n in range(20, 60)]
    lesson = learn(seen, cluster(shop()), Options(dialect=CLUSTER_NETWORK_POLICY))
    parts = [p for p in lesson.policies if "api-egress" in p["metadata"]["name"]]
    assert len(parts) == 3
    for part in parts:
        rules = part["spec"]["egress"]
        assert len(rules) <= 25
        sizes = [len(p.get("networks", ())) for r in rules for p in r["to"]]
        assert max(sizes) <= 25
