"""What the authorizer was asked, told by an audit event."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from martello.core.event import Asked, AuditEvent
from martello.practices.access.model import Request
from martello.practices.access.requests import NotRead, Tried, tried

APPS = "/apis/apps/v1/namespaces/a"
PODS: dict[str, Any] = {"k8s_resource": "pods", "k8s_ns": "a"}


def event(verb: str = "get", user: str = "bob", **more: Any) -> AuditEvent:
    """A small event."""
    return msgspec.structs.replace(AuditEvent(verb, user, api_code=200), **more)


def asked(one: AuditEvent) -> list[Tried]:
    """All that was asked for it."""
    return list(tried(one))


def only(one: AuditEvent) -> Request:
    """The request of an event that stands for one."""
    (found,) = asked(one)
    return found.request


def test_the_name_of_a_create_is_dropped() -> None:
    assert only(event("create", k8s_name="p", **PODS)) == Request("create", "", "pods", "", "", "a")
    one = only(event("deletecollection", k8s_name="p", **PODS))
    assert one.name == ""


def test_the_name_of_a_subresource_is_kept() -> None:
    one = event("create", k8s_name="p", k8s_subresource="exec", **PODS)
    assert only(one) == Request("create", "", "pods", "exec", "p", "a")
    assert only(event("update", k8s_name="p", **PODS)).name == "p"
    assert only(event("watch", k8s_name="p", **PODS)).name == "p"  # by a field selector


@pytest.mark.parametrize("stage", ["ResponseComplete", "ResponseStarted", "Panic"])
def test_each_stage_of_a_decided_request_tells_of_it(stage: str) -> None:
    assert only(event("watch", api_stage=stage, **PODS)).verb == "watch"


@pytest.mark.parametrize(
    "more",
    [
        {"api_stage": "RequestReceived"},
        {"flags": ("partial",)},
        {"api_code": 401},
        {"actor_user": ""},
        {"actor_user": "x" * 100_000},
        {"api_code": 403, "api_message": 'User "bob" cannot impersonate resource "users"'},
    ],
)
def test_what_tells_of_no_request_says_why(more: dict[str, Any]) -> None:
    with pytest.raises(NotRead, match=r"\w"):
        asked(event(**more, **PODS))


def test_the_impersonated_user_was_authorized_and_the_user_for_impersonating() -> None:
    one = event(
        actor_as="eve",
        actor_as_groups=("devs", "system:authenticated"),
        actor_as_uid="7",
        actor_as_extra=(("scopes", "view"),),
        **PODS,
    )
    found = asked(one)
    assert [(t.principal.username, t.how) for t in found] == [
        *[("bob", "impersonate")] * 4,
        ("eve", "request"),
    ]
    assert [t.request for t in found[:-1]] == [
        Request("impersonate", resource="users", name="eve"),
        Request("impersonate", resource="groups", name="devs"),
        Request("impersonate", "authentication.k8s.io", "uids", name="7"),
        Request("impersonate", "authentication.k8s.io", "userextras", "scopes", "view"),
    ]
    assert found[-1].principal.groups == ("devs", "system:authenticated")


def test_an_account_is_impersonated_as_an_account() -> None:
    groups = ("system:serviceaccounts", "system:serviceaccounts:a", "system:authenticated")
    one = event(actor_as="system:serviceaccount:a:api", actor_as_groups=groups, **PODS)
    request = Request("impersonate", resource="serviceaccounts", name="api", namespace="a")
    assert [t.request for t in asked(one)[:-1]] == [request]
    given = (*groups, "devs")
    more = asked(msgspec.structs.replace(one, actor_as_groups=given))
    assert {t.request.name for t in more if t.request.resource == "groups"} == {
        "devs",
        "system:serviceaccounts",
        "system:serviceaccounts:a",
    }


@pytest.mark.parametrize(
    ("more", "refused"),
    [
        ({"api_code": 403}, True),
        ({"api_code": 403, "api_decision": "forbid"}, True),
        ({"api_code": 403, "api_decision": "allow"}, False),  # the admission's
        ({"api_code": 404}, False),
        ({"api_code": 0, "api_stage": "ResponseStarted"}, False),
    ],
)
def test_refused_is_what_the_authorizer_refused(more: dict[str, Any], refused: bool) -> None:
    (found,) = asked(event(**more, **PODS))
    assert found.refused is refused


def test_groups_that_are_not_said_are_those_of_the_name() -> None:
    (account,) = asked(event(user="system:serviceaccount:a:api"))
    assert set(account.principal.groups) == {
        "system:serviceaccounts",
        "system:serviceaccounts:a",
        "system:authenticated",
    }
    assert account.principal.groups_known
    (user,) = asked(event(user="bob"))
    assert not user.principal.groups_known
    (said,) = asked(event(user="bob", actor_groups=("system:authenticated",)))
    assert said.principal.groups_known
    (slash,) = asked(event(user="a/b"))
    assert slash.principal.kind == "user"


@pytest.mark.parametrize(
    ("verb", "uri", "request_"),
    [
        ("GET", "/metrics", Request("get", path="/metrics")),
        ("get", "/api", Request("get", path="/api")),
        ("get", "/apis/apps/v1?timeout=32s", Request("get", path="/apis/apps/v1")),
        ("get", "/logs/a%2Fb", Request("get", path="/logs/a/b")),
        ("GET", "/api/v1/pods", Request("list", "", "pods")),
        ("get", "/api/v1/pods?watch=true", Request("watch", "", "pods")),
        ("get", "/api/v1/watch/pods", Request("watch", "", "pods")),
        ("HEAD", "/api/v1/nodes/n", Request("get", "", "nodes", "", "n")),
        ("POST", "/api/v1/namespaces/a/pods", Request("create", "", "pods", "", "", "a")),
        (
            "DELETE",
            "/api/v1/namespaces/a/pods",
            Request("deletecollection", "", "pods", "", "", "a"),
        ),
        (
            "PUT",
            f"{APPS}/deployments/d/scale",
            Request("update", "apps", "deployments", "scale", "d", "a"),
        ),
        ("GET", "/api/v1/namespaces/a", Request("get", "", "namespaces", "", "a", "a")),
        ("GET", "/api/v1/namespaces", Request("list", "", "namespaces")),
    ],
)
def test_a_path_alone_is_read_as_the_api_server_does(
    verb: str, uri: str, request_: Request
) -> None:
    assert only(event(verb, api_uri=uri)) == request_


def test_a_review_is_the_use_of_whom_it_asks_about() -> None:
    question = Asked("get", "eve", ("devs",), path="/metrics")
    one = event(
        "create",
        "kubelet",
        k8s_group="authorization.k8s.io",
        k8s_resource="subjectaccessreviews",
        asked=question,
    )
    found = asked(one)
    assert [(t.principal.username, t.how) for t in found] == [
        ("kubelet", "request"),
        ("eve", "review"),
    ]
    assert found[1].request == Request("get", path="/metrics")


def test_a_question_about_oneself_is_evidence_of_asking_only() -> None:
    one = event(
        "create",
        k8s_group="authorization.k8s.io",
        k8s_resource="selfsubjectaccessreviews",
        asked=Asked("*", resource="*"),
    )
    assert [(t.principal.username, t.how) for t in asked(one)] == [
        ("bob", "request"),
        ("bob", "asked"),
    ]
