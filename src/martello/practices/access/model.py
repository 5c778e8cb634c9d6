"""The words of access: who asks, what is asked, what grants it, and the answer."""

from __future__ import annotations

from typing import Final

import msgspec

from martello.core.path import Path
from martello.core.resource import Resource

ACCOUNT: Final = "system:serviceaccount:"
MASTERS: Final = "system:masters"


class Principal(msgspec.Struct, frozen=True):
    """Who asks, as the authorizer sees it: a user name and the groups that authentication gave.

    `kind` is account, user, node or anonymous. Where `groups_known` is false (certificates, OIDC),
    grants to groups that are not listed may hold too.
    """

    username: str
    groups: tuple[str, ...] = ()
    kind: str = "user"
    groups_known: bool = True


class Request(msgspec.Struct, frozen=True):
    """One question to the authorizer: a verb on a resource, or on a path (`path` not empty).

    Every part is compared literally, as the API server does; an empty namespace is a request
    outside of every namespace.
    """

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""
    namespace: str = ""
    path: str = ""


class Grant(msgspec.Struct, frozen=True, eq=False):
    """Why a request is allowed: a subject of a binding, its role, and the rule that matches.

    `scope` is a namespace, or empty for the whole cluster. `rule_role` is the role in which the
    rule was written (another one where roles are aggregated).
    """

    binding: Resource
    subject: Path  # where the subject stands in the binding
    role: Resource
    rule_role: Resource
    rule: int
    scope: str = ""


class Answer(msgspec.Struct, frozen=True, eq=False):
    """`allowed`, `denied` or `unknown`: by which grants, or for which reasons.

    `nearest` are grants of a denied request that miss in one field, with that field's name.
    """

    verdict: str
    grants: tuple[Grant, ...] = ()
    because: tuple[str, ...] = ()
    nearest: tuple[tuple[Grant, str], ...] = ()
