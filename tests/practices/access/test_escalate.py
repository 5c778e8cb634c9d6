"""Who may write roles and bindings: nobody grants what he does not hold."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.access.objects import (
    GROUP,
    Object,
    ask,
    bind,
    resources,
    role,
    rule,
    urls,
)

from martello.practices.access import Access
from martello.practices.access.cover import covers
from martello.practices.access.escalate import may_bind, may_write_role
from martello.practices.access.model import Principal
from martello.practices.access.rules import Rule, read_role

JO = Principal("jo", ("system:authenticated",))
WRITE = rule("create update", "roles clusterroles rolebindings clusterrolebindings", GROUP)
SECRETS = rule("get list", "secrets")


def _writes(*held: Object, ns: str = "", more: tuple[Object, ...] = ()) -> Access:
    """A cluster in which jo may write, and holds rules everywhere or in a namespace."""
    return ask(
        role("write", WRITE),
        bind("write", "write", "user:jo"),
        role("held", *held),
        bind("held", "held", "user:jo", ns=ns),
        *more,
    )


def _create(ours: Access, wish: Object, who: Principal = JO) -> str:
    ask_of = may_bind if wish["kind"].endswith("Binding") else may_write_role
    return ask_of(ours, who, resources(wish)[0]).verdict


def _update(ours: Access, before: Object, after: Object) -> str:
    ask_of = may_bind if after["kind"].endswith("Binding") else may_write_role
    old, new = resources(before, after)
    return ask_of(ours, JO, new, old).verdict


def test_all_rules_of_a_new_role_must_be_held() -> None:
    ours = _writes(SECRETS)
    assert _create(ours, role("new", rule("get", "secrets"), ns="shop")) == "allowed"
    assert _create(ours, role("new", rule("get delete", "secrets"), ns="shop")) == "denied"
    assert _create(ours, role("new")) == "allowed"
    assert _create(ours, role("new", rule("get", "secrets", names="a"))) == "allowed"
    answer = may_write_role(ours, JO, resources(role("new", rule("delete", "secrets")))[0])
    assert answer.because == ("not held: delete secrets",)


def test_without_the_right_to_write_nothing_is_asked_further() -> None:
    ours = ask(role("all", rule("escalate", "clusterroles", GROUP)), bind("b", "all", "user:jo"))
    assert _create(ours, role("new")) == "denied"


def test_for_cluster_roles_only_what_is_held_everywhere_counts() -> None:
    ours = _writes(SECRETS, ns="shop")
    assert _create(ours, role("new", rule("get", "secrets"), ns="shop")) == "allowed"
    assert _create(ours, role("new", rule("get", "secrets"), ns="ops")) == "denied"
    assert _create(ours, role("new", rule("get", "secrets"))) == "denied"
    both = [role("big", SECRETS)]
    ours = _writes(SECRETS, ns="shop", more=tuple(both))
    assert _create(ours, bind("new", "big", "user:kim")) == "denied"
    assert _create(ours, bind("new", "big", "user:kim", ns="shop")) == "allowed"


def test_named_escalate_helps_updates_and_no_creation() -> None:
    everything = rule("*", "*", "*")
    named = _writes(rule("escalate", "clusterroles", GROUP, names="new"))
    assert _create(named, role("new", everything)) == "denied"
    assert _update(named, role("new"), role("new", everything)) == "allowed"
    assert _create(_writes(rule("escalate", "clusterroles", GROUP)), role("new", everything)) == (
        "allowed"
    )
    local = _writes(rule("escalate", "roles clusterroles", GROUP), ns="shop")
    assert _create(local, role("new", everything, ns="shop")) == "allowed"
    assert _create(local, role("new", everything)) == "denied"


def test_bind_is_asked_by_the_name_of_the_role() -> None:
    big = role("big", rule("*", "*", "*"))
    named = _writes(
        rule("bind", "clusterroles", GROUP, names="big"), more=(big, role("b2", SECRETS))
    )
    assert _create(named, bind("new", "big", "user:kim")) == "allowed"
    assert _create(named, bind("new", "b2", "user:kim")) == "denied"
    local = _writes(rule("bind", "clusterroles", GROUP), ns="shop", more=(big,))
    assert _create(local, bind("new", "big", "user:kim", ns="shop")) == "allowed"
    assert _create(local, bind("new", "big", "user:kim")) == "denied"


def test_a_missing_role_needs_bind() -> None:
    assert _create(_writes(rule("*", "pods")), bind("new", "gone", "user:kim")) == "denied"
    holds = _writes(rule("bind", "clusterroles", GROUP))
    assert _create(holds, bind("new", "gone", "user:kim")) == "allowed"


def test_owners_and_finalizers_are_free_to_change() -> None:
    ours = _writes(SECRETS)
    before = role("new", rule("*", "*", "*"))
    after = {**before, "metadata": {**before["metadata"], "finalizers": ["example.com/x"]}}
    assert _update(ours, before, after) == "allowed"
    relabelled = {**before, "metadata": {**before["metadata"], "labels": {"a": "b"}}}
    assert _update(ours, before, relabelled) == "denied"


def test_an_aggregation_rule_needs_everything() -> None:
    chosen: dict[str, Any] = {"clusterRoleSelectors": [{"matchLabels": {"to": "top"}}]}
    much = _writes(rule("get list create update bind", "*", "*"), urls("*", "*"))
    assert _create(much, role("new", aggregationRule=chosen)) == "denied"
    assert _create(much, role("new")) == "allowed"
    ours = _writes(rule("escalate", "clusterroles", GROUP))
    assert _create(ours, role("new", aggregationRule=chosen)) == "allowed"


def test_a_label_that_aggregates_gains_its_author_nothing() -> None:
    labels = {"rbac.authorization.k8s.io/aggregate-to-edit": "true"}
    wish = role("new", rule("escalate", "roles", GROUP), labels=labels)
    assert _create(_writes(SECRETS), wish) == "denied"
    assert _create(_writes(SECRETS), role("new", SECRETS, labels=labels)) == "allowed"


def test_masters_are_not_asked() -> None:
    ours = _writes()
    eve = Principal("eve", ("system:masters",))
    assert _create(ours, role("new", rule("*", "*", "*")), eve) == "allowed"


def test_what_was_not_listed_leaves_it_open() -> None:
    unlisted = {f"ClusterRoleBinding.{GROUP}": "forbidden"}
    ours = ask(role("write", WRITE), bind("w", "write", "user:jo"), unlisted=unlisted)
    assert _create(ours, role("new", SECRETS)) == "unknown"


def _rules(*rules: Object) -> tuple[Rule, ...]:
    return read_role(resources(role("r", *rules))[0]).rules


@pytest.mark.parametrize(
    ("owner", "servant", "covered"),
    [
        (rule("get list watch create update patch delete", "pods"), rule("*", "pods"), False),
        (rule("*", "pods"), rule("levitate", "pods"), True),
        (rule("get", "*/scale"), rule("get", "deployments/scale"), True),
        (rule("get", "deployments/scale"), rule("get", "*/scale"), False),
        (rule("get", "*"), rule("get", "*/scale"), True),
        (rule("get", "pods", names="a"), rule("get", "pods"), False),
        (rule("get", "pods"), rule("get", "pods", names="a"), True),
        (rule("get", "pods", names="a b"), rule("get", "pods", names="b a"), True),
        (urls("get", "/api/*"), urls("get", "/api/v1 /api/*"), True),
        (urls("get", "/api/*"), urls("get", "/api"), False),
    ],
)
def test_covers(owner: Object, servant: Object, covered: bool) -> None:
    assert covers(_rules(owner), _rules(servant))[0] is covered


def test_one_rule_must_cover_a_single_and_many_may_cover_a_rule() -> None:
    halves = _rules(rule("get", "pods"), rule("list", "secrets"))
    assert not covers(halves, _rules(rule("get list", "pods secrets")))[0]
    parts = _rules(rule("get list", "pods"), rule("get list", "secrets"))
    assert covers(parts, _rules(rule("get list", "pods secrets")))[0]


def test_huge_rules_end() -> None:
    many = " ".join(f"x{n}" for n in range(400))
    servant = _rules({**rule(many, many), "apiGroups": many.split()})
    covered, missing = covers((), servant)
    assert not covered
    assert len(missing) > 1000
