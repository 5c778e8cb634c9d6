"""Kyverno's policies in CEL: what they match, what is carried over to controllers, who is named."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.support.policies import actions, asked, namespace, pod, resource, said, world_of

from martello.catalogue.policy.admitted import request_for
from martello.catalogue.policy.autogen import shown
from martello.catalogue.policy.match_kyverno import parse_kind
from martello.catalogue.policy.model import User
from martello.catalogue.policy.read import policies_from
from martello.catalogue.policy.wildcard import covers

NO_HOST = {"expression": "!has(object.spec.hostPID) || !object.spec.hostPID", "message": "no"}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"hostPID": True, "containers": []}}


def cluster_policy(
    match: dict[str, Any], *expressions: dict[str, str], **extra: Any
) -> dict[str, Any]:
    rule = {
        "name": "r",
        "match": match,
        "validate": {"cel": {"expressions": list(expressions or ({"expression": "false"},))}},
    }
    rule.update(extra.pop("rule", {}))
    return {
        "apiVersion": "kyverno.io/v1",
        "kind": "ClusterPolicy",
        "metadata": {"name": "p", **extra.pop("metadata", {})},
        "spec": {"validationFailureAction": "Enforce", "rules": [rule], **extra},
    }


def resources(**given: Any) -> dict[str, Any]:
    return {"any": [{"resources": {"kinds": ["Pod"], **given}}]}


def validating(*expressions: dict[str, str], **spec: Any) -> dict[str, Any]:
    spec.setdefault(
        "matchConstraints",
        {
            "resourceRules": [
                {
                    "apiGroups": [""],
                    "apiVersions": ["v1"],
                    "operations": ["CREATE", "UPDATE"],
                    "resources": ["pods"],
                }
            ]
        },
    )
    return {
        "apiVersion": "policies.kyverno.io/v1",
        "kind": "ValidatingPolicy",
        "metadata": {"name": "p"},
        "spec": {"validations": list(expressions), **spec},
    }


def controller(kind: str, api: str = "apps/v1") -> dict[str, Any]:
    spec: dict[str, Any] = {"template": TEMPLATE}
    if kind == "CronJob":
        spec = {"jobTemplate": {"spec": spec}}
    metadata = {"name": "c", "namespace": "shop", "labels": {"own": "yes"}}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": spec}


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        (resources(), True),
        (resources(kinds=["Service"]), False),
        (resources(kinds=["v1/Pod"]), True),
        (resources(kinds=["*/Pod"]), True),
        (resources(kinds=["apps/v1/Pod"]), False),
        (resources(kinds=["v2/Pod"]), False),
        (resources(kinds=["P?d"]), True),
        (resources(kinds=["*"]), True),
        (resources(kinds=["Pod/exec"]), False),
        (resources(kinds=["Pod.exec"]), False),
        (resources(names=["we*"]), True),
        (resources(names=["other", "w?b"]), True),
        (resources(names=["other"]), False),
        (resources(name="web"), True),
        (resources(namespaces=["sh*"]), True),
        (resources(namespaces=["prod"]), False),
        (resources(operations=["CREATE"]), True),
        (resources(operations=["UPDATE"]), False),
        (resources(selector={"matchLabels": {"app": "web"}}), True),
        (resources(selector={"matchLabels": {"app": "w*"}}), True),
        (resources(selector={"matchLabels": {"a*": "?*"}}), True),
        (resources(selector={"matchLabels": {"app": "other"}}), False),
        (resources(namespaceSelector={"matchLabels": {"team": "a"}}), True),
        (resources(namespaceSelector={"matchLabels": {"team": "b"}}), False),
        (resources(annotations={"a": "b"}), False),
        ({"resources": {"kinds": ["Pod"]}}, True),
        ({"any": [{"resources": {"kinds": ["Service"]}}, {"resources": {"kinds": ["Pod"]}}]}, True),
        (
            {"all": [{"resources": {"kinds": ["Service"]}}, {"resources": {"kinds": ["Pod"]}}]},
            False,
        ),
        ({"all": [{"resources": {"kinds": ["Pod"]}}, {"resources": {"names": ["web"]}}]}, True),
        ({"any": [{"subjects": [{"kind": "User", "name": "eve"}]}]}, False),
    ],
)
def test_match(match: dict[str, Any], expected: bool) -> None:
    found = asked([cluster_policy(match)], world=world_of(namespace("shop", team="a")))
    assert actions(found.rulings) == (["deny"] if expected else [])


EVE = User("eve", groups=("devs",), roles=("edit",), cluster_roles=("cluster-admin",))
ROBOT = User("system:serviceaccount:ci:robot", roles=(), cluster_roles=())


@pytest.mark.parametrize(
    ("exclude", "user", "excluded"),
    [
        ({"any": [{"resources": {"names": ["web"]}}]}, User(), True),
        ({"any": [{"resources": {"names": ["other"]}}]}, User(), False),
        ({"any": [{"subjects": [{"kind": "User", "name": "eve"}]}]}, EVE, True),
        ({"any": [{"subjects": [{"kind": "User", "name": "eve"}]}]}, ROBOT, False),
        ({"any": [{"subjects": [{"kind": "User", "name": "eve"}]}]}, User(), False),
        ({"any": [{"subjects": [{"kind": "Group", "name": "dev*"}]}]}, EVE, True),
        (
            {
                "any": [
                    {"subjects": [{"kind": "ServiceAccount", "namespace": "ci", "name": "robot"}]}
                ]
            },
            ROBOT,
            True,
        ),
        ({"clusterRoles": ["cluster-admin"]}, EVE, True),
        ({"clusterRoles": ["cluster-admin"]}, ROBOT, False),
        ({"clusterRoles": ["cluster-admin"]}, User(), False),
        ({"any": [{"roles": ["edit"]}]}, EVE, True),
        (
            {"any": [{"roles": ["edit"], "subjects": [{"kind": "User", "name": "ada"}]}]},
            EVE,
            False,
        ),
        (
            {"all": [{"resources": {"names": ["web"]}}, {"resources": {"names": ["other"]}}]},
            User(),
            False,
        ),
    ],
)
def test_exclude(exclude: dict[str, Any], user: User, excluded: bool) -> None:
    found = asked([cluster_policy(resources(), rule={"exclude": exclude})], user=user)
    assert actions(found.rulings) == ([] if excluded else ["deny"])


def test_roles_that_nobody_knows_are_no_answer() -> None:
    policy = cluster_policy(resources(), rule={"exclude": {"clusterRoles": ["cluster-admin"]}})
    assert actions(asked([policy], user=User("eve")).rulings) == ["unassessed"]


@pytest.mark.parametrize(
    ("kind", "api"),
    [
        ("Deployment", "apps/v1"),
        ("DaemonSet", "apps/v1"),
        ("StatefulSet", "apps/v1"),
        ("ReplicaSet", "apps/v1"),
        ("ReplicationController", "v1"),
        ("Job", "batch/v1"),
        ("CronJob", "batch/v1"),
    ],
)
def test_a_rule_about_pods_judges_what_makes_pods(kind: str, api: str) -> None:
    policies = [cluster_policy(resources(), NO_HOST)]
    if kind != "ReplicationController":
        policies.append(validating(NO_HOST))
    for policy in policies:
        found = asked([policy], controller(kind, api)).rulings
        assert [(r.action, r.message) for r in found] == [("deny", "no")]
        assert ("autogen-cronjob" if kind == "CronJob" else "autogen") in found[0].policy


def note(value: str) -> dict[str, Any]:
    return {"annotations": {"pod-policies.kyverno.io/autogen-controllers": value}}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (cluster_policy(resources(), NO_HOST, metadata=note("none")), False),
        (cluster_policy(resources(), NO_HOST, metadata=note("Job,CronJob")), False),
        (cluster_policy(resources(), NO_HOST, metadata=note("Job,Deployment")), True),
        (cluster_policy(resources(names=["*"]), NO_HOST), False),
        (cluster_policy(resources(selector={"matchLabels": {}}), NO_HOST), False),
        (cluster_policy(resources(kinds=["Pod", "Service"]), NO_HOST), False),
        (cluster_policy(resources(namespaces=["shop"]), NO_HOST), True),
        (
            cluster_policy(resources(), NO_HOST, rule={"exclude": {"resources": {"names": ["x"]}}}),
            False,
        ),
        (
            cluster_policy(
                resources(), NO_HOST, rule={"exclude": {"resources": {"namespaces": ["x"]}}}
            ),
            True,
        ),
        (validating(NO_HOST, autogen={"podControllers": {"controllers": []}}), False),
        (validating(NO_HOST, autogen={"podControllers": {"controllers": ["jobs"]}}), False),
        (validating(NO_HOST, autogen={"podControllers": {"controllers": ["deployments"]}}), True),
    ],
)
def test_when_a_rule_is_carried_over(policy: dict[str, Any], expected: bool) -> None:
    found = asked([policy], controller("Deployment")).rulings
    assert actions(found) == (["deny"] if expected else [])


def test_the_template_stands_in_for_the_object() -> None:
    raw = controller("Deployment")
    seen = shown(raw, ("spec", "template"))
    assert seen == {"apiVersion": "apps/v1", "kind": "Deployment", **TEMPLATE}
    assert shown(raw, ()) is raw
    anchored = shown(raw, ("spec", "template"), anchored=True)
    assert anchored is not None
    assert anchored["metadata"] == {"labels": {"a": "b"}, "name": "c", "namespace": "shop"}
    assert shown(None, ("spec",)) is None
    assert shown({"kind": "Job", "spec": 5}, ("spec", "template")) == {"kind": "Job"}


def test_preconditions_skip() -> None:
    for text, expected in (("object.metadata.name == 'web'", ["deny"]), ("false", [])):
        conditions = [{"name": "c", "expression": text}]
        policy = cluster_policy(resources(), rule={"celPreconditions": conditions})
        assert actions(asked([policy]).rulings) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ["deny"]),
        ({"validationFailureAction": "Audit"}, ["audit"]),
        ({"validationFailureAction": "enforce"}, ["deny"]),
    ],
)
def test_the_failure_action(changes: dict[str, Any], expected: list[str]) -> None:
    assert actions(asked([cluster_policy(resources(), **changes)]).rulings) == expected


def test_a_rules_own_failure_action_and_message_come_in() -> None:
    cel = {"expressions": [{"expression": "false"}]}
    validate = {"failureAction": "Audit", "message": "of the rule", "cel": cel}
    found = asked([cluster_policy(resources(), rule={"validate": validate})]).rulings
    assert [(r.action, r.message) for r in found] == [("audit", "of the rule")]


@pytest.mark.parametrize(
    ("rule", "word"),
    [
        ({"validate": {"pattern": {"spec": {}}}}, "pattern"),
        ({"validate": {"deny": {"conditions": {}}}}, "JMESPath"),
        ({"validate": {"foreach": []}}, "JMESPath"),
        ({"mutate": {}, "validate": {}}, "mutation"),
        ({"verifyImages": [], "validate": {}}, "image verification"),
    ],
)
def test_rules_in_the_older_language_are_named(rule: dict[str, Any], word: str) -> None:
    found = policies_from([resource(cluster_policy(resources(), rule=rule))])
    assert not found
    (note,) = found.unassessed
    assert "rule 'r'" in note.reason
    assert word in note.reason


def test_other_engines_are_named() -> None:
    raw = {
        "apiVersion": "policies.kyverno.io/v1",
        "kind": "ImageValidatingPolicy",
        "metadata": {"name": "signed"},
    }
    (note,) = policies_from([resource(raw)]).unassessed
    assert "ImageValidatingPolicy 'signed'" in note.reason


def test_a_namespaced_policy_judges_its_own_namespace() -> None:
    raw = cluster_policy(resources())
    raw["kind"] = "Policy"
    raw["metadata"]["namespace"] = "shop"
    assert actions(asked([raw]).rulings) == ["deny"]
    assert asked([raw], pod(namespace="other")).rulings == ()


def test_objects_are_looked_up_in_view() -> None:
    text = "resource.Get('v1', 'configmaps', 'shop', 'limits').data.ok == 'yes'"
    policy = validating({"expression": text})
    limits = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "limits", "namespace": "shop"},
        "data": {"ok": "yes"},
    }
    assert asked([policy], world=world_of(limits)).rulings == ()
    limits["data"] = {"ok": "no"}
    assert actions(asked([policy], world=world_of(limits)).rulings) == ["deny"]
    assert actions(asked([policy]).rulings) == ["unassessed"]
    listed = validating(
        {"expression": "resource.List('v1', 'configmaps', 'shop').items.size() == 1"}
    )
    assert asked([listed], world=world_of(limits)).rulings == ()


def test_the_clock_is_an_argument() -> None:
    policy = validating({"expression": "time.now() == timestamp('2026-01-01T00:00:00Z')"})
    assert asked([policy], world=world_of(now=1767225600)).rulings == ()
    assert actions(asked([policy]).rulings) == ["unassessed"]


def test_images_by_list() -> None:
    policy = validating({"expression": "images.containers == ['x'] && images.initContainers == []"})
    assert asked([policy]).rulings == ()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Pod", ("*", "*", "Pod", "")),
        ("v1/Pod", ("*", "v1", "Pod", "")),
        ("apps/v1/Deployment", ("apps", "v1", "Deployment", "")),
        ("apps/*/Deployment", ("apps", "*", "Deployment", "")),
        ("Pod/exec", ("*", "*", "Pod", "exec")),
        ("Pod.status", ("*", "*", "Pod", "status")),
        ("v1/Pod/exec", ("*", "v1", "Pod", "exec")),
        ("apps/v1/Deployment/scale", ("apps", "v1", "Deployment", "scale")),
        ("batch/v2alpha1/CronJob", ("batch", "v2alpha1", "CronJob", "")),
        ("*", ("*", "*", "*", "")),
    ],
)
def test_kinds_are_parsed(text: str, parts: tuple[str, ...]) -> None:
    assert parse_kind(text) == parts


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("*", "", True),
        ("?*", "", False),
        ("?*", "a", True),
        ("a*c", "abbc", True),
        ("a*c", "abcd", False),
        ("*b*", "abc", True),
        ("a?c", "ac", False),
        ("", "", True),
        ("", "a", False),
        ("*a*a*a*a*b", "a" * 5000, False),
    ],
)
def test_wildcards(pattern: str, text: str, expected: bool) -> None:
    assert covers(pattern, text) == expected


def test_errors_of_a_cluster_policy_always_count() -> None:
    broken = {"expression": "object.spec.nothing == 1"}
    policy = cluster_policy(resources(), broken, failurePolicy="Ignore")
    assert actions(asked([policy]).rulings) == ["deny"]
    assert asked([validating(broken, failurePolicy="Ignore")]).rulings == ()


def test_conditions_of_a_validating_policy_see_the_namespace() -> None:
    condition = {"name": "c", "expression": "namespaceObject.metadata.labels.team == 'a'"}
    policy = validating({"expression": "false"}, matchConditions=[condition])
    for team, expected in (("a", ["deny"]), ("b", [])):
        world = world_of(namespace("shop", team=team))
        assert actions(asked([policy], world=world).rulings) == expected


def test_a_rule_for_pods_covers_their_ephemeral_containers() -> None:
    request = request_for(resource(pod()), world_of(), as_written=True)
    for subresource, expected in (("ephemeralcontainers", ["deny"]), ("exec", [])):
        changed = msgspec.structs.replace(request, subresource=subresource)
        found = said([cluster_policy(resources())], changed, world_of())
        assert actions(found.rulings) == expected


def test_generated_names_are_matched_by_their_prefix() -> None:
    raw = pod()
    raw["metadata"] = {"generateName": "web-", "namespace": "shop"}
    found = asked([cluster_policy(resources(names=["web-*"]))], raw)
    assert actions(found.rulings) == ["deny"]
