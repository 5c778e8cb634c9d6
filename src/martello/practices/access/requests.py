"""An audit event as what the authorizer was asked: by whom, for what, and what it said.

An event tells the request after the API server has worked on it. The name of a plain create comes
from the body, of which the authorizer knew nothing; whom a user impersonates was authorized, the
user for impersonating; a denial may be the admission's.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qs, unquote

import msgspec

from martello.core.event import Asked, AuditEvent
from martello.practices.access.model import ACCOUNT, Principal, Request
from martello.practices.access.principals import AUTHENTICATED, UNAUTHENTICATED, principal

AUTHENTICATION: Final = "authentication.k8s.io"
LONGEST: Final = 1 << 15  # of the texts of a request: names and paths are far shorter
PARTIAL: Final = "a part of it could not be read"
_METHODS: Final = {
    "post": "create",
    "put": "update",
    "patch": "patch",
    "delete": "delete",
    "get": "get",
    "head": "get",
}
_NAMELESS: Final = frozenset({"create", "deletecollection"})


class Tried(msgspec.Struct, frozen=True, gc=False):
    """One request that an authorizer was asked about.

    `how` is request (made), impersonate (to make another one), review (somebody else asked whether
    this principal may) or asked (the principal asked whether it may, and no more).
    """

    principal: Principal
    request: Request
    how: str = "request"
    refused: bool = False


class NotRead(Exception):
    """An event that tells of no request; the message says why."""


def tried(event: AuditEvent) -> Iterator[Tried]:
    """What the authorizer was asked for one event, at its end (for what runs long: at its start).
    Raises NotRead.
    """
    if event.api_stage == "RequestReceived":
        raise NotRead("it was not decided yet")
    if "partial" in event.flags:
        raise NotRead(PARTIAL)
    if not event.actor_user or event.api_code == 401:
        raise NotRead("nobody was authenticated")
    path = "" if event.k8s_resource else event.api_uri
    if len(event.actor_user) + len(event.actor_as) + len(event.k8s_name) + len(path) > LONGEST:
        raise NotRead("it is longer than any request")
    refused = was_refused(event)
    if refused and not event.actor_as and "cannot impersonate" in event.api_message:
        raise NotRead("impersonation was refused")
    actor = principal_of(event.actor_user, event.actor_groups)
    who = actor
    if event.actor_as:
        who = principal_of(event.actor_as, event.actor_as_groups)
        for request in impersonations(event):
            yield Tried(actor, request, "impersonate")
    yield Tried(who, request_of(event), "request", refused)
    if event.asked is not None and not refused:
        asked = event.asked
        if asked.username:
            groups = asked.groups or None
            yield Tried(principal_of(asked.username, groups), question_of(asked), "review")
        elif event.k8s_resource == "selfsubjectaccessreviews":
            yield Tried(who, question_of(asked), "asked")


def was_refused(event: AuditEvent) -> bool:
    """Whether an authorizer refused. Where that is not annotated, a 403 counts as one, though it
    may be the admission's.
    """
    if event.api_decision:
        return event.api_decision == "forbid"
    return event.api_code == 403


def request_of(event: AuditEvent) -> Request:
    """The request as the authorizer saw it."""
    verb = event.api_verb
    if not event.k8s_resource:
        return _of_path(verb, event.api_uri)
    name = event.k8s_name
    if verb in _NAMELESS and not event.k8s_subresource:
        name = ""
    return Request(
        verb, event.k8s_group, event.k8s_resource, event.k8s_subresource, name, event.k8s_ns
    )


def question_of(asked: Asked) -> Request:
    """The question of a review."""
    if asked.path:
        return Request(asked.verb, path=asked.path)
    return Request(
        asked.verb, asked.group, asked.resource, asked.subresource, asked.name, asked.namespace
    )


def impersonations(event: AuditEvent) -> Iterator[Request]:
    """What the user was authorized for to become another: each part of the other one.

    The API server itself adds the groups of accounts and of everybody; those were not asked for.
    """
    account = account_of(event.actor_as)
    if account:
        yield Request(
            "impersonate", resource="serviceaccounts", name=account[1], namespace=account[0]
        )
    else:
        yield Request("impersonate", resource="users", name=event.actor_as)
    own = principal_of(event.actor_as, None).groups
    given = event.actor_as_groups
    added = set(own) if set(given) <= set(own) else {AUTHENTICATED, UNAUTHENTICATED}
    for group in given:
        if group not in added:
            yield Request("impersonate", resource="groups", name=group)
    if event.actor_as_uid:
        yield Request("impersonate", AUTHENTICATION, "uids", name=event.actor_as_uid)
    for key, value in event.actor_as_extra:
        yield Request("impersonate", AUTHENTICATION, "userextras", key, value)


@lru_cache(maxsize=65536)
def principal_of(username: str, groups: tuple[str, ...] | None) -> Principal:
    """Who a user name and its groups are; the groups that are implied where none are said."""
    if username.startswith(ACCOUNT) and account_of(username) is None:
        named = Principal(username)  # an account by its beginning only
    else:
        named = principal(f"user:{username}")
    if not groups:
        return named
    return Principal(username, tuple(sorted(set(groups))), named.kind)


def account_of(username: str) -> tuple[str, str] | None:
    """Namespace and name of an account that is spelled as a user; None for other users."""
    if not username.startswith(ACCOUNT):
        return None
    space, _, name = username[len(ACCOUNT) :].partition(":")
    return (space, name) if space and name and ":" not in name else None


def _of_path(verb: str, uri: str) -> Request:
    """A request of which only the path is known: for a resource where the path names one, as the
    API server's own reading of paths has it.
    """
    path, _, query = uri.partition("?")
    path = unquote(path)
    parts = path.strip("/").split("/")
    lower = verb.lower()
    if parts[0] == "api" and len(parts) > 2:
        group, rest = "", parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, rest = parts[1], parts[3:]
    else:
        return Request(lower, path=path or "/")
    watched = rest[0] == "watch" and len(rest) > 1
    rest = rest[1:] if watched else rest
    space = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        space = rest[1]
        if len(rest) > 2 and rest[2] not in ("status", "finalize"):
            rest = rest[2:]
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    verb = _METHODS.get(lower, lower)
    if verb == "get" and not name:
        asked = (
            parse_qs(query, max_num_fields=100).get("watch", [""]) if len(query) < 8192 else [""]
        )
        verb = "watch" if watched or asked[-1] in ("1", "true", "True", "t") else "list"
    elif verb == "delete" and not name:
        verb = "deletecollection"
    elif watched:
        verb = "watch"
    return Request(verb, group, rest[0], subresource, name, space)
