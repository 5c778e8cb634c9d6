"""Which requests a rule of a Kyverno ClusterPolicy is about: match and exclude blocks.

Source: Kyverno's documentation of "Selecting Resources". Inside a block everything that is given
must hold, one element of each list is enough; without user information, blocks that name users
exclude nothing and restrict nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from martello.catalogue.policy.model import Filter, Filters, Request
from martello.catalogue.policy.wildcard import covers, has_wildcard
from martello.catalogue.policy.world import NotKnown, World
from martello.core.path import look_up
from martello.core.resource import strings
from martello.core.selector import MalformedSelector, matches

_VERSION: Final = r"\*|v\d+(?:(?:alpha|beta)\d+)?"


def matches_filters(filters: Filters, request: Request, world: World) -> bool:
    """Whether the rule applies. Raises NotKnown where roles or a namespace's labels decide that are
    not in view.
    """
    if filters.namespace and filters.namespace != request.namespace:
        return False
    every = all if filters.all_match else any
    if not every([_holds(f, request, world, excluding=False) for f in filters.match]):
        return False
    if not filters.exclude:
        return True
    every = all if filters.all_exclude else any
    return not every([_holds(f, request, world, excluding=True) for f in filters.exclude])


def _holds(block: Filter, request: Request, world: World, *, excluding: bool) -> bool:
    if block == Filter():
        return False
    return (
        _kinds(block, request)
        and _operation(block, request)
        and _names(block, request)
        and _labels(block, request, world)
        and _users(block, request, excluding)
    )


def _operation(block: Filter, request: Request) -> bool:
    return not block.operations or request.operation in block.operations


def _kinds(block: Filter, request: Request) -> bool:
    return not block.kinds or any(_kind(text, request) for text in block.kinds)


def _kind(text: str, request: Request) -> bool:
    group, version, kind, subresource = parse_kind(text)
    # A rule for Pods is also one for the ephemeral containers that are added to them.
    own = "" if request.subresource == "ephemeralcontainers" else request.subresource
    return (
        covers(kind, request.kind)
        and covers(version, request.version)
        and covers(group, request.group)
        and (covers(subresource, request.subresource) or covers(subresource, own))
    )


def parse_kind(text: str) -> tuple[str, str, str, str]:
    """Group, version, kind and subresource of `Kind`, `v1/Kind`, `group/v1/Kind`, each with
    `/subresource` (or, as it used to be, `Kind.subresource`) or without.
    """
    if text == "*":
        return "*", "*", "*", ""
    parts = text.split("/")
    group = version = "*"
    if len(parts) > 2 and re.fullmatch(_VERSION, parts[1]):
        group, version, *parts = parts
    elif len(parts) > 1 and re.fullmatch(_VERSION, parts[0]):
        version, *parts = parts
    kind, _, subresource = parts[0].partition(".")
    return group, version, kind, "/".join(parts[1:]) or subresource


def _names(block: Filter, request: Request) -> bool:
    name = request.name or look_up(request.any_object, ("metadata", "generateName")) or ""
    if block.names and not any(covers(p, str(name)) for p in block.names):
        return False
    if not block.namespaces:
        return True
    return any(covers(p, request.namespace) for p in block.namespaces)


def _labels(block: Filter, request: Request, world: World) -> bool:
    metadata = request.any_object.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    annotations = strings(metadata.get("annotations"))
    for key, value in block.annotations.items():
        if not any(covers(key, k) and covers(value, v) for k, v in annotations.items()):
            return False
    labels = strings(metadata.get("labels"))
    if block.selector is not None and not selects(block.selector, labels):
        return False
    if block.namespace_selector is None or request.is_namespace:
        return True
    namespace = request.namespace
    return selects(block.namespace_selector, world.namespace_labels(namespace) if namespace else {})


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """A label selector in which keys and values of matchLabels may be patterns: such a pair stands
    for the first label that fits.
    """
    plain: dict[str, Any] = {}
    wanted = selector.get("matchLabels") or {}
    if not isinstance(wanted, dict):
        raise MalformedSelector("matchLabels is a mapping")
    for key, value in wanted.items():
        if has_wildcard(key) or (isinstance(value, str) and has_wildcard(value)):
            pairs = labels.items()
            if not any(covers(key, k) and covers(str(value), v) for k, v in pairs):
                return False
        else:
            plain[key] = value
    return matches({**selector, "matchLabels": plain}, labels)


def _users(block: Filter, request: Request, excluding: bool) -> bool:
    if not (block.subjects or block.roles or block.cluster_roles):
        return True
    user = request.user
    if not user.known:
        named = block == Filter(
            subjects=block.subjects, roles=block.roles, cluster_roles=block.cluster_roles
        )
        return not excluding and not named
    held_roles = (
        ("role", block.roles, user.roles),
        ("clusterRole", block.cluster_roles, user.cluster_roles),
    )
    for word, wanted, held in held_roles:
        if wanted and held is None:
            raise NotKnown(f"the {word}s of {user.username} are unknown")
        if wanted and not set(wanted) & set(held or ()):
            return False
    return not block.subjects or any(_subject(s, request) for s in block.subjects)


def _subject(subject: tuple[str, str, str], request: Request) -> bool:
    kind, namespace, name = subject
    user = request.user
    if kind == "ServiceAccount":
        return covers(f"system:serviceaccount:{namespace}:{name}", user.username)
    if kind == "Group":
        return any(covers(name, group) for group in user.groups)
    return kind == "User" and covers(name, user.username)
