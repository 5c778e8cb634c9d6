"""The ports at which the kubelet asks pods of its own node how they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from martello.core.path import look_up
from martello.practices.network.learn.services import mappings
from martello.practices.network.model import Endpoint

_PROBES: Final = (
    ("livenessProbe",),
    ("readinessProbe",),
    ("startupProbe",),
    ("lifecycle", "postStart"),
    ("lifecycle", "preStop"),
)
_WAYS: Final = ("httpGet", "tcpSocket", "grpc")


def probed(endpoint: Endpoint) -> frozenset[int]:
    """The numbers of the TCP ports that a pod's probes and hooks name."""
    found: set[int] = set()
    for wanted in _wanted(endpoint):
        if isinstance(wanted, int):
            found.add(wanted)
        elif isinstance(wanted, str):
            found.update(p.number for p in endpoint.ports if p.name == wanted)
            if wanted.isdecimal() and len(wanted) < 6:
                found.add(int(wanted))
    return frozenset(found)


def _wanted(endpoint: Endpoint) -> Iterator[Any]:
    for key in ("containers", "initContainers"):
        for container in mappings(endpoint.resource.spec.get(key)):
            for path in _PROBES:
                for way in _WAYS:
                    yield look_up(container, (*path, way, "port"))
