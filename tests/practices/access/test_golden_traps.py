"""What readers of RBAC get wrong, each trap with its right answer, in the words of the authorizer.

More of each are in the files beside this one; here no trap is missing.
"""

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
    thing,
    urls,
)

from martello.core.workload import Workload
from martello.practices.access import Access
from martello.practices.access.bindings import Subject
from martello.practices.access.defaults import with_defaults
from martello.practices.access.escalate import may_bind, may_write_role
from martello.practices.access.impersonate import (
    certified,
    may_approve,
    may_impersonate,
    may_impersonate_on,
)
from martello.practices.access.known import as_sent
from martello.practices.access.model import Principal, Request
from martello.practices.access.nodes import restricted
from martello.practices.access.posture import tokens
from martello.practices.access.principals import account, anonymous, node, principal, user

JO = Principal("jo", ("system:authenticated",))
AUTH = "authentication.k8s.io"
CERTS = "certificates.k8s.io"


def _jo(*rules: Object, ns: str = "", **rest: Any) -> Access:
    """A cluster in which jo holds these rules, everywhere or in a namespace."""
    return ask(role("r", *rules), bind("b", "r", "user:jo", ns=ns), **rest)


def _can(ours: Access, verb: str, resource: str, name: str = "", ns: str = "shop") -> str:
    """Literally, as the authorizer is asked; `pods/exec` is a subresource."""
    parent, _, sub = resource.partition("/")
    return ours.can(JO, Request(verb, "", parent, sub, name, ns)).verdict


# Subjects and bindings


def test_cluster_bindings_count_first_and_then_those_of_the_namespace_of_the_request() -> None:
    ours = ask(
        role("r", rule("get", "pods")),
        bind("local", "r", "user:jo", ns="shop"),
        bind("wide", "r", "user:jo"),
    )
    found = ours.why(JO, Request("get", "", "pods", namespace="shop")).grants
    assert [grant.binding.ref.name for grant in found] == ["wide", "local"]
    assert [g.scope for g in ours.why(JO, Request("get", "", "pods")).grants] == [""]


@pytest.mark.parametrize("reference", ["gone", "Role/gone", "Thing/r", "group/r", "Role/r"])
def test_a_dangling_or_unknown_role_never_stops_the_others(reference: str) -> None:
    broken = [bind("a", reference, "user:jo"), bind("a", reference, "user:jo", ns="shop")]
    assert _can(_jo(rule("get", "pods"), live=True), "get", "pods") == "allowed"
    ours = ask(*broken, role("r", rule("get", "pods")), bind("z", "r", "user:jo"), live=True)
    assert _can(ours, "get", "pods") == "allowed"
    assert _can(ask(*broken, role("r", rule("get", "pods")), live=True), "get", "pods") == "denied"


def test_a_role_binding_grants_a_cluster_role_in_its_namespace_only() -> None:
    ours = _jo(rule("get", "pods"), ns="shop")
    assert [_can(ours, "get", "pods", ns=ns) for ns in ("shop", "ops", "")] == [
        "allowed",
        "denied",
        "denied",
    ]


def test_role_bindings_never_grant_cluster_scoped_resources_though_a_review_says_yes() -> None:
    ours = _jo(rule("get", "nodes"), ns="shop")
    review = Request("get", "", "nodes", name="n1", namespace="shop")
    assert ours.can(JO, review).verdict == "allowed"  # kubernetes#129899
    assert ours.can(JO, as_sent(review, ours.cluster)).verdict == "denied"


def test_urls_in_a_role_binding_grant_nothing() -> None:
    ours = _jo(urls("get", "*"), ns="shop")
    assert ours.can(JO, Request("get", path="/metrics", namespace="shop")).verdict == "denied"
    assert not list(ours.atoms(JO))


def test_cluster_role_binding_to_a_role_grants_nothing() -> None:
    made = [role("r", rule("*", "*", "*"), ns="shop"), bind("b", "Role/r", "user:jo")]
    for live in (True, False):
        assert _can(ask(*made, live=live), "get", "pods") == "denied"


