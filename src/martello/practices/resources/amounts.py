"""What containers ask for, in thousandths: the API server rounds every amount up to milli."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from martello.cel.lib.quantity import is_quantity, parse
from martello.core.defaults import quantity_text
from martello.core.path import Path
from martello.core.workload import Workload

Amounts = dict[str, int]  # resource name → thousandths


class Malformed(ValueError):
    """An amount that the API server would refuse; `path` is where it lies."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(reason)
        self.path = path


class Need(msgspec.Struct, frozen=True):
    """Requests and limits of one container; requests hold the limits where nothing else is said."""

    name: str
    path: Path
    init: bool
    requests: Amounts
    limits: Amounts


def amounts(value: Any, path: Path = ()) -> Amounts:
    """A mapping of resource names to quantities. Raises Malformed."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Malformed(path, "amounts are a mapping")
    found: Amounts = {}
    for name, raw in value.items():
        text = quantity_text(raw)
        if not isinstance(text, str) or not is_quantity(text):
            raise Malformed((*path, name), f"{name} is no quantity")
        found[name] = parse(text).ceil(-3)
        if found[name] < 0:
            raise Malformed((*path, name), f"{name} is negative")
    return found


def needs(workload: Workload) -> tuple[Need, ...]:
    """The needs of the containers that count: all but ephemeral ones. Raises Malformed."""
    found: list[Need] = []
    for container in workload.containers:
        if container.role == "ephemeral":
            continue
        resources = container.raw.get("resources")
        path = (*container.path, "resources")
        if not isinstance(resources, dict):
            raise Malformed(path, "resources is no mapping")
        limits = amounts(resources.get("limits"), (*path, "limits"))
        requests = amounts(resources.get("requests"), (*path, "requests"))
        init = container.role != "regular"
        found.append(Need(container.name, path, init, {**limits, **requests}, limits))
    return tuple(found)


def with_sidecars(workload: Workload) -> bool:
    """Whether init containers stay, or the pod has resources of its own: versions of Kubernetes
    differ in how these are added up.
    """
    return any(c.role == "sidecar" for c in workload.containers) or "resources" in workload.pod


def total(parts: Iterable[Amounts], init: Iterable[Amounts], *, common: bool = False) -> Amounts:
    """What a pod asks for: the sum over containers, or what one init container asks for if that is
    more. With `common` a resource counts only if every container names it.
    """
    listed = list(parts)
    names = {name for part in listed for name in part}
    if common:
        names = {name for name in names if all(name in part for part in listed)}
    found = {name: sum(part.get(name, 0) for part in listed) for name in names}
    for part in init:
        for name, amount in part.items():
            found[name] = max(found.get(name, 0), amount)
    return found


def show(milli: int) -> str:
    """An amount in plain decimals."""
    whole, rest = divmod(milli, 1000)
    return f"{milli}m" if rest else str(whole)
