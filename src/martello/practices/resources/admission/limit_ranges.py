"""LimitRange as the admission plug-in applies it: defaults first, then what it refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import permutations
from typing import Any, Final, TypeVar

import msgspec

from martello.core.cluster import Cluster
from martello.core.path import Path
from martello.core.resource import Resource
from martello.practices.resources.admission import versions
from martello.practices.resources.admission.totals import (
    Level,
    levelled,
    limits_of,
    requests_of,
    shared,
    summed,
)
from martello.practices.resources.amounts import Amounts, Malformed, Need, divided, read, text

_MOST: Final = 4  # LimitRanges of one namespace whose orders are tried
_KEYS: Final = ("default", "defaultRequest", "min", "max", "maxLimitRequestRatio")
_MILLI: Final = (2**63 - 1) // 1000 * 1000  # beyond it the server compares whole units


class Item(msgspec.Struct, frozen=True):
    """One item of a LimitRange, with the defaults that the server derives."""

    owner: Resource
    path: Path
    type: str
    default: Amounts
    default_request: Amounts
    least: Amounts
    most: Amounts
    ratio: Amounts


T = TypeVar("T")
Range = tuple[Item, ...]  # the items of one LimitRange


class Complaint(msgspec.Struct, frozen=True):
    """What the server says against an object: `path` is where the cause lies in it (empty for the
    whole), `by` and `at` where the rule is written.
    """

    path: Path
    text: str
    by: Resource
    at: Path


def items(resource: Resource) -> Range:
    """The items of a LimitRange. For containers `max` is a default limit where there is none, and
    the default limit, or else `min`, a default request. Amounts may be negative: the server lets
    them. Raises Malformed.
    """
    written = resource.spec.get("limits")
    if written is None:
        return ()
    if not isinstance(written, list):
        raise Malformed(("spec", "limits"), "limits is no list")
    return tuple(_item(resource, raw, index) for index, raw in enumerate(written))


def _item(resource: Resource, raw: Any, index: int) -> Item:
    path: Path = ("spec", "limits", index)
    if not isinstance(raw, dict) or not isinstance(raw.get("type"), str):
        raise Malformed(path, f"LimitRange {resource.ref.name}: an item has no type")
    given = {key: read(raw.get(key), (*path, key)) for key in _KEYS}
    default, request = given["default"], given["defaultRequest"]
    if raw["type"] == "Container":
        default = {**given["max"], **default}
        request = {**given["min"], **default, **request}
    ratio = given["maxLimitRequestRatio"]
    return Item(resource, path, raw["type"], default, request, given["min"], given["max"], ratio)


def ranges(cluster: Cluster, namespace: str) -> tuple[Range, ...]:
    """The items of every LimitRange of a namespace. Raises Malformed."""
    known = _ranges(cluster)
    if namespace not in known:
        listed = cluster.of_kind("LimitRange", namespace)
        known[namespace] = tuple(at_home(resource, items) for resource in listed)
    return known[namespace]


@lru_cache(maxsize=2)
def _ranges(cluster: Cluster) -> dict[str, tuple[Range, ...]]:
    """What was read of a cluster: it never changes."""
    return {}


def at_home(resource: Resource, reader: Callable[[Resource], T]) -> T:
    """What a reader makes of an object; where it is Malformed, the reason tells where that is."""
    try:
        return reader(resource)
    except Malformed as error:
        where = resource.locate(error.path)
        raise Malformed(error.path, f"{resource.ref.local} ({where}): {error}") from error


def orders(found: Sequence[Range]) -> Iterator[tuple[Range, ...]]:
    """Every order in which the server may apply them: it promises none. Raises Malformed."""
    if len(found) > _MOST:
        raise Malformed((), f"more than {_MOST} LimitRanges in one namespace")
    yield from permutations(found)


def defaulted(need: Need, order: Sequence[Range]) -> Need:
    """A container after the defaults were filled in; the first LimitRange to say something wins."""
    requests, limits = need.requests, need.limits
    for found in order:
        for item in found:
            if item.type == "Container":
                limits = {**item.default, **limits}
                requests = {**item.default_request, **requests}
    return Need(need.name, need.path, need.role, requests, limits)


def complaints(
    needs: Sequence[Need], found: Range, kubernetes: int, level: Level | None = None
) -> list[Complaint]:
    """What one LimitRange says against a pod whose defaults are filled in."""
    told: list[Complaint] = []
    for item in found:
        if item.type == "Container":
            for need in needs:
                for words, key in _against(item, need.requests, need.limits):
                    told.append(Complaint(need.path, words, item.owner, (*item.path, key)))
        elif item.type == "Pod":
            requests, limits = _together(needs, kubernetes, level)
            for words, key in _against(item, requests, limits):
                told.append(Complaint((), words, item.owner, (*item.path, key)))
    return told


def claim_complaints(requests: Amounts, found: Range) -> list[Complaint]:
    """What one LimitRange says against a PersistentVolumeClaim with these requests."""
    told: list[Complaint] = []
    for item in found:
        if item.type != "PersistentVolumeClaim":
            continue
        listed = list(_below(item, requests, {}))
        for name, most in item.most.items():
            head = f"maximum {name} usage per {item.type} is {text(most)}"
            if name not in requests:
                listed.append((f"{head}.  No request is specified", "max"))
            elif _above(requests[name], most):
                listed.append((f"{head}, but request is {text(requests[name])}", "max"))
        path = ("spec", "resources")
        told += (Complaint(path, words, item.owner, (*item.path, key)) for words, key in listed)
    return told


def _together(
    needs: Sequence[Need], kubernetes: int, level: Level | None
) -> tuple[Amounts, Amounts]:
    if kubernetes < versions.ANY_CONTAINER:
        return shared(needs, requests_of), shared(needs, limits_of)
    requests = summed(needs, requests_of, kubernetes)
    limits = summed(needs, limits_of, kubernetes)
    if level is not None and kubernetes >= versions.POD_LEVEL:
        return levelled(requests, level.requests), levelled(limits, level.limits)
    return requests, limits


def _above(one: int, other: int, third: int = 0) -> bool:
    """Whether the first amount is more than the second, as the server compares them."""
    if one <= _MILLI and other <= _MILLI and third <= _MILLI:
        return one > other
    return -(-one // 1000) > -(-other // 1000)


def _below(item: Item, requests: Amounts, limits: Amounts) -> Iterator[tuple[str, str]]:
    for name, least in item.least.items():
        request, limit = requests.get(name), limits.get(name)
        if request is None:
            told = ".  No request is specified"
        elif _above(least, request, limit or 0):
            told = f", but request is {text(request)}"
        elif limit is not None and _above(least, limit, request):
            told = f", but limit is {text(limit)}"
        else:
            continue
        yield f"minimum {name} usage per {item.type} is {text(least)}{told}", "min"


def _against(item: Item, requests: Amounts, limits: Amounts) -> Iterator[tuple[str, str]]:
    """The server's words, and the key of the item that they are about."""
    yield from _below(item, requests, limits)
    for name, most in item.most.items():
        request, limit = requests.get(name), limits.get(name)
        if limit is None:
            told = ".  No limit is specified"
        elif _above(limit, most, request or 0):
            told = f", but limit is {text(limit)}"
        elif request is not None and _above(request, most, limit):
            told = f", but request is {text(request)}"
        else:
            continue
        yield f"maximum {name} usage per {item.type} is {text(most)}{told}", "max"
    for name, ratio in item.ratio.items():
        words = _ratio(item, name, ratio, requests.get(name, 0), limits.get(name, 0))
        if words:
            yield words, "maxLimitRequestRatio"


def _ratio(item: Item, name: str, ratio: int, request: int, limit: int) -> str:
    """The server divides floating-point numbers here, so this does."""
    head = f"{name} max limit to request ratio per {item.type} is {text(ratio)}"
    if not request:
        return f"{head}, but no request is specified or request is 0"
    if not limit:
        return f"{head}, but no limit is specified or limit is 0"
    if max(request, limit, ratio) > _MILLI:
        request, limit = -(-request // 1000), -(-limit // 1000)
    given = divided(limit, request)
    if given * 1000 <= divided(ratio, 1):
        return ""
    return f"{head}, but provided ratio is {given:f}"