@pytest.mark.parametrize(
    ("subject", "who", "verdict"),
    [
        ("user:jo", "Jo", "denied"),
        ("user:*", "jo", "denied"),
        ("group:jo", "jo", "denied"),
        ("user:system:serviceaccounts", "shop/api", "denied"),
        ("group:system:*", "shop/api", "denied"),
        ("user:system:serviceaccount:shop:api", "shop/api", "allowed"),
        ("group:system:serviceaccounts:sho", "shop/api", "denied"),
    ],
)
def test_users_and_groups_are_matched_by_their_exact_name(
    subject: str, who: str, verdict: str
) -> None:
    ours = ask(role("r", rule("get", "pods")), bind("b", "r", subject))
    asked = Request("get", "", "pods", namespace="shop")
    assert ours.can(principal(who, () if "/" in who else ("x",)), asked).verdict == verdict


def test_account_without_namespace_is_of_the_role_binding_and_nobody_in_a_cluster_one() -> None:
    made = role("r", rule("get", "pods"))
    asked = Request("get", "", "pods", namespace="shop")
    local = ask(made, bind("b", "r", "/api", ns="shop"))
    assert local.can(account("shop", "api"), asked).verdict == "allowed"
    assert local.can(account("ops", "api"), asked).verdict == "denied"
    for live in (True, False):
        wide = ask(made, bind("b", "r", "/api"), live=live)
        assert wide.can(account("shop", "api"), asked).verdict == "denied"
        assert wide.can(Principal("system:serviceaccount::api"), asked).verdict == "denied"


def test_account_of_another_namespace_may_be_bound_by_a_role_binding() -> None:
    ours = ask(role("r", rule("get", "pods")), bind("b", "r", "ops/api", ns="shop"))
    asked = Request("get", "", "pods", namespace="shop")
    assert ours.can(account("ops", "api"), asked).verdict == "allowed"
    assert ours.can(account("shop", "api"), asked).verdict == "denied"


@pytest.mark.parametrize("namespace", [7, ["shop"], {}, True])
def test_a_namespace_that_is_no_text_binds_nobody_in_files(namespace: object) -> None:
    bound = bind("b", "r", "/api", ns="shop")
    bound["subjects"][0]["namespace"] = namespace
    asked = Request("get", "", "pods", namespace="shop")
    found = ask(role("r", rule("get", "pods")), bound).why(account("shop", "api"), asked)
    assert (found.verdict == "denied") == bool(namespace)


def test_a_review_without_groups_misses_what_groups_grant() -> None:
    ours = ask(role("r", rule("get", "pods")), bind("b", "r", "group:system:serviceaccounts"))
    asked = Request("get", "", "pods", namespace="shop")
    assert ours.can(account("shop", "api"), asked).verdict == "allowed"
    assert ours.can(Principal("system:serviceaccount:shop:api"), asked).verdict == "denied"


def test_phantom_account_is_answered_and_who_may_create_it_is_warned_of() -> None:
    ours = ask(role("r", rule("get", "pods")), bind("b", "r", "shop/ghost"))
    asked = Request("get", "", "pods", namespace="shop")
    assert ours.can(account("shop", "ghost"), asked).verdict == "allowed"
    told = dict(ours.who_can(asked))[Subject("ServiceAccount", "ghost", "shop")]
    assert told.because == ("the account does not exist",)


def test_masters_pass_all_authorizers_and_no_edit_revokes_it() -> None:
    denies = {"type": "AlwaysDeny"}
    config = thing(
        "AuthorizationConfiguration", "c", api="apiserver.config.k8s.io/v1", authorizers=[denies]
    )
    eve = Principal("eve", ("system:masters",))
    assert ask(config).can(eve, Request("delete", "", "nodes")).verdict == "allowed"


def test_who_says_that_he_is_not_authenticated_is_not() -> None:
    assert principal("jo", ["system:unauthenticated"]).groups == ("system:unauthenticated",)
    assert principal("group:system:unauthenticated").groups == ("system:unauthenticated",)
    assert principal("jo", ["ops"]).groups == ("ops", "system:authenticated")
    assert principal("system:anonymous", ["ops"]).groups == ("ops", "system:unauthenticated")
    assert anonymous().groups == ("system:unauthenticated",)


# Rules


