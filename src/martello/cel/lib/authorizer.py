"""The authorizer library: checks are built in CEL; the caller's provider decides them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from martello.cel.lib.format import dns1123_label, dns1123_subdomain
from martello.cel.types import BOOL, STRING, Library, Overload, Type
from martello.cel.values import EvalError


class Decision:
    """What an authorizer decided; no opinion is not allowed."""

    __slots__ = ("allowed", "error", "reason")

    def __init__(self, allowed: bool, reason: str = "", error: str | None = None) -> None:
        self.allowed = allowed
        self.reason = reason
        self.error = error


class Attributes:
    """A request to be decided: a path or a resource; `user` None is the requester."""

    __slots__ = (
        "field_selector",
        "group",
        "label_selector",
        "name",
        "namespace",
        "path",
        "resource",
        "subresource",
        "user",
        "verb",
    )

    def __init__(self, user: str | None, *, path: str = "", group: str = "") -> None:
        self.user = user
        self.path = path
        self.group = group
        self.resource = ""
        self.subresource = ""
        self.namespace = ""
        self.name = ""
        self.field_selector = ""
        self.label_selector = ""
        self.verb = ""

    def but(self, field: str, value: str) -> Attributes:
        """A copy with one field changed."""
        copy = Attributes(self.user)
        for name in Attributes.__slots__:
            setattr(copy, name, getattr(self, name))
        setattr(copy, field, value)
        return copy


Provider = Callable[[Attributes], Decision]


class Authorizer:
    """The variable `authorizer`: who asks, and who decides (None: every check is an error)."""

    __slots__ = ("provider", "user")

    def __init__(self, provider: Provider | None = None, user: str | None = None) -> None:
        self.provider = provider
        self.user = user


class Check:
    """A request under construction."""

    __slots__ = ("attributes", "provider")

    def __init__(self, provider: Provider | None, attributes: Attributes) -> None:
        self.provider = provider
        self.attributes = attributes

    def decide(self, verb: str) -> Decision:
        """Ask the provider."""
        if self.provider is None:
            raise EvalError("nobody answers authorization checks here", needs="authorizer")
        return self.provider(self.attributes.but("verb", verb))


class PathCheck(Check):
    """A check of a path that is no resource."""

    __slots__ = ()


class GroupCheck(Check):
    """A check of which only the API group is known."""

    __slots__ = ()


class ResourceCheck(Check):
    """A check of a resource; also the variable `authorizer.requestResource`."""

    __slots__ = ()


def _path(asker: Authorizer, path: str) -> PathCheck:
    if not path.strip():
        raise EvalError("path must not be empty")
    return PathCheck(asker.provider, Attributes(asker.user, path=path))


def _group(asker: Authorizer, group: str) -> GroupCheck:
    return GroupCheck(asker.provider, Attributes(asker.user, group=group))


def _service_account(asker: Authorizer, namespace: str, name: str) -> Authorizer:
    if dns1123_subdomain(name):
        raise EvalError("invalid name of a service account")
    if dns1123_label(namespace):
        raise EvalError("invalid namespace of a service account")
    return Authorizer(asker.provider, f"system:serviceaccount:{namespace}:{name}")


def _resource(check: GroupCheck, resource: str) -> ResourceCheck:
    if not resource.strip():
        raise EvalError("resource must not be empty")
    return ResourceCheck(check.provider, check.attributes.but("resource", resource))


def _setting(name: str, id: str, field: str, cost: Callable[..., int] | None = None) -> Overload:
    def change(check: ResourceCheck, value: str) -> ResourceCheck:
        return ResourceCheck(check.provider, check.attributes.but(field, value))

    return Overload(name, id, (RESOURCE, STRING), RESOURCE, change, member=True, cost=cost)


def _check_cost(_check: Check, _verb: str, _result: Decision) -> int:
    return 350_000


def _selector_cost(_check: Check, selector: str, _result: Check) -> int:
    size = len(selector)
    return 10 + -(-size // 10) + 50 * -(-size // 2)


AUTHORIZER: Final = Type("kubernetes.authorization.Authorizer")
PATH: Final = Type("kubernetes.authorization.PathCheck")
GROUP: Final = Type("kubernetes.authorization.GroupCheck")
RESOURCE: Final = Type("kubernetes.authorization.ResourceCheck")
DECISION: Final = Type("kubernetes.authorization.Decision")
_TYPES: Final = (AUTHORIZER, PATH, GROUP, RESOURCE, DECISION)


def _member(
    name: str, id: str, params: tuple[Type, ...], result: Type, function: object
) -> Overload:
    return Overload(name, id, params, result, function, member=True)  # type: ignore[arg-type]


def _checking(id: str, kind: Type) -> Overload:
    return Overload(
        "check", id, (kind, STRING), DECISION, Check.decide, member=True, cost=_check_cost
    )


LIBRARY: Final = Library(
    "authorizer",
    (
        _member("path", "authorizer_path", (AUTHORIZER, STRING), PATH, _path),
        _member("group", "authorizer_group", (AUTHORIZER, STRING), GROUP, _group),
        _member(
            "serviceAccount",
            "authorizer_serviceaccount",
            (AUTHORIZER, STRING, STRING),
            AUTHORIZER,
            _service_account,
        ),
        _member("resource", "groupcheck_resource", (GROUP, STRING), RESOURCE, _resource),
        _setting("subresource", "resourcecheck_subresource", "subresource"),
        _setting("namespace", "resourcecheck_namespace", "namespace"),
        _setting("name", "resourcecheck_name", "name"),
        _setting("fieldSelector", "authorizer_fieldselector", "field_selector", _selector_cost),
        _setting("labelSelector", "authorizer_labelselector", "label_selector", _selector_cost),
        _checking("pathcheck_check", PATH),
        _checking("resourcecheck_check", RESOURCE),
        _member("allowed", "decision_allowed", (DECISION,), BOOL, lambda d: d.allowed),
        _member("reason", "decision_reason", (DECISION,), STRING, lambda d: d.reason),
        _member("errored", "decision_errored", (DECISION,), BOOL, lambda d: d.error is not None),
        _member("error", "decision_error", (DECISION,), STRING, lambda d: d.error or ""),
    ),
    since=27,
    types={kind.name: kind for kind in _TYPES},
    classes={
        Authorizer: AUTHORIZER,
        PathCheck: PATH,
        GroupCheck: GROUP,
        ResourceCheck: RESOURCE,
        Decision: DECISION,
    },
)
