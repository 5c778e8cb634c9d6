"""Subjects and bindings, line by line of what the authorizer does, and what stays unknown."""

from __future__ import annotations

import pytest
from tests.support.access.objects import GROUP, ask, bind, role, rule, thing, urls

from martello.practices.access.bindings import Subject
from martello.practices.access.model import Principal, Request
from martello.practices.access.principals import account, anonymous, principal, user

PODS = rule("get", "pods")
GET = Request("get", "", "pods", namespace="shop")
ELSEWHERE = Request("get", "", "pods", namespace="ops")
NOWHERE = Request("get", "", "pods")
JO = Principal("jo", ("system:authenticated",))


def test_everywhere_and_in_one_namespace() -> None:
    ours = ask(role("r", PODS), bind("b", "r", "user:jo"))
    assert {ours.can(JO, r).verdict for r in (GET, ELSEWHERE, NOWHERE)} == {"allowed"}
    ours = ask(role("r", PODS), bind("b", "r", "user:jo", ns="shop"))
    verdicts = [ours.can(JO, r).verdict for r in (GET, ELSEWHERE, NOWHERE)]
    assert verdicts == ["allowed", "denied", "denied"]


def test_an_unresolvable_role_does_not_stop_the_others() -> None:
    ours = ask(bind("a", "gone", "user:jo"), role("r", PODS), bind("b", "r", "user:jo"))
    assert ours.can(JO, GET).verdict == "allowed"


@pytest.mark.parametrize("to", ["Role/r", "role/r", "Thing/r"])
def test_a_cluster_binding_to_anything_but_a_cluster_role_grants_nothing(to: str) -> None:
    for live in (False, True):
        ours = ask(role("r", PODS, ns="shop"), bind("b", to, "user:jo"), live=live)
        assert ours.can(JO, GET).verdict == "denied"


def test_a_role_of_another_namespace_is_not_meant() -> None:
    ours = ask(role("r", PODS, ns="ops"), bind("b", "Role/r", "user:jo", ns="shop"))
    assert ours.can(JO, GET).verdict == "denied"


def test_a_role_binding_never_grants_paths() -> None:
    all_paths = role("r", urls("get", "*"))
    asked = Request("get", path="/metrics", namespace="shop")
    assert ask(all_paths, bind("b", "r", "user:jo", ns="shop")).can(JO, asked).verdict == "denied"
    assert ask(all_paths, bind("b", "r", "user:jo")).can(JO, asked).verdict == "allowed"


def test_accounts_match_by_namespace_and_name() -> None:
    ours = ask(role("r", PODS), bind("b", "r", "/api", ns="shop"))
    assert ours.can(account("shop", "api"), GET).verdict == "allowed"
    assert ours.can(account("ops", "api"), GET).verdict == "denied"
    wide = ask(role("r", PODS), bind("b", "r", "/api"), live=True)
    assert wide.can(account("shop", "api"), GET).verdict == "denied"
    spelled = ask(role("r", PODS), bind("b", "r", "user:system:serviceaccount:shop:api"))
    assert spelled.can(account("shop", "api"), GET).verdict == "allowed"


@pytest.mark.parametrize(
    "group",
    ["system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"],
)
def test_accounts_are_in_groups_by_themselves(group: str) -> None:
    ours = ask(role("r", PODS), bind("b", "r", f"group:{group}"))
    assert ours.can(account("shop", "api"), GET).verdict == "allowed"
    assert ours.can(Principal("system:serviceaccount:shop:api"), GET).verdict == "denied"


def test_the_group_of_a_subject_is_not_evaluated_but_refused_in_files() -> None:
    bound = bind("b", "r", "user:jo")
    bound["subjects"][0]["apiGroup"] = "other.example"
    assert ask(role("r", PODS), bound, live=True).can(JO, GET).verdict == "allowed"
    assert ask(role("r", PODS), bound).can(JO, GET).verdict == "denied"