@pytest.mark.parametrize(
    ("said", "verb", "asked", "verdict"),
    [
        (rule("get", "pods"), "get", "pods", "allowed"),
        (rule("get*", "pods"), "get", "pods", "denied"),
        (rule("GET", "pods"), "get", "pods", "denied"),
        (rule("*", "pods"), "levitate", "pods", "allowed"),
        (rule("get", "pod*"), "get", "pods", "denied"),
        (rule("get", "*"), "get", "pods/exec", "allowed"),
        (rule("get", "pods"), "get", "pods/exec", "denied"),
        (rule("get", "pods/exec"), "get", "pods", "denied"),
        (rule("get", "pods/*"), "get", "pods/exec", "denied"),
        (rule("get", "pods/*"), "get", "pods", "denied"),
        (rule("get", "pods/*"), "get", "pods/*", "allowed"),
        (rule("get", "*/exec"), "get", "pods/exec", "allowed"),
        (rule("get", "*/exec"), "get", "pods", "denied"),
        (rule("get", "*/*"), "get", "pods/exec", "denied"),
        (rule("get", "*/*"), "get", "pods/*", "allowed"),
        (rule("get", "Pods"), "get", "pods", "denied"),
        (rule("get", "pod"), "get", "pods", "denied"),
        (rule("get", "pods", "*"), "get", "pods", "allowed"),
        (rule("get", "pods", "core"), "get", "pods", "denied"),
        (rule("get", "pods", "v1"), "get", "pods", "denied"),
        (rule("get", "pods", "extensions"), "get", "pods", "denied"),
        ({**rule("get", "pods"), "verbs": []}, "get", "pods", "denied"),
        ({**rule("get", "pods"), "apiGroups": []}, "get", "pods", "denied"),
        ({**rule("get", "pods"), "resources": []}, "get", "pods", "denied"),
        ({**rule("get", "pods"), "resourceNames": []}, "get", "pods", "allowed"),
        ({**rule("get", "pods"), "resourceNames": ["*"]}, "get", "pods", "denied"),
    ],
)
def test_verb_and_group_and_resource_where_a_star_alone_is_a_wildcard(
    said: Object, verb: str, asked: str, verdict: str
) -> None:
    assert _can(_jo(said, live=True), verb, asked) == verdict


def test_two_rules_do_not_add_up_to_a_third() -> None:
    ours = _jo(rule("get", "pods"), rule("delete", "secrets"))
    assert _can(ours, "delete", "pods") == _can(ours, "get", "secrets") == "denied"


@pytest.mark.parametrize(
    ("verb", "resource", "name", "verdict"),
    [
        ("get", "secrets", "db", "allowed"),
        ("get", "secrets", "other", "denied"),
        ("create", "secrets", "db", "denied"),
        ("deletecollection", "secrets", "db", "denied"),
        ("list", "secrets", "", "denied"),
        ("list", "secrets", "db", "allowed"),  # with the field selector metadata.name=db
        ("watch", "secrets", "db", "allowed"),
        ("list", "secrets", "d%b", "denied"),
        ("create", "pods/exec", "db", "allowed"),
        ("create", "serviceaccounts/token", "db", "allowed"),
    ],
)
def test_named_list_create_and_deletecollection(
    verb: str, resource: str, name: str, verdict: str
) -> None:
    what = "secrets pods/exec serviceaccounts/token"
    ours = _jo(rule("*", what, names="db d%b"))
    parent, _, sub = resource.partition("/")
    asked = as_sent(Request(verb, "", parent, sub, name, "shop"), ours.cluster)
    assert ours.can(JO, asked).verdict == verdict


@pytest.mark.parametrize(
    ("said", "path", "allowed"),
    [
        ("/apis", "/apis", True),
        ("/apis/*", "/apis", False),
        ("/apis/*", "/apis/", True),
        ("/apis/**", "/apis/apps/v1", True),
        ("*", "/metrics", True),
        ("/*", "/metrics", True),
        ("/a*b", "/axb", False),
        ("/a*b", "/a*b", True),
        ("/logs/*/x*", "/logs/*/xyz", True),
        ("/logs/*/x*", "/logs/a/xyz", False),
        ("/metrics", "/metrics/", False),
    ],
)
def test_urls_are_exact_or_a_prefix_before_trailing_stars(
    said: str, path: str, allowed: bool
) -> None:
    ours = _jo(urls("get", said))
    assert (ours.can(JO, Request("get", path=path)).verdict == "allowed") is allowed


def test_the_verb_of_a_path_is_its_method_and_head_of_a_resource_is_get() -> None:
    ours = _jo(urls("get", "/metrics"), rule("get", "pods"))
    sent = [
        as_sent(each, ours.cluster)
        for each in (Request("HEAD", path="/metrics"), Request("HEAD", "", "pods", name="a"))
    ]
    assert [each.verb for each in sent] == ["head", "get"]
    assert [ours.can(JO, each).verdict for each in sent] == ["denied", "allowed"]


