"""Which requests a policy or a binding is about: rules, selectors, equivalent versions.

Source: the API server's matching of admission webhooks and policies (predicates rules, namespace,
object). Exclusions win; a namespace that nobody knows is an error only where the rules match.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from martello.catalogue.policy.match_gatekeeper import matches_constraint
from martello.catalogue.policy.match_kyverno import matches_filters
from martello.catalogue.policy.model import (
    ConstraintMatch,
    Constraints,
    Filters,
    Match,
    Request,
    Rule,
)
from martello.catalogue.policy.world import NotKnown, World
from martello.core.kinds import plural, table
from martello.core.resource import strings
from martello.core.selector import matches

_EXEMPT: Final = frozenset(
    f"{prefix}{word}"
    for prefix in ("Validating", "Mutating")
    for word in ("WebhookConfiguration", "AdmissionPolicy", "AdmissionPolicyBinding")
)
# Kinds whose versions differ by more than their apiVersion: the server converts them, we do not.
_RESHAPED: Final = frozenset(
    (
        "CustomResourceDefinition",
        "EndpointSlice",
        "Event",
        "FlowSchema",
        "HorizontalPodAutoscaler",
        "Ingress",
        "PriorityLevelConfiguration",
        "ResourceClaim",
        "ResourceClaimTemplate",
        "ResourceSlice",
    )
)
_MOVED: Final = ("apps", "extensions", "networking.k8s.io", "policy")


class Target(msgspec.Struct, frozen=True):
    """As what a request was matched: group, version and resource. `reshaped` where the server
    would convert the object in a way that is not done here.
    """

    group: str
    version: str
    resource: str
    reshaped: bool = False


def exempt(request: Request) -> bool:
    """Policies, their bindings and webhook configurations are judged by no policy."""
    return request.group == "admissionregistration.k8s.io" and request.kind in _EXEMPT


def select(match: Match, request: Request, world: World) -> Target | None:
    """As what the request matches, or None. Raises NotKnown where that hangs on what is not in
    view, MalformedSelector where a selector is none.
    """
    own = Target(request.group, request.version, request.resource)
    if isinstance(match, Filters):
        return own if matches_filters(match, request, world) else None
    if isinstance(match, ConstraintMatch):
        return own if matches_constraint(match, request, world) else None
    return _constraints(match, request, world)


def _constraints(match: Constraints, request: Request, world: World) -> Target | None:
    if match.namespace and match.namespace != request.namespace:
        return None
    unknown: NotKnown | None = None
    try:
        if not _namespace(match, request, world):
            return None
    except NotKnown as error:
        unknown = error
    if not _object(match, request):
        return None
    if _rules(match.exclude, match, request) is not None:
        return None
    found: Target | None = Target(request.group, request.version, request.resource)
    if match.rules:
        found = _rules(match.rules, match, request)
    if found is not None and unknown is not None:
        raise unknown
    return found


def _namespace(match: Constraints, request: Request, world: World) -> bool:
    if not request.namespace and not request.is_namespace:
        return True
    if is_empty(match.namespace_selector):
        return True
    if request.is_namespace and not request.subresource and request.operation != "DELETE":
        labels = labels_of(request.object)
        labels.setdefault("kubernetes.io/metadata.name", request.name)
    else:
        labels = world.namespace_labels(request.namespace)
    return matches(dict(match.namespace_selector), labels)


def _object(match: Constraints, request: Request) -> bool:
    if is_empty(match.object_selector):
        return True
    selector = dict(match.object_selector)
    present = [o for o in (request.object, request.old) if o is not None]
    return any(matches(selector, labels_of(o)) for o in present)


def _rules(rules: Iterable[Rule], match: Constraints, request: Request) -> Target | None:
    own = Target(request.group, request.version, request.resource)
    rules = tuple(rules)
    if any(_rule(rule, request, own) for rule in rules):
        return own
    if match.equivalent and rules:
        for other in equivalents(request):
            if any(_rule(rule, request, other) for rule in rules):
                return other
    return None


def _rule(rule: Rule, request: Request, target: Target) -> bool:
    return (
        _scope(rule.scope, request)
        and _named(rule.operations, request.operation)
        and _named(rule.groups, target.group)
        and _named(rule.versions, target.version)
        and any(_resource(r, target.resource, request.subresource) for r in rule.resources)
        and (not rule.names or request.name in rule.names)
    )


def _named(words: tuple[str, ...], word: str) -> bool:
    return word in words or "*" in words


def _scope(scope: str, request: Request) -> bool:
    in_cluster = request.is_namespace or not request.namespace
    if scope == "Cluster":
        return in_cluster
    return not in_cluster if scope == "Namespaced" else scope in ("*", "")


def _resource(text: str, resource: str, subresource: str) -> bool:
    """`*` alone covers no subresource; `pods/*` covers pods and all its subresources."""
    wanted, _, sub = text.partition("/")
    return wanted in ("*", resource) and sub in ("*", subresource)


def equivalents(request: Request) -> Iterator[Target]:
    """The other groups and versions under which the server keeps the same objects."""
    groups = _MOVED if request.group in _MOVED else (request.group,)
    for key in table().kinds:
        api, _, kind = key.rpartition("/")
        group, _, version = api.rpartition("/")
        if kind != request.kind or group not in groups:
            continue
        if (group, version) != (request.group, request.version):
            yield Target(group, version, plural(kind), kind in _RESHAPED)


def is_empty(selector: Any) -> bool:
    """Whether a selector selects everything."""
    return not (selector.get("matchLabels") or selector.get("matchExpressions"))


def labels_of(raw: dict[str, Any] | None) -> dict[str, str]:
    """The labels of an object."""
    metadata = (raw or {}).get("metadata")
    return strings(metadata.get("labels")) if isinstance(metadata, dict) else {}
