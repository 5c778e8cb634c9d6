"""Places that every rule treats alike, so that what holds for one holds for all of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

from martello.practices.network.model import Endpoint, Node, Place, World

_TRIED: Final = 64  # members of a kind among which two are looked for


class Celled(Protocol):
    """The cell of each endpoint: nothing tells those of one apart."""

    @property
    def of(self) -> Iterable[int]:
        """By endpoint, in the order of the world."""
        ...


class Sorted(Protocol):
    """Places in cells: a `Reach`."""

    @property
    def world(self) -> World:
        """The places."""
        ...

    @property
    def cells(self) -> Celled:
        """The cells of its endpoints."""
        ...


class Alike:
    """The kinds of the places of one state, numbered from 0: cells of endpoints, and each node by
    itself.
    """

    __slots__ = ("_members", "_numbers")

    def __init__(self, reach: Sorted) -> None:
        cells = [int(cell) for cell in reach.cells.of]
        self._members: list[list[Place]] = [[] for _ in range(max(cells, default=-1) + 1)]
        self._numbers: dict[int, int] = {}
        for endpoint, cell in zip(reach.world.endpoints, cells, strict=True):
            self._numbers[id(endpoint)] = cell
            self._members[cell].append(endpoint)
        for node in reach.world.nodes:
            self._numbers[id(node)] = len(self._members)
            self._members.append([node])

    def __len__(self) -> int:
        return len(self._members)

    def number(self, place: Place) -> int:
        """The kind of a place of this very world."""
        return self._numbers[id(place)]

    def members(self, number: int) -> list[Place]:
        """The places of a kind."""
        return self._members[number]

    def place(self, number: int) -> Place:
        """Some place of a kind."""
        return self._members[number][0]

    def pair(self, source: int, destination: int) -> tuple[Place, Place] | None:
        """Two different places of two kinds, neither the other's own node: these always reach each
        other. None where there are no such two, or both are nodes.
        """
        for one in self._members[source][:_TRIED]:
            for other in self._members[destination][:_TRIED]:
                if one is not other and not _own(one, other) and not _own(other, one):
                    return one, other
        return None


def _own(one: Place, other: Place) -> bool:
    """Whether the first is a node, and the second lies on it or is one too."""
    if not isinstance(one, Node):
        return False
    return isinstance(other, Node) or (isinstance(other, Endpoint) and other.node == one.name)
