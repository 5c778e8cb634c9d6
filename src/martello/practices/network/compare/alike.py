"""Places that every rule treats alike, so that what holds for one holds for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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

    __slots__ = ("_cells", "_members", "_numbers")

    def __init__(self, reach: Sorted, beside: Sorted | None = None) -> None:
        """With another state beside it, a kind holds pods of one kind there, too."""
        there = dict(_cells(beside)) if beside is not None else {}
        numbers: dict[tuple[int, int], int] = {}
        self._members: list[list[Place]] = []
        self._cells: list[int] = []
        self._numbers: dict[int, int] = {}
        for endpoint, (key, cell) in zip(reach.world.endpoints, _cells(reach), strict=True):
            number = numbers.setdefault((cell, there.get(key, -1)), len(numbers))
            if number == len(self._members):
                self._members.append([])
                self._cells.append(cell)
            self._numbers[id(endpoint)] = number
            self._members[number].append(endpoint)
        for node in reach.world.nodes:
            self._numbers[id(node)] = len(self._members)
            self._members.append([node])

    def __len__(self) -> int:
        return len(self._members)

    def number(self, place: Place) -> int:
        """The kind of a place of this very world."""
        return self._numbers[id(place)]

    def cell(self, number: int) -> int | None:
        """The cell of a kind of endpoints."""
        return self._cells[number] if number < len(self._cells) else None

    def members(self, number: int) -> list[Place]:
        """The places of a kind."""
        return self._members[number]

    def place(self, number: int) -> Place:
        """Some place of a kind."""
        return self._members[number][0]

    def pair(self, source: int, destination: int) -> tuple[Place, Place] | None:
        """Two different places of two kinds, neither of them the other's own node: these always
        reach each other. None where there are no such two, or both are nodes.
        """
        for one in self._members[source][:_TRIED]:
            for other in self._members[destination][:_TRIED]:
                if isinstance(one, Node) and isinstance(other, Node):
                    return None
                if one is not other and not own(one, other) and not own(other, one):
                    return one, other
        return None


def _cells(reach: Sorted) -> Iterator[tuple[str, int]]:
    for endpoint, cell in zip(reach.world.endpoints, reach.cells.of, strict=True):
        yield endpoint.key, int(cell)


def own(one: Place, other: Place) -> bool:
    """Whether the first is a node, or on the network of one, and the second a pod there."""
    if not isinstance(other, Endpoint) or other.host_network:
        return False
    if isinstance(one, Node):
        return other.node == one.name
    return isinstance(one, Endpoint) and one.host_network and "" != one.node == other.node