def test_url_part_and_resource_part_of_a_rule_never_mix() -> None:
    ours = _jo(rule("get", "*", "*"), urls("list", "*"), live=True)
    assert ours.can(JO, Request("get", path="/metrics")).verdict == "denied"
    assert _can(ours, "list", "pods") == "denied"


def _selects(label: str) -> Object:
    return {"clusterRoleSelectors": [{"matchLabels": {label: "true"}}]}


def test_nested_aggregation_is_recomputed_in_files_and_stored_when_live() -> None:
    made = [
        role("top", rule("*", "*", "*"), aggregationRule=_selects("to-top")),
        role("middle", labels={"to-top": "true"}, aggregationRule=_selects("to-middle")),
        role("leaf", rule("get", "pods"), labels={"to-middle": "true"}),
        bind("b", "top", "user:jo"),
    ]
    files, live = ask(*made), ask(*made, live=True)
    assert [_can(files, "get", each) for each in ("pods", "secrets")] == ["allowed", "denied"]
    assert _can(live, "get", "secrets") == "allowed"


def test_an_exported_role_keeps_what_was_gathered_though_its_parts_are_not_here() -> None:
    made = role("top", rule("get", "pods"), aggregationRule=_selects("to-top"))
    made["metadata"]["uid"] = "0-1"
    leaf = role("leaf", rule("get", "secrets"), labels={"to-top": "true"})
    ours = ask(made, leaf, bind("b", "top", "user:jo"), complete=False)
    assert [_can(ours, "get", each) for each in ("pods", "secrets")] == ["allowed", "allowed"]


@pytest.mark.parametrize("name", ["edit", "admin"])
def test_edit_is_every_account_of_the_namespace(name: str) -> None:
    held = ask(bind("b", name, "user:jo", ns="shop"))
    ours = Access(with_defaults(held.cluster))
    assert may_impersonate(ours, JO, "system:serviceaccount:shop:api").verdict == "allowed"
    assert may_impersonate(ours, JO, "system:serviceaccount:ops:api").verdict == "denied"
    for verb, what in (("get", "secrets"), ("create", "pods/exec")):
        assert _can(ours, verb, what) == "allowed"
    assert _can(ours, "create", "serviceaccounts/token", "api") == "allowed"


# Escalation


WRITE = rule("create update patch", "roles clusterroles rolebindings clusterrolebindings", GROUP)


def _writes(ours: Access, wish: Object, before: Object | None = None) -> str:
    ask_of = may_bind if wish["kind"].endswith("Binding") else may_write_role
    old = resources(before)[0] if before else None
    return ask_of(ours, JO, resources(wish)[0], old).verdict


def test_scoped_escalate_works_for_updates_and_not_for_creation() -> None:
    ours = _jo(WRITE, rule("escalate", "clusterroles roles", GROUP, names="new"))
    everything = rule("*", "*", "*")
    assert _writes(ours, role("new", everything)) == "denied"
    assert _writes(ours, role("new", everything), role("new")) == "allowed"
    assert _writes(ours, role("old", everything), role("old")) == "denied"


def test_a_binding_needs_the_rules_of_its_role_or_bind_and_a_missing_one_bind() -> None:
    big = role("big", rule("*", "*", "*"))
    ours = ask(role("r", WRITE), bind("b", "r", "user:jo"), big)
    assert _writes(ours, bind("x", "big", "user:jo")) == "denied"
    assert _writes(ours, bind("x", "gone", "user:jo")) == "denied"
    named = _jo(WRITE, rule("bind", "clusterroles", GROUP, names="big gone"))
    assert _writes(named, bind("x", "gone", "user:jo")) == "allowed"


def test_an_aggregation_rule_needs_everything_and_one_without_selectors_is_none() -> None:
    ours = _jo(WRITE, rule("get", "pods"))
    gathers = role("new", rule("get", "pods"), aggregationRule=_selects("x"))
    assert _writes(ours, gathers) == "denied"
    nothing = role("new", rule("get", "pods"), aggregationRule={"clusterRoleSelectors": []})
    assert _writes(ours, nothing) == "allowed"


