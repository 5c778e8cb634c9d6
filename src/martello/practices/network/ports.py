"""Ports as pods declare them, Services offer them and policies name them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from martello.core.path import Path
from martello.core.resource import Resource
from martello.core.workload import Container, Workload

_NAME: Final = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_ROLES: Final = frozenset(("regular", "sidecar", "init"))


def declared(workload: Workload) -> Iterator[tuple[Container, Path, dict[str, Any]]]:
    """Every port that a container of the pods declares, with its path."""
    for container in workload.containers:
        ports = container.raw.get("ports")
        for index, port in enumerate(ports if isinstance(ports, list) else ()):
            if isinstance(port, dict):
                yield container, (*container.path, "ports", index), port


def resolves(workloads: tuple[Workload, ...], port: object, protocol: str) -> bool:
    """Whether a container of these pods declares the port, by name or by number."""
    return (port, protocol) in _offers(workloads)


@lru_cache(maxsize=256)
def _offers(workloads: tuple[Workload, ...]) -> frozenset[tuple[object, str]]:
    """Every name and number that the pods declare, with its protocol."""
    found: set[tuple[object, str]] = set()
    for workload in workloads:
        for container, _, port in declared(workload):
            if container.role in _ROLES:
                for value in (port.get("name"), port.get("containerPort")):
                    if isinstance(value, str | int):
                        found.add((value, protocol_of(port)))
    return frozenset(found)


def service_ports(service: Resource) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The ports of a Service, with their paths."""
    ports = service.spec.get("ports")
    for index, port in enumerate(ports if isinstance(ports, list) else ()):
        if isinstance(port, dict):
            yield ("spec", "ports", index), port


def protocol_of(port: dict[str, Any]) -> str:
    """The protocol of a port: TCP unless said otherwise."""
    protocol = port.get("protocol")
    return protocol if isinstance(protocol, str) else "TCP"


def fault(port: object) -> str:
    """What the API server would say against a port number or name; empty where it takes it."""
    if isinstance(port, bool) or not isinstance(port, int | str):
        return "must be a number or a name"
    if isinstance(port, int):
        return "" if 1 <= port <= 65535 else "must be between 1 and 65535"
    if len(port) > 15:
        return "must have no more than 15 characters"
    if not re.fullmatch(_NAME, port, re.ASCII) or "--" in port:
        return "must consist of a-z, 0-9 and single hyphens inside"
    return "" if re.search("[a-z]", port) else "must contain a letter"
