"""Who asks: user names and service accounts, and the groups that the API server adds by itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from martello.core.errors import BadInput
from martello.practices.access.bindings import Subject
from martello.practices.access.model import ACCOUNT, Principal

ANONYMOUS: Final = "system:anonymous"
AUTHENTICATED: Final = "system:authenticated"
UNAUTHENTICATED: Final = "system:unauthenticated"
ACCOUNTS: Final = "system:serviceaccounts"
NODE: Final = "system:node:"
NODES: Final = "system:nodes"


def account(namespace: str, name: str) -> Principal:
    """A service account, as its token authenticates."""
    groups = (ACCOUNTS, f"{ACCOUNTS}:{namespace}", AUTHENTICATED)
    return Principal(f"{ACCOUNT}{namespace}:{name}", groups, "account")


def node(name: str) -> Principal:
    """A node, as the certificate of its kubelet authenticates."""
    return Principal(f"{NODE}{name}", (NODES, AUTHENTICATED), "node")


def anonymous() -> Principal:
    """Whoever shows no credential, where the API server lets him."""
    return Principal(ANONYMOUS, (UNAUTHENTICATED,), "anonymous")


def user(name: str, groups: Iterable[str] = ()) -> Principal:
    """A user. Without groups, which ones a certificate or an identity provider gives is unknown."""
    given = tuple(dict.fromkeys((*groups, AUTHENTICATED)))
    return Principal(name, given, "user", groups_known=len(given) > 1)


def principal(text: str, groups: Iterable[str] = ()) -> Principal:
    """The principal that a person means by `system:serviceaccount:NS:NAME` or `NS/NAME` (an
    account), `node/NAME` (a node), `user:NAME`, `group:NAME` (somebody of whom no more is known),
    or any user name. Given groups replace those that an account or a node would have, as under
    impersonation (WithImpersonation in k8s.io/apiserver endpoints/filters). Raises BadInput for an
    empty name.
    """
    given = tuple(groups)
    word, _, rest = text.partition(":")
    if not text or (word in ("user", "group") and not rest):
        raise BadInput("nobody is named", f"{text!r} has no name", "write NS/NAME or user:NAME")
    if word == "group":
        return Principal("", let_in((rest, *given)), "user")
    found = _named(rest if word == "user" else text, word == "user")
    if not given:
        return found
    if found.kind == "anonymous":
        return Principal(ANONYMOUS, tuple(dict.fromkeys((*given, UNAUTHENTICATED))), "anonymous")
    return Principal(found.username, let_in(given), found.kind)


def let_in(groups: Iterable[str]) -> tuple[str, ...]:
    """Groups with the one that all have who are authenticated; those who say that they are not do
    not get it.
    """
    given = tuple(dict.fromkeys(groups))
    if AUTHENTICATED in given or UNAUTHENTICATED in given:
        return given
    return (*given, AUTHENTICATED)


def _named(text: str, exact: bool) -> Principal:
    if text == ANONYMOUS:
        return anonymous()
    if text.startswith(NODE) and len(text) > len(NODE):
        return node(text.removeprefix(NODE))
    if text.startswith(ACCOUNT) and text.count(":") == 3:
        space, _, name = text.removeprefix(ACCOUNT).partition(":")
        if space and name:
            return account(space, name)
    space, slash, name = text.partition("/")
    if exact or not slash or not space or not name or "/" in name:
        return user(text)
    return node(name) if space == "node" else account(space, name)


def of_subject(subject: Subject) -> Principal:
    """Somebody who is what a binding names, and no more: the least that holds its grants."""
    if subject.kind == "ServiceAccount":
        return account(subject.namespace, subject.name)
    if subject.kind == "Group":
        return Principal("", let_in((subject.name,)), "user")
    return _named(subject.name, True)


def subject_key(subject: Subject) -> str:
    """Which key of a principal the subject matches; empty where it matches nobody: a subject
    without a name is stored by no API server, and a principal without one is any member of a group.
    """
    if not subject.name:
        return ""
    if subject.kind == "User":
        return f"u{subject.name}"
    if subject.kind == "Group":
        return f"g{subject.name}"
    if subject.kind == "ServiceAccount" and subject.namespace:
        return f"u{ACCOUNT}{subject.namespace}:{subject.name}"
    return ""


def keys(who: Principal) -> tuple[str, ...]:
    """What subjects of bindings are compared with: the user name and each group."""
    return (f"u{who.username}", *[f"g{group}" for group in dict.fromkeys(who.groups)])
