"""Requests that were made, asked again: of the cluster as it is, and of one that was changed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.access.answers import Access, access
from martello.practices.access.model import Answer, Request
from martello.practices.access.uses import Use

# What the RBAC authorizer writes as its reason; names are quoted as Go quotes them.
_REASON: Final = re.compile(
    r'RBAC: allowed by (ClusterRoleBinding|RoleBinding) "((?:[^"\\]|\\.)*)" of (\w+) "'
)


class Explained(msgspec.Struct, frozen=True, eq=False):
    """A request of a use with what the cluster says of it."""

    use: Use
    request: Request
    answer: Answer


class Replay(msgspec.Struct, frozen=True, eq=False):
    """How a cluster answers what was used: how many requests, and those that it does not allow."""

    replayed: int
    denied: tuple[Explained, ...] = ()
    unknown: tuple[Explained, ...] = ()


class Disagreement(msgspec.Struct, frozen=True):
    """A use that the authorizer allowed by a grant that we do not list for it, or that we deny."""

    use: Use
    said: str  # by the authorizer; empty: it is not annotated
    ours: str


def explained(found: Access, uses: Iterable[Use]) -> Iterator[Explained]:
    """Every request of every use, with all its grants."""
    for use in uses:
        for request in use.requests:
            yield Explained(use, request, found.why(use.principal, request))


def replay(cluster: Cluster, uses: Iterable[Use]) -> Replay:
    """Asks a cluster for everything that was used."""
    found = access(cluster)
    denied: list[Explained] = []
    unknown: list[Explained] = []
    count = 0
    for use in uses:
        for request in use.requests:
            count += 1
            answer = found.can(use.principal, request)
            if answer.verdict != "allowed":
                into = denied if answer.verdict == "denied" else unknown
                into.append(Explained(use, request, answer))
    return Replay(count, tuple(denied), tuple(unknown))


def binding_of(reason: str) -> tuple[str, str, str] | None:
    """Kind, namespace and name of the binding that an authorizer's reason names; None where it
    names none (an administrator's group, another authorizer).
    """
    match = _REASON.match(reason)
    if match is None:
        return None
    kind, name = match[1], re.sub(r"\\(.)", r"\1", match[2])
    if kind == "ClusterRoleBinding":
        return kind, "", name
    name, _, space = name.rpartition("/")  # a namespace has no slash, the name of a binding none
    return kind, space, name


def named(resource: Resource) -> tuple[str, str, str]:
    """A binding as `binding_of` names it."""
    return resource.ref.kind, resource.ref.namespace, resource.ref.name
