"""The nouns of admission policies: three dialects, one model.

A `Policy` holds expressions, a `Binding` says where and how they count, a `Request` is what is
judged, a `Ruling` is what comes of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from martello.core.path import Path
from martello.core.resource import Location, Resource

KUBERNETES: Final = "kubernetes"
KYVERNO: Final = "kyverno"
GATEKEEPER: Final = "gatekeeper"

DENY: Final = "deny"
WARN: Final = "warn"
AUDIT: Final = "audit"
UNASSESSED: Final = "unassessed"


class User(msgspec.Struct, frozen=True):
    """Who asks. `roles` and `cluster_roles` are the names the user is bound to; None: not known."""

    username: str = ""
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = {}
    roles: tuple[str, ...] | None = None
    cluster_roles: tuple[str, ...] | None = None

    @property
    def known(self) -> bool:
        """Whether anybody was named at all."""
        return bool(self.username or self.groups or self.roles or self.cluster_roles)


class Request(msgspec.Struct, frozen=True, eq=False):
    """One admission request. `object` is null on DELETE, `old` on CREATE; `namespace` is empty for
    cluster-scoped kinds, and a Namespace's own name for itself.
    """

    operation: str
    group: str
    version: str
    resource: str
    kind: str
    name: str
    namespace: str
    object: dict[str, Any] | None
    old: dict[str, Any] | None = None
    subresource: str = ""
    user: User = User()
    options: dict[str, Any] | None = None
    dry_run: bool = False
    uid: str = ""

    @property
    def is_namespace(self) -> bool:
        """Whether it is about a Namespace object itself."""
        return self.kind == "Namespace" and self.group == ""

    @property
    def api_version(self) -> str:
        """apiVersion of the request's kind."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def any_object(self) -> dict[str, Any]:
        """The object, the old one on DELETE."""
        return self.object if self.object is not None else self.old or {}


class Rule(msgspec.Struct, frozen=True):
    """One resource rule: operations, groups, versions, resources (`pods`, `pods/exec`, `*/*`)."""

    operations: tuple[str, ...]
    groups: tuple[str, ...]
    versions: tuple[str, ...]
    resources: tuple[str, ...]
    scope: str = "*"
    names: tuple[str, ...] = ()


class Constraints(msgspec.Struct, frozen=True):
    """matchConstraints of a policy or matchResources of a binding. Without rules everything
    matches (a policy needs at least one; a binding does not).
    """

    rules: tuple[Rule, ...] = ()
    exclude: tuple[Rule, ...] = ()
    namespace_selector: Mapping[str, Any] = {}
    object_selector: Mapping[str, Any] = {}
    equivalent: bool = True
    namespace: str = ""  # namespaced policies of other dialects judge their own namespace only


class Filter(msgspec.Struct, frozen=True):
    """One block of Kyverno's match or exclude: everything given in it must hold."""

    kinds: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    annotations: Mapping[str, str] = {}
    selector: Mapping[str, Any] | None = None
    namespace_selector: Mapping[str, Any] | None = None
    subjects: tuple[tuple[str, str, str], ...] = ()  # kind, namespace, name
    roles: tuple[str, ...] = ()
    cluster_roles: tuple[str, ...] = ()


class Filters(msgspec.Struct, frozen=True):
    """Kyverno's match and exclude. `all_*`: every block must hold instead of any."""

    match: tuple[Filter, ...]
    exclude: tuple[Filter, ...] = ()
    all_match: bool = False
    all_exclude: bool = False
    namespace: str = ""


class ConstraintMatch(msgspec.Struct, frozen=True):
    """`spec.match` of a Gatekeeper constraint."""

    kinds: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = ()  # groups, kinds
    scope: str = "*"
    name: str = ""
    namespaces: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    labels: Mapping[str, Any] | None = None
    namespace_labels: Mapping[str, Any] | None = None
    generated: bool = False  # source: Generated, which no request from outside is


Match = Constraints | Filters | ConstraintMatch


class Named(msgspec.Struct, frozen=True):
    """A match condition, a variable or an audit annotation: a name, its expression and where the
    expression stands in the policy.
    """

    name: str
    expression: str
    path: Path


class Validation(msgspec.Struct, frozen=True):
    """One validation: true admits. `reason` is a StatusReason."""

    expression: str
    path: Path
    message: str = ""
    message_expression: str = ""
    reason: str = "Invalid"


class Policy(msgspec.Struct, frozen=True, eq=False):
    """A policy of any dialect. `template` says where the pod template lies that is judged in the
    place of the object (Kyverno's rules for pods, carried over to controllers).
    """

    name: str
    dialect: str
    resource: Resource
    match: Match
    validations: tuple[Validation, ...]
    variables: tuple[Named, ...] = ()
    conditions: tuple[Named, ...] = ()
    audit: tuple[Named, ...] = ()
    fail: bool = True
    param_kind: tuple[str, str] | None = None
    rule: str = ""
    template: Path = ()

    @property
    def title(self) -> str:
        """How messages call it: kind and name."""
        rule = f" rule '{self.rule}'" if self.rule else ""
        return f"{self.resource.ref.kind} '{self.name}'{rule}"


class ParamRef(msgspec.Struct, frozen=True):
    """Which parameter objects a binding names. `selector` is None where a name is given."""

    name: str = ""
    namespace: str = ""
    selector: Mapping[str, Any] | None = None
    deny_missing: bool = True


class Binding(msgspec.Struct, frozen=True, eq=False):
    """Where a policy counts (`match`; None: wherever the policy does) and what a denial does
    (`actions`: Deny, Warn, Audit). `parameters` are given in place, as Gatekeeper's constraints do.
    """

    name: str
    policy: str
    actions: tuple[str, ...] = ("Deny",)
    match: Match | None = None
    param_ref: ParamRef | None = None
    parameters: Mapping[str, Any] | None = None
    resource: Resource | None = None


class Ruling(msgspec.Struct, frozen=True):
    """What one policy says about one request. `action` is deny, warn, audit or unassessed; `code`
    the HTTP status of a denial; `expression` the text that was false.
    """

    policy: str
    binding: str
    action: str
    message: str
    reason: str = "Invalid"
    code: int = 422
    expression: str = ""
    where: Location | None = None
    error: bool = False  # not false, but failing: an error of the policy


_CODES: Final = {"Unauthorized": 401, "Forbidden": 403, "RequestEntityTooLarge": 413}
REASONS: Final = ("Invalid", *_CODES)


def code_of(reason: str) -> int:
    """The HTTP status of a reason."""
    return _CODES.get(reason, 422)