def test_aggregate_label_on_ones_own_role_gains_its_author_nothing() -> None:
    labels = {"rbac.authorization.k8s.io/aggregate-to-edit": "true"}
    ours = _jo(WRITE, rule("get", "pods"))
    assert _writes(ours, role("mine", rule("get", "pods"), labels=labels)) == "allowed"
    assert _writes(ours, role("mine", rule("get", "secrets"), labels=labels)) == "denied"


def test_group_without_user_is_no_impersonation() -> None:
    groups = _jo(rule("impersonate", "groups"))
    assert may_impersonate(groups, JO, "", ["system:masters"]).verdict == "denied"
    assert may_impersonate(groups, JO, "kim", ["system:masters"]).verdict == "denied"
    both = _jo(rule("impersonate", "groups users"))
    assert may_impersonate(both, JO, "kim", ["system:masters"]).verdict == "allowed"


def test_impersonate_users_does_not_reach_accounts_and_given_groups_replace_theirs() -> None:
    users = _jo(rule("impersonate", "users"))
    assert may_impersonate(users, JO, "system:serviceaccount:shop:api").verdict == "denied"
    ours = ask(role("r", rule("get", "pods")), bind("b", "r", "group:system:serviceaccounts"))
    asked = Request("get", "", "pods", namespace="shop")
    assert ours.can(principal("shop/api"), asked).verdict == "allowed"
    assert ours.can(principal("shop/api", ["ops"]), asked).verdict == "denied"


def test_constrained_impersonation_needs_both_verbs_and_no_prefix_of_them() -> None:
    as_kim = rule("impersonate:user-info", "users", AUTH)
    listing = rule("impersonate-on:user-info:list", "pods")
    asked = Request("list", "", "pods", namespace="shop")
    for rules, verdict in (
        ((as_kim, listing), "allowed"),
        ((as_kim,), "denied"),
        ((listing,), "denied"),
        ((as_kim, rule("impersonate-on:user-info:*", "pods")), "denied"),
        ((rule("impersonate:*", "users", AUTH), listing), "denied"),
    ):
        ours = _jo(*rules, kubernetes=36)
        assert may_impersonate_on(ours, JO, "kim", asked).verdict == verdict


def test_a_certificate_needs_create_and_approval_and_approve_on_the_signer() -> None:
    signer = "kubernetes.io/kube-apiserver-client"
    rights = [
        rule("create", "certificatesigningrequests", CERTS),
        rule("update", "certificatesigningrequests/approval", CERTS),
        rule("approve", "signers", CERTS, names="kubernetes.io/*"),
    ]
    assert may_approve(_jo(*rights), JO, signer).verdict == "allowed"
    for gone in range(3):
        assert may_approve(_jo(*rights[:gone], *rights[gone + 1 :]), JO, signer).verdict == "denied"
    assert certified(signer, "eve", ["system:masters"])


def _pod(name: str, on: str, secret: str) -> Object:
    volumes = [{"name": "v", "secret": {"secretName": secret}}]
    return thing("Pod", name, "shop", "v1", spec={"nodeName": on, "volumes": volumes})


def test_a_node_reads_what_its_pods_use_one_by_one_and_node_restriction_limits_writes() -> None:
    ours = ask(_pod("web", "n1", "tls"), _pod("far", "n2", "db"))
    reads = [
        Request(verb, "", "secrets", name=name, namespace="shop")
        for verb, name in (("get", "tls"), ("get", "db"), ("list", ""), ("update", "tls"))
    ]
    assert [ours.can(node("n1"), each).verdict for each in reads] == [
        "allowed",
        "denied",
        "denied",
        "denied",
    ]
    other = Request("update", "", "nodes", name="n2")
    assert ours.can(node("n1"), other).verdict == "allowed"  # by the authorizer alone
    assert restricted(node("n1"), other, ours.cluster)
    assert restricted(node("n1"), Request("delete", "", "pods", "", "far", "shop"), ours.cluster)
    assert not restricted(
        node("n1"), Request("delete", "", "pods", "", "web", "shop"), ours.cluster
    )


@pytest.mark.parametrize("groups", [(), ("system:authenticated",)])
def test_a_node_without_its_group_or_name_is_none(groups: tuple[str, ...]) -> None:
    asked = Request("get", "", "services", namespace="shop")
    assert ask().can(Principal("system:node:n1", groups), asked).verdict == "denied"
    assert ask().can(Principal("jo", ("system:nodes",)), asked).verdict == "denied"


