"""A field that is null is an absent field: the API server drops it, and so do we."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from martello.core.cluster import Cluster
from martello.core.resource import Resource


def without_nulls(cluster: Cluster) -> Cluster:
    """The same objects, those that hold null fields copied without them."""
    encode = msgspec.json.Encoder().encode
    resources = tuple(
        Resource(_pruned(r.raw), r.ref, r.origin) if _has_null(r.raw, encode) else r
        for r in cluster.resources
    )
    if all(new is old for new, old in zip(resources, cluster.resources, strict=True)):
        return cluster
    return Cluster(
        resources,
        name=cluster.name,
        unlisted=cluster.unlisted,
        complete=cluster.complete,
        kubernetes=cluster.kubernetes,
        read=cluster.read,
    )


def _has_null(raw: Any, encode: Callable[[Any], bytes]) -> bool:
    """Whether there may be a null field; what has no JSON is looked through by `_pruned`."""
    try:
        return b":null" in encode(raw)
    except (OverflowError, UnicodeError, TypeError, ValueError):
        return True


def _pruned(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _pruned(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_pruned(item) for item in value]
    return value
