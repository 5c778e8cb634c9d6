"""Which requests a policy of the audit log leaves out."""

from __future__ import annotations

import random
from typing import Any

import pytest

from martello.core.audit_policy import EVERYTHING, Asking, AuditPolicy, read_policy, unlogged
from martello.core.errors import BadInput

ALL = {"level": "Metadata"}


def policy(*rules: dict[str, Any], **more: Any) -> AuditPolicy:
    """A policy of these rules."""
    head = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy"}
    return read_policy({**head, "rules": list(rules), **more})


def none(**more: Any) -> dict[str, Any]:
    """A rule that leaves something out."""
    return {"level": "None", **more}


PODS = Asking("get", "bob", ("system:authenticated",), True, "", "pods", None, "a")


@pytest.mark.parametrize(
    ("rule", "logged"),
    [
        (none(), False),
        (none(users=["bob"]), False),
        (none(users=["eve"]), True),
        (none(userGroups=["system:authenticated"]), False),
        (none(userGroups=["others"]), True),
        (none(verbs=["get"]), False),
        (none(verbs=["list"]), True),
        (none(namespaces=["a"]), False),
        (none(namespaces=[""]), True),
        (none(nonResourceURLs=["*"]), True),
        (none(resources=[{"group": ""}]), False),
        (none(resources=[{"group": "apps"}]), True),
        (none(resources=[{"resources": ["pods"]}]), False),
        (none(resources=[{"resources": ["*"]}]), False),
        (none(resources=[{"resources": ["pods/exec"]}]), True),
        (none(resources=[{"resources": ["secrets"]}]), True),
        (none(verbs=["get"], users=["eve"]), True),
        ({"level": "Metadata", "omitStages": ["ResponseComplete"]}, False),
        ({"level": "Metadata", "omitStages": ["RequestReceived"]}, True),
    ],
)
def test_the_first_rule_that_matches_decides(rule: dict[str, Any], logged: bool) -> None:
    assert unlogged(policy(rule, ALL), PODS) == (() if logged else (EVERYTHING,))
    assert unlogged(policy(ALL, rule), PODS) == ()


@pytest.mark.parametrize("resource", ["pods/*", "*/exec", "pods/exec", "*"])
def test_subresources(resource: str) -> None:
    rule = none(resources=[{"resources": [resource]}])
    asked = Asking("create", "bob", (), True, "", "pods/exec", None, "a")
    assert unlogged(policy(rule, ALL), asked) == (EVERYTHING,)
    other = Asking("create", "bob", (), True, "", "pods/log", None, "a")
    assert bool(unlogged(policy(rule, ALL), other)) == (resource in ("pods/*", "*"))


def test_every_part_of_a_resource_is_the_resource_too() -> None:
    rule = none(resources=[{"resources": ["pods/*"]}])
    assert unlogged(policy(rule, ALL), PODS) == (EVERYTHING,)


def test_no_match_is_not_logged() -> None:
    assert unlogged(policy({"level": "Request", "verbs": ["list"]}), PODS) == (EVERYTHING,)


def test_what_may_match_may_be_missing() -> None:
    named = none(resources=[{"resources": ["pods"], "resourceNames": ["x"]}])
    assert unlogged(policy(named, ALL), PODS) == (EVERYTHING,)
    everywhere = Asking("get", "bob", (), True, "", "pods")
    assert unlogged(policy(none(namespaces=["a"]), ALL), everywhere) == (EVERYTHING,)
    group = Asking("get", None, ("devs",), False, "", "pods")
    assert unlogged(policy(none(users=["bob"]), ALL), group) == (EVERYTHING,)
    assert unlogged(policy(none(userGroups=["ops"]), ALL), group) == (EVERYTHING,)


def test_of_any_resource_only_what_is_left_out_is_named() -> None:
    rule = none(resources=[{"group": "", "resources": ["events"]}, {"group": "apps"}])
    anything = Asking("get", "bob", (), True)
    assert unlogged(policy(rule, ALL), anything) == (("", "events"), ("apps", "*"))


@pytest.mark.parametrize(
    ("path", "logged"),
    [("/healthz", False), ("/healthz/etcd", False), ("/metrics", True), ("/*", False)],
)
def test_paths(path: str, logged: bool) -> None:
    rule = none(nonResourceURLs=["/healthz*"])
    asked = Asking("get", "bob", (), True, path=path, about_path=True)
    assert (unlogged(policy(rule, ALL), asked) == ()) == logged


