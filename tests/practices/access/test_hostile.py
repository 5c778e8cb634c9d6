"""Huge and malformed roles and bindings end, and say what they are."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.access.objects import ask, bind, resources, role, rule, thing

from martello.core.cluster import Cluster
from martello.practices.access import Access
from martello.practices.access.changes import diff
from martello.practices.access.cover import covers
from martello.practices.access.model import Principal, Request

JO = Principal("jo")
GET = Request("get", "", "pods", name="n5", namespace="shop")


def test_a_role_with_very_many_rules() -> None:
    rules = [rule("get", f"r{n}", names=f"x{n}") for n in range(20_000)]
    huge = role("r", *rules, rule("get", "pods"))
    ours = ask(huge, bind("b", "r", "user:jo"))
    (grant,) = ours.why(JO, GET).grants
    assert grant.rule == 20_000
    held = ours.rules(JO)
    assert covers(held, held)[0]


def test_a_mebibyte_of_names() -> None:
    names = " ".join(f"n{n}" for n in range(150_000))
    ours = ask(role("r", rule("get", "pods", names=names)), bind("b", "r", "user:jo"))
    assert ours.can(JO, GET).verdict == "allowed"
    assert ours.can(JO, Request("get", "", "pods", name="m", namespace="shop")).verdict == "denied"


def test_circles_of_aggregation_end() -> None:
    def top(name: str, chosen: str, own: str) -> dict[str, Any]:
        selectors = [{"matchLabels": {chosen: "y"}}]
        return role(name, labels={own: "y"}, aggregationRule={"clusterRoleSelectors": selectors})

    circle = [top(f"r{n}", f"l{(n + 1) % 50}", f"l{n}") for n in range(50)]
    leaf = role("leaf", rule("get", "pods"), labels={"l7": "y"})
    ours = ask(*circle, leaf, bind("b", "r40", "user:jo"))
    assert ours.can(JO, GET).verdict == "allowed"


@pytest.mark.parametrize("subjects", [7, [7], [{"kind": 3}], [{"kind": "User", "name": None}]])
@pytest.mark.parametrize("reference", [None, 7, {}, {"kind": [], "name": {}}])
@pytest.mark.parametrize("rules", [7, [7], [{"verbs": {}}], [{"verbs": [None]}], None])
@pytest.mark.parametrize("live", [False, True])
def test_malformed_objects(subjects: Any, reference: Any, rules: Any, live: bool) -> None:
    objects = [
        thing("ClusterRole", "r", rules=rules),
        thing("ClusterRoleBinding", "odd", subjects=subjects, roleRef=reference),
        bind("b", "r", "user:jo"),
    ]
    cluster = Cluster(resources(*objects, live=live))
    ours = Access(cluster)
    assert ours.can(JO, GET).verdict == "denied"
    assert len(ours.who_can(GET)) == 1
    assert not diff(cluster, cluster).changed


def test_very_long_paths_and_words() -> None:
    stars = role("r", {"verbs": ["get"], "nonResourceURLs": ["/" + "a" * 100_000 + "*"]})
    ours = ask(stars, bind("b", "r", "user:jo"))
    long = "/" + "a" * 200_000
    assert ours.can(JO, Request("get", path=long)).verdict == "allowed"
    assert ours.can(JO, Request(long, long, long, long, long, long)).verdict == "denied"


def test_many_bindings_without_a_namespace_to_one_huge_role() -> None:
    huge = role("r", *(rule("get", f"r{n}") for n in range(20_000)))
    objects = [huge, *(bind(f"b{n}", "r", f"user:u{n}", wide=False) for n in range(1_000))]
    cluster = Cluster(resources(*objects))
    ours = Access(cluster)
    asked = Request("get", "", "r19999", namespace="shop")
    assert len(ours.who_can(asked)) == 1_001
    assert ours.can(Principal("u5"), asked).verdict == "unknown"
    assert len(diff(Cluster(resources(huge)), cluster).doubts) == 1_000


def test_two_huge_roles_that_have_nothing_in_common_are_compared() -> None:
    sides = [
        Cluster(
            resources(
                role("r", *(rule("get", f"{word}{n}") for n in range(30_000))),
                bind("b", "r", "user:jo"),
            )
        )
        for word in "ab"
    ]
    found = diff(*sides)
    assert found.more
    assert len(found.changed) > 20_000
