"""Which packages of a lock file a project needs when it runs, and which only to develop it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from martello.core.package import Package


def reach(needs: Mapping[str, Iterable[str]], roots: Iterable[str]) -> set[str]:
    """All nodes that can be reached from the roots, and the roots."""
    found = set(roots)
    todo = list(found)
    while todo:
        for node in needs.get(todo.pop(), ()):
            if node not in found:
                found.add(node)
                todo.append(node)
    return found


def node(one: Package) -> str:
    """The node of a package in a graph."""
    return f"{one.name}@{one.version}"


def mark_dev(packages: Iterable[Package], needed: set[str]) -> tuple[Package, ...]:
    """The packages; those that are not needed are development dependencies."""
    return tuple(
        one
        if one.dev == (node(one) not in needed)
        else msgspec.structs.replace(one, dev=not one.dev)
        for one in packages
    )