@pytest.mark.parametrize(
    "wrong",
    [
        {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "nonResourceURLs": ["/x"]},
        {"verbs": [], "apiGroups": [""], "resources": ["pods"]},
        {"verbs": ["get"], "resources": ["pods"]},
        {"verbs": ["get"], "apiGroups": [""]},
        {"verbs": "get"},
    ],
)
def test_a_role_that_no_server_stores_grants_nothing_in_files(wrong: dict[str, object]) -> None:
    made = role("r", PODS, wrong)
    assert ask(made, bind("b", "r", "user:jo")).can(JO, GET).verdict == "denied"
    assert ask(made, bind("b", "r", "user:jo"), live=True).can(JO, GET).verdict == "allowed"
    ours = ask(made, bind("b", "r", "user:jo"))
    assert ours.grants.roles[("ClusterRole", "", "r")].refused
    answer = ours.why(JO, GET)
    assert answer.verdict == "denied"
    assert answer.because[0].startswith("ClusterRole/r is refused by the API server: rules[1]")


@pytest.mark.parametrize("resource", ["pods/*", "*/*", "Pods", "podz"])
def test_what_is_stored_but_inert(resource: str) -> None:
    ours = ask(role("r", rule("get", resource)), bind("b", "r", "user:jo"))
    assert not ours.grants.roles[("ClusterRole", "", "r")].refused
    assert ours.can(JO, GET).verdict == "denied"
    assert ours.can(JO, Request("get", "", "pods", "log")).verdict == "denied"


def test_masters_pass_whatever_is_bound() -> None:
    ours = ask(role("r", PODS))
    who = Principal("eve", ("system:masters",))
    assert ours.can(who, Request("delete", "", "nodes")).verdict == "allowed"
    assert ours.who_can(GET)[0][0] == Subject("Group", "system:masters")


def test_the_anonymous_are_one_user_in_one_group() -> None:
    for subject in ("user:system:anonymous", "group:system:unauthenticated"):
        ours = ask(role("r", PODS), bind("b", "r", subject))
        assert ours.can(anonymous(), GET).verdict == "allowed"
    ours = ask(role("r", PODS), bind("b", "r", "group:system:authenticated"))
    assert ours.can(anonymous(), GET).verdict == "denied"


def test_phantom_accounts_are_answered_and_flagged() -> None:
    here = thing("ServiceAccount", "here", "shop", "v1")
    ours = ask(role("r", PODS), bind("b", "r", "/here", "/gone", "/default", ns="shop"), here)
    flagged = {str(subject): answer.because for subject, answer in ours.who_can(GET)[1:]}
    assert [name for name, why in flagged.items() if why] == ["ServiceAccount shop/gone"]


def test_words_of_no_rule_match_wildcards_alone() -> None:
    star = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
    tomorrow = Request("levitate", "new.example", "things", "wings", "a", "shop")
    assert ask(role("r", star), bind("b", "r", "user:jo")).can(JO, tomorrow).verdict == "allowed"
    listed = {**star, "verbs": ["get", "list"]}
    assert ask(role("r", listed), bind("b", "r", "user:jo")).can(JO, tomorrow).verdict == "denied"
    wings = {**star, "resources": ["*/wings"]}
    assert ask(role("r", wings), bind("b", "r", "user:jo")).can(JO, tomorrow).verdict == "allowed"


def test_why_names_every_grant_in_full() -> None:
    ours = ask(
        role("own", PODS),
        role("wide", rule("list", "secrets"), rule("*", "*")),
        bind("one", "own", "group:team", "user:jo", ns="shop"),
        bind("all", "wide", "user:jo"),
    )
    answer = ours.why(Principal("jo", ("team",)), GET)
    told = [
        (g.binding.ref.name, g.subject, g.role.ref.name, g.rule, g.scope) for g in answer.grants
    ]
    assert told == [
        ("all", ("subjects", 0), "wide", 1, ""),
        ("one", ("subjects", 1), "own", 0, "shop"),
        ("one", ("subjects", 0), "own", 0, "shop"),
    ]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (Request("delete", "", "pods", namespace="shop"), "verb"),
        (Request("get", "apps", "pods", namespace="shop"), "group"),
        (Request("get", "", "secrets", namespace="shop"), "resource"),
        (Request("get", "", "pods", namespace="ops"), "namespace"),
    ],
)
def test_why_not_names_the_field_that_misses(asked: Request, field: str) -> None:
    ours = ask(role("r", PODS), bind("b", "r", "user:jo", ns="shop"))
    answer = ours.why(JO, asked)
    assert answer.verdict == "denied"
    assert [missing for _, missing in answer.nearest] == [field]


def test_a_name_that_misses_is_told() -> None:
    ours = ask(role("r", rule("get", "pods", names="a")), bind("b", "r", "user:jo"))
    answer = ours.why(JO, Request("get", "", "pods", name="b"))
    assert [missing for _, missing in answer.nearest] == ["name"]