def test_projected_token_counts_though_automount_is_false_and_audiences_differ() -> None:
    sources = [
        {"serviceAccountToken": {"path": "t", "audience": "vault"}},
        {"serviceAccountToken": {"path": "u", "expirationSeconds": 600}},
    ]
    spec = {
        "automountServiceAccountToken": False,
        "containers": [{"name": "c"}],
        "volumes": [{"name": "v", "projected": {"sources": sources}}],
    }
    cluster = ask(thing("Pod", "web", "shop", "v1", spec=spec)).cluster
    workload: Workload = next(cluster.workloads())
    assert [(t.how, t.opens_api, t.seconds) for t in tokens(workload, cluster)] == [
        ("projected", False, 3600),
        ("projected", True, 600),
    ]


# What is not known


def _chain(*types: str) -> Object:
    listed = [{"type": each, **({"name": "hook"} if each == "Webhook" else {})} for each in types]
    api = "apiserver.config.k8s.io/v1"
    return thing("AuthorizationConfiguration", "c", api=api, authorizers=listed)


def test_webhook_deny_before_rbac_makes_allowed_unknown_and_after_it_does_not() -> None:
    made = [role("r", rule("get", "pods")), bind("b", "r", "user:jo")]
    before, after = ask(*made, _chain("Webhook", "RBAC")), ask(*made, _chain("RBAC", "Webhook"))
    assert [_can(each, "get", "pods") for each in (before, after)] == ["unknown", "allowed"]
    assert [_can(each, "list", "pods") for each in (before, after)] == ["unknown", "unknown"]


def test_who_can_names_everybody_where_another_authorizer_allows_or_may() -> None:
    made = [role("r", rule("get", "pods")), bind("b", "r", "user:jo")]
    asked = Request("get", "", "pods", namespace="shop")
    everybody = Subject("Group", "system:authenticated")
    for types, verdict in (
        (("RBAC", "AlwaysAllow"), "allowed"),
        (("RBAC", "Webhook"), "unknown"),
        (("Node", "RBAC"), ""),
    ):
        told = dict(ask(*made, _chain(*types)).who_can(asked))
        assert told[Subject("User", "jo")].verdict == "allowed"
        assert (told[everybody].verdict if everybody in told else "") == verdict
    only_nodes = dict(ask(*made, _chain("Node")).who_can(asked))
    assert list(only_nodes) == [Subject("Group", "system:masters")]


def test_oidc_prefix_is_a_part_of_the_name() -> None:
    ours = ask(role("r", rule("get", "pods")), bind("b", "r", "user:oidc:jo", "group:oidc:ops"))
    asked = Request("get", "", "pods", namespace="shop")
    assert ours.can(Principal("jo", ("ops",)), asked).verdict == "denied"
    assert ours.can(Principal("oidc:jo"), asked).verdict == "allowed"
    assert ours.can(principal("user:oidc:kim", ["oidc:ops"]), asked).verdict == "allowed"
    told = ours.can(user("kim"), asked)
    assert told.verdict == "unknown"
    assert told.because == ("allowed to members of group oidc:ops, and the groups are not known",)


def test_403_gap_makes_denied_unknown_there_and_leaves_allowed() -> None:
    unlisted = {f"RoleBinding.{GROUP}": "forbidden"}
    ours = _jo(rule("get", "pods"), unlisted=unlisted)
    assert _can(ours, "get", "pods") == "allowed"
    assert _can(ours, "list", "pods") == "unknown"
    assert _can(ours, "list", "nodes", ns="") == "denied"  # no RoleBinding could grant it


def test_who_can_and_can_agree_on_bindings_whose_namespace_is_not_written() -> None:
    ours = ask(
        role("r", rule("get", "pods")), bind("b", "r", "user:jo", "/api", wide=False), live=False
    )
    asked = Request("get", "", "pods", namespace="shop")
    told = {str(subject): answer.verdict for subject, answer in ours.who_can(asked)}
    assert told == {
        "Group system:masters": "allowed",
        "User jo": "unknown",
        "ServiceAccount shop/api": "unknown",
    }
    assert ours.can(JO, asked).verdict == "unknown"
    assert len(ours.who_can(Request("list", "", "pods", namespace="shop"))) == 1
