"""LimitRange as the admission plug-in applies it: defaults first, then what it refuses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import permutations
from typing import Any, Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.path import Path
from martello.core.resource import Resource
from martello.practices.resources.amounts import Amounts, Malformed, Need, amounts, show, total

_MOST: Final = 4  # LimitRanges of one namespace whose orders are tried


class Item(msgspec.Struct, frozen=True):
    """One item of a LimitRange, with the defaults that the server derives."""

    owner: Resource
    type: str
    default: Amounts
    default_request: Amounts
    least: Amounts
    most: Amounts
    ratio: Amounts


class Complaint(msgspec.Struct, frozen=True):
    """Why a pod is refused, and where in the workload the cause lies (empty for the pod)."""

    path: Path
    text: str


def items(resource: Resource) -> tuple[Item, ...]:
    """The items of a LimitRange. For containers `max` is a default limit where there is none, and
    the default limit, or else `min`, a default request. Raises Malformed.
    """
    written = resource.spec.get("limits")
    if not isinstance(written, list):
        return ()
    return tuple(_item(resource, raw, index) for index, raw in enumerate(written))


def _item(resource: Resource, raw: Any, index: int) -> Item:
    path: Path = ("spec", "limits", index)
    if not isinstance(raw, dict) or not isinstance(raw.get("type"), str):
        raise Malformed(path, f"LimitRange {resource.ref.name}: an item has no type")
    read = {key: amounts(raw.get(key), (*path, key)) for key in _KEYS}
    default, request = read["default"], read["defaultRequest"]
    if raw["type"] == "Container":
        default = {**read["max"], **default}
        request = {**read["min"], **default, **request}
    ratio = read["maxLimitRequestRatio"]
    return Item(resource, raw["type"], default, request, read["min"], read["max"], ratio)


_KEYS: Final = ("default", "defaultRequest", "min", "max", "maxLimitRequestRatio")


@lru_cache(maxsize=256)
def ranges(cluster: Cluster, namespace: str) -> tuple[tuple[Item, ...], ...]:
    """The items of every LimitRange of a namespace. Raises Malformed."""
    return tuple(items(resource) for resource in cluster.of_kind("LimitRange", namespace))


def orders(found: Sequence[tuple[Item, ...]]) -> Iterator[tuple[tuple[Item, ...], ...]]:
    """Every order in which the server may apply them: it promises none."""
    if len(found) > _MOST:
        raise Malformed((), f"more than {_MOST} LimitRanges in one namespace")
    yield from permutations(found)


def defaulted(need: Need, order: Sequence[tuple[Item, ...]]) -> Need:
    """A container after the defaults were filled in; the first LimitRange to say something wins."""
    requests, limits = dict(need.requests), dict(need.limits)
    for found in order:
        for item in found:
            if item.type == "Container":
                limits = {**item.default, **limits}
                requests = {**item.default_request, **requests}
    return Need(need.name, need.path, need.init, requests, limits)


def complaints(needs: Sequence[Need], order: Sequence[tuple[Item, ...]]) -> list[Complaint]:
    """What the server says against a pod whose defaults are filled in."""
    found: list[Complaint] = []
    for need in needs:
        for name, limit in need.limits.items():
            if need.requests.get(name, 0) > limit:
                text = f"{name}: request {show(need.requests[name])} above limit {show(limit)}"
                found.append(Complaint(need.path, text))
    if found:
        return found
    for item in (item for group in order for item in group):
        where = f"LimitRange {item.owner.ref.name}"
        if item.type == "Container":
            for need in needs:
                for text in _against(item, need.requests, need.limits):
                    found.append(Complaint(need.path, f"{text} per container ({where})"))
        elif item.type == "Pod":
            parts = [n for n in needs if not n.init]
            init = [n for n in needs if n.init]
            requests = total((n.requests for n in parts), (n.requests for n in init), common=True)
            limits = total((n.limits for n in parts), (n.limits for n in init), common=True)
            for text in _against(item, requests, limits):
                found.append(Complaint((), f"{text} per pod ({where})"))
    return found


def _against(item: Item, requests: Amounts, limits: Amounts) -> Iterator[str]:
    for name, least in item.least.items():
        if name not in requests:
            yield f"{name}: a request of at least {show(least)} must be given"
        elif requests[name] < least:
            yield f"{name}: request {show(requests[name])} below the minimum {show(least)}"
        if name in limits and limits[name] < least:
            yield f"{name}: limit {show(limits[name])} below the minimum {show(least)}"
    for name, most in item.most.items():
        if name not in limits:
            yield f"{name}: a limit of at most {show(most)} must be given"
        elif limits[name] > most:
            yield f"{name}: limit {show(limits[name])} above the maximum {show(most)}"
        if name in requests and requests[name] > most:
            yield f"{name}: request {show(requests[name])} above the maximum {show(most)}"
    for name, ratio in item.ratio.items():
        request, limit = requests.get(name, 0), limits.get(name, 0)
        if not request or not limit:
            yield f"{name}: request and limit must be given, and not be 0"
        elif limit * 1000 > ratio * request:
            yield f"{name}: limit is more than {show(ratio)} times the request"
