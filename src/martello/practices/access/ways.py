"""Attack paths as checks are told of them: `paths`, above the practices, finds them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from martello.core.check import Hit
from martello.core.cluster import Cluster
from martello.core.path import Path
from martello.core.resource import Ref


class Way(msgspec.Struct, frozen=True):
    """A class of paths: the check that it is for, the object to blame, and its steps in words.

    `begin` is the foothold of the path that is shown; `severity` is its own.
    """

    check: str
    ref: Ref
    path: Path
    begin: str
    message: str
    severity: str
    steps: tuple[str, ...] = ()


def hits(cluster: Cluster, ways: Iterable[Way], check: str) -> Iterator[Hit]:
    """The hits of one of the checks."""
    for way in ways:
        if way.check != check:
            continue
        ref = way.ref
        resource = cluster.get(ref.group_kind, ref.namespace, ref.name)
        if resource is not None:
            yield Hit(resource, way.path, way.message, way.begin, way.steps, way.severity)