def test_aggregation_names_the_role_that_the_rule_is_written_in() -> None:
    chosen = {"clusterRoleSelectors": [{"matchLabels": {"to": "top"}}]}
    ours = ask(
        role("top", aggregationRule=chosen),
        role("leaf", PODS, labels={"to": "top"}),
        bind("b", "top", "user:jo"),
    )
    (grant,) = ours.why(JO, GET).grants
    assert (grant.role.ref.name, grant.rule_role.ref.name) == ("top", "leaf")


@pytest.mark.parametrize("kind", ["ClusterRoleBinding", "RoleBinding"])
def test_refused_lists_of_bindings_leave_no_denial(kind: str) -> None:
    ours = ask(
        role("r", PODS), bind("b", "r", "user:jo"), unlisted={f"{kind}.{GROUP}": "forbidden"}
    )
    assert ours.can(JO, GET).verdict == "allowed"
    unknown = ours.can(JO, Request("delete", "", "pods", namespace="shop"))
    assert unknown.verdict == "unknown"
    assert "forbidden" in unknown.because[0]
    outside = ours.can(JO, Request("delete", "", "nodes")).verdict
    assert outside == ("unknown" if kind == "ClusterRoleBinding" else "denied")


def test_refused_lists_of_roles_make_unknown_whoever_is_bound() -> None:
    ours = ask(bind("b", "r", "user:jo", ns="shop"), unlisted={f"ClusterRole.{GROUP}": "no"})
    assert ours.can(JO, GET).verdict == "unknown"
    assert ours.can(JO, ELSEWHERE).verdict == "denied"
    assert ours.can(Principal("kim"), GET).verdict == "denied"
    assert ours.who_can(GET)[1][1].verdict == "unknown"


def test_namespaces_that_were_not_read_are_unknown() -> None:
    ours = ask(role("r", PODS), bind("b", "r", "user:jo", ns="shop"), read=["shop"])
    assert ours.can(JO, Request("delete", "", "pods", namespace="shop")).verdict == "denied"
    assert ours.can(JO, ELSEWHERE).verdict == "unknown"


def test_a_role_that_the_files_lack_is_unknown_where_they_are_a_part() -> None:
    assert ask(bind("b", "r", "user:jo"), complete=False).can(JO, GET).verdict == "unknown"
    assert ask(bind("b", "r", "user:jo"), complete=True).can(JO, GET).verdict == "denied"


def test_a_binding_without_its_namespace_may_lie_anywhere() -> None:
    ours = ask(role("r", PODS), bind("b", "r", "user:jo", "/api", wide=False))
    assert ours.can(JO, GET).verdict == "unknown"
    assert ours.can(account("shop", "api"), GET).verdict == "unknown"
    assert ours.can(JO, Request("delete", "", "pods", namespace="shop")).verdict == "denied"
    assert ours.can(JO, NOWHERE).verdict == "denied"


def test_unknown_groups_are_conditions() -> None:
    ours = ask(role("r", PODS), bind("b", "r", "group:team", "group:system:nodes"))
    answer = ours.can(user("jo"), GET)
    assert answer.verdict == "unknown"
    assert answer.because == ("allowed to members of group team, and the groups are not known",)
    assert ours.can(user("jo", ["others"]), GET).verdict == "denied"
    assert ours.can(account("shop", "api"), GET).verdict == "denied"


@pytest.mark.parametrize(
    ("text", "username", "kind"),
    [
        ("shop/api", "system:serviceaccount:shop:api", "account"),
        ("system:serviceaccount:shop:api", "system:serviceaccount:shop:api", "account"),
        ("node/n1", "system:node:n1", "node"),
        ("system:node:n1", "system:node:n1", "node"),
        ("user:a/b", "a/b", "user"),
        ("jo", "jo", "user"),
        ("https://id.example/u", "https://id.example/u", "user"),
        ("system:anonymous", "system:anonymous", "anonymous"),
        ("group:team", "", "user"),
    ],
)
def test_who_is_meant(text: str, username: str, kind: str) -> None:
    found = principal(text)
    assert (found.username, found.kind) == (username, kind)


def test_given_groups_replace_those_of_an_account() -> None:
    found = principal("shop/api", ["team"])
    assert found.groups == ("team", "system:authenticated")