def test_stages_that_the_whole_policy_omits() -> None:
    assert unlogged(policy(ALL, omitStages=["ResponseComplete"]), PODS) == (EVERYTHING,)


@pytest.mark.parametrize(
    "raw",
    [
        None,
        [],
        {"kind": "Pod"},
        {"kind": "Policy"},
        {"kind": "Policy", "rules": []},
        {"kind": "Policy", "rules": [{"level": "metadata"}]},
        {"kind": "Policy", "rules": [{"level": "None", "verbs": "get"}]},
        {"kind": "Policy", "rules": [{"level": "None", "resources": ["pods"]}]},
    ],
)
def test_what_is_no_policy_is_refused(raw: Any) -> None:
    with pytest.raises(BadInput):
        read_policy(raw)


def _logged(raw: list[dict[str, Any]], one: dict[str, str]) -> bool:
    """A literal reading of the API server's checker, for one request."""
    for rule in raw:
        if rule.get("users") and one["user"] not in rule["users"]:
            continue
        if rule.get("userGroups") and one["usergroup"] not in rule["userGroups"]:
            continue
        if rule.get("verbs") and one["verb"] not in rule["verbs"]:
            continue
        if rule.get("namespaces") or rule.get("resources"):
            if rule.get("namespaces") and one["namespace"] not in rule["namespaces"]:
                continue
            if rule.get("resources") and not any(_hit(r, one) for r in rule["resources"]):
                continue
        elif rule.get("nonResourceURLs"):
            continue
        return bool(rule["level"] != "None")
    return False


def _hit(entry: dict[str, Any], one: dict[str, str]) -> bool:
    if entry.get("group", "") != one["group"]:
        return False
    if not entry.get("resources"):
        return True
    if entry.get("resourceNames") and one["name"] not in entry["resourceNames"]:
        return False
    parent, _, sub = one["resource"].partition("/")
    fits = {"*", one["resource"], f"{parent}/*", *({f"*/{sub}"} if sub else ())}
    return bool(fits & set(entry["resources"]))


def test_nothing_that_is_not_logged_is_overlooked() -> None:
    words = {
        "user": ("bob", "eve"),
        "usergroup": ("devs", "ops"),
        "verb": ("get", "create"),
        "namespace": ("a", "b", ""),
        "group": ("", "apps"),
        "resource": ("pods", "pods/exec", "secrets", "secrets/exec"),
        "name": ("x", "y", ""),
    }
    patterns = (*words["resource"], "*", "*/exec", "pods/*")
    silent = 0
    for seed in range(3000):
        pick = random.Random(seed)

        def some(of: tuple[str, ...], pick: random.Random = pick) -> list[str]:
            return pick.sample(of, pick.choice((0, 0, 1, 2)))

        rules: list[dict[str, Any]] = [
            {
                "level": pick.choice(("None", "Metadata")),
                "users": some(words["user"]),
                "userGroups": some(words["usergroup"]),
                "verbs": some(words["verb"]),
                "namespaces": some(words["namespace"]),
                "resources": [
                    {
                        "group": pick.choice(words["group"]),
                        "resources": some(patterns),
                        "resourceNames": some(words["name"]),
                    }
                    for _ in range(pick.choice((0, 1, 2)))
                ],
            }
            for _ in range(3)
        ]
        one = {key: pick.choice(values) for key, values in words.items()}
        whole = {key: pick.random() < 0.5 for key in words}
        asking = Asking(
            one["verb"],
            None if whole["user"] else one["user"],
            () if whole["usergroup"] else (one["usergroup"],),
            not whole["usergroup"],
            None if whole["group"] else one["group"],
            None if whole["resource"] else one["resource"],
            None if whole["name"] else one["name"],
            None if whole["namespace"] else one["namespace"],
        )
        found = unlogged(policy(*rules, ALL), asking)
        if _logged([*rules, ALL], one):
            if not any(whole.values()):
                assert found == (), seed  # of a single request the answer is exact
            continue
        silent += 1
        sub = one["resource"].partition("/")[2]
        said = {"*", one["resource"], f"*/{sub}"}
        assert any(g in ("*", one["group"]) and r in said for g, r in found), (seed, found)
    assert silent > 300
