"""Which requests a Gatekeeper constraint is about: `spec.match`.

Source: Gatekeeper's documentation of constraints and the order of its matchers. The old object
matches for the new one.
"""

from __future__ import annotations

from typing import Any

from martello.catalogue.policy.model import ConstraintMatch, Request
from martello.catalogue.policy.wildcard import covers
from martello.catalogue.policy.world import World
from martello.core.resource import strings
from martello.core.selector import matches


def matches_constraint(match: ConstraintMatch, request: Request, world: World) -> bool:
    """Whether the object or the old object is meant. Raises NotKnown for a namespace whose labels
    would decide and are not in view.
    """
    if match.generated:
        return False
    present = [o for o in (request.object, request.old) if o is not None]
    return any(_matches(match, request, raw, world) for raw in present)


def _matches(match: ConstraintMatch, request: Request, raw: dict[str, Any], world: World) -> bool:
    metadata = raw.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    return (
        _kind(match, request)
        and _scope(match, request)
        and _namespaces(match, request)
        and _name(match, metadata)
        and (match.labels is None or matches(dict(match.labels), strings(metadata.get("labels"))))
        and _namespace_labels(match, request, strings(metadata.get("labels")), world)
    )


def _kind(match: ConstraintMatch, request: Request) -> bool:
    if not match.kinds:
        return True
    return any(
        ("*" in groups or request.group in groups) and ("*" in kinds or request.kind in kinds)
        for groups, kinds in match.kinds
    )


def _scope(match: ConstraintMatch, request: Request) -> bool:
    in_cluster = request.is_namespace or not request.namespace
    if match.scope == "Cluster":
        return in_cluster
    return not in_cluster if match.scope == "Namespaced" else True


def _namespaces(match: ConstraintMatch, request: Request) -> bool:
    """A Namespace goes by its own name; cluster-scoped objects are always meant."""
    if not request.namespace:
        return True
    if any(covers(pattern, request.namespace) for pattern in match.excluded):
        return False
    wanted = match.namespaces
    return not wanted or any(covers(pattern, request.namespace) for pattern in wanted)


def _name(match: ConstraintMatch, metadata: dict[str, Any]) -> bool:
    if not match.name:
        return True
    name, prefix = metadata.get("name"), metadata.get("generateName")
    if isinstance(name, str) and name:
        return covers(match.name, name)
    return isinstance(prefix, str) and match.name.endswith("*") and covers(match.name, prefix)


def _namespace_labels(
    match: ConstraintMatch, request: Request, own: dict[str, str], world: World
) -> bool:
    if match.namespace_labels is None or not request.namespace:
        return True
    selector = dict(match.namespace_labels)
    if request.is_namespace:
        return matches(selector, own)
    return matches(selector, world.namespace_labels(request.namespace))
