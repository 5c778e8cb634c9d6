"""What a change grants: by meaning, so that a refactoring is no change."""

from __future__ import annotations

import random

import pytest
from tests.support.access.objects import GROUP, Object, ask, bind, resources, role, rule, thing
from tests.support.access.random_world import person, request, world

from martello.core.cluster import Cluster
from martello.practices.access import Access
from martello.practices.access.changes import diff
from martello.practices.access.escalate import show
from martello.practices.access.model import Principal, Request

READ = rule("get list", "pods")


def _told(before: list[Object], after: list[Object]) -> list[str]:
    """Each change in words."""
    found = diff(ask(*before).cluster, ask(*after).cluster)
    return [
        f"{'+' if change.gained else '-'} {change.subject} {show(single)} in {change.scope or '*'}"
        for change in found.changed
        for single in change.singles
    ]


BEFORE = [role("r", READ), bind("b", "r", "user:jo", ns="shop")]


@pytest.mark.parametrize(
    "after",
    [
        BEFORE,
        [role("other", READ), bind("new", "other", "user:jo", ns="shop")],
        [role("r", rule("list", "pods"), rule("get", "pods")), BEFORE[1]],
        [role("r", READ, ns="shop"), bind("b", "Role/r", "user:jo", ns="shop")],
        [
            role("top", aggregationRule={"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}),
            role("leaf", READ, labels={"a": "b"}),
            bind("b", "top", "user:jo", ns="shop"),
        ],
        [
            role("one", rule("get", "pods")),
            role("two", rule("list get", "pods")),
            bind("b1", "one", "user:jo", ns="shop"),
            bind("b2", "two", "user:jo", ns="shop"),
        ],
        [*BEFORE, role("unbound", rule("*", "*", "*")), bind("dangling", "gone", "user:jo")],
    ],
)
def test_a_refactoring_is_no_change(after: list[Object]) -> None:
    assert _told(BEFORE, after) == []
    assert _told(after, BEFORE) == []


def test_gains_and_losses() -> None:
    after = [role("r", rule("get delete", "pods")), BEFORE[1]]
    assert _told(BEFORE, after) == [
        "+ User jo delete pods in shop",
        "- User jo list pods in shop",
    ]


def test_from_one_namespace_to_all_loses_nothing() -> None:
    after = [role("r", READ), bind("b", "r", "user:jo")]
    assert _told(BEFORE, after) == ["+ User jo get pods in *", "+ User jo list pods in *"]
    assert _told(after, BEFORE) == ["- User jo get pods in *", "- User jo list pods in *"]


def test_wildcards_are_more_than_all_of_today() -> None:
    today = "get list watch create update patch delete deletecollection"
    before = [role("r", rule(today, "pods")), BEFORE[1]]
    after = [role("r", rule("*", "pods")), BEFORE[1]]
    found = diff(ask(*before).cluster, ask(*after).cluster)
    assert [change.open for change in found.changed] == [True]
    assert _told(before, after) == ["+ User jo * pods in shop"]
    closed = diff(ask(*BEFORE).cluster, ask(role("r", rule(today, "pods")), BEFORE[1]).cluster)
    assert [change.open for change in closed.changed] == [False]


def test_a_cause_is_the_binding_and_the_rule() -> None:
    after = [*BEFORE, role("more", rule("get", "nodes")), bind("new", "more", "user:jo")]
    (change,) = diff(ask(*BEFORE).cluster, ask(*after).cluster).changed
    assert (change.binding.ref.name, change.rule.role.ref.name, change.rule.index) == (
        "new",
        "more",
        0,
    )


def test_what_the_group_of_every_account_gave_is_no_gain() -> None:
    group = "group:system:serviceaccounts:shop"
    before = [role("r", READ), bind("b", "r", group, ns="shop")]
    after = [role("r", READ), bind("b", "r", "shop/api", ns="shop")]
    assert _told(before, after) == [
        "- Group system:serviceaccounts:shop get pods in shop",
        "- Group system:serviceaccounts:shop list pods in shop",
    ]


def test_a_user_without_a_name_hides_no_gain_of_a_group() -> None:
    nobody = bind("nobody", "r", "user:")
    after = [*BEFORE, nobody, bind("new", "r", "group:team", ns="shop")]
    sides = [Cluster(resources(*each, live=True)) for each in ([*BEFORE, nobody], after)]
    assert [str(change.subject) for change in diff(*sides).changed] == ["Group team"]


def test_paths_in_a_rule_hide_no_gain_of_what_is_beside_them() -> None:
    mixed = role("r", {**rule("get", "pods"), "nonResourceURLs": ["*"]})
    after = [mixed, bind("b", "r", "user:jo", ns="shop")]
    (change,) = diff(Cluster([]), Cluster(resources(*after, live=True))).changed
    assert change.singles == (("get", "", "pods", None, ""),)


def test_masters_gain_nothing() -> None:
    assert _told([], [role("r", READ), bind("b", "r", "group:system:masters")]) == []


def test_refused_lists_are_doubts() -> None:
    plain = ask(*BEFORE).cluster
    partial = Cluster(resources(*BEFORE), unlisted={f"Role.{GROUP}": "forbidden"})
    assert diff(plain, plain).doubts == ()
    assert diff(plain, partial).doubts == (f"new: Role.{GROUP}: forbidden",)


def test_no_difference_means_that_no_answer_differs() -> None:
    same = differs = 0
    for seed in range(150):
        pick = random.Random(seed)
        before = world(pick, 5, storable=True)
        after = [o for o in before if pick.random() < 0.9]
        sides = [Access(Cluster(resources(*objects, live=True))) for objects in (before, after)]
        told = diff(sides[0].cluster, sides[1].cluster).changed
        for _ in range(30):
            (user, groups), asked = person(pick), Request(**request(pick))
            found = [side.can(Principal(user, groups), asked).verdict for side in sides]
            if not told:
                assert found[0] == found[1]
                same += 1
            differs += found[0] != found[1]
        assert not diff(sides[0].cluster, sides[0].cluster).changed
    assert same > 300
    assert differs > 5


def test_a_binding_of_which_nothing_is_known_is_a_doubt_where_it_is_new() -> None:
    bound = bind("b", "gone", "user:jo")
    for complete, doubts in (
        (True, ()),
        (False, ("new: ClusterRoleBinding/b: ClusterRole gone is not in these files",)),
    ):
        sides = [ask(*objects, complete=complete).cluster for objects in (BEFORE, [*BEFORE, bound])]
        assert diff(*sides).doubts == doubts
        assert diff(sides[1], sides[1]).doubts == ()


def test_other_authorizers_are_a_doubt() -> None:
    api = "apiserver.config.k8s.io/v1"
    config = thing("AuthorizationConfiguration", "c", api=api, authorizers=[{"type": "RBAC"}])
    (doubt,) = diff(ask(*BEFORE).cluster, ask(*BEFORE, config).cluster).doubts
    assert doubt.startswith("the authorizers change from Node, RBAC to RBAC")
