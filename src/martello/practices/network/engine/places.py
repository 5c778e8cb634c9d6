"""A place as the engine sees it: the groups that speak for it and the columns it is asked by."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from martello.core.errors import BadInput
from martello.practices.network.addresses import name_of
from martello.practices.network.engine.classes import FAMILY
from martello.practices.network.engine.rules import EGRESS, INGRESS
from martello.practices.network.engine.state import State
from martello.practices.network.model import Address, Endpoint, Node, Place

Columns = int | NDArray[np.intp]  # an interval of addresses may have several


class Spot(msgspec.Struct, frozen=True, eq=False):
    """A place found: groups by direction (0 is unrestricted), columns by family, families."""

    place: Place
    groups: dict[str, int]
    columns: dict[int, Columns]
    families: int
    at: int  # its number among endpoints, then nodes; -1 for addresses
    node: str  # the node it runs on, or is
    is_node: bool


class Spots:
    """Finds places; each is looked up once."""

    __slots__ = ("_at", "_found", "_keys", "_state")

    def __init__(self, state: State) -> None:
        self._state = state
        places = (*state.world.endpoints, *state.world.nodes)
        self._at = {id(place): at for at, place in enumerate(places)}
        self._keys: dict[tuple[type, str], int] | None = None
        self._found: dict[int, Spot] = {}

    def find(self, place: Place) -> Spot:
        """Where a place is. Raises BadInput for one of another world."""
        found = self._found.get(id(place))
        if found is not None and found.place is place:
            return found
        if isinstance(place, Address):
            return self._address(place)
        found = self._found[id(place)] = self._spot(place)
        return found

    def _spot(self, place: Endpoint | Node) -> Spot:
        state, at = self._state, self._number(place)
        universe = state.universe
        groups = {INGRESS: 0, EGRESS: 0}
        is_node = isinstance(place, Node) or place.host_network
        base = -1 if isinstance(place, Node) else int(universe.base[at])
        if base >= 0:
            groups = {way: int(state.groups[way].of[base]) for way in groups}
        return Spot(
            place,
            groups,
            {version: int(columns[at]) for version, columns in universe.column.items()},
            int(universe.families[at]),
            at,
            place.name if isinstance(place, Node) else place.node,
            is_node,
        )

    def _number(self, place: Endpoint | Node) -> int:
        at = self._at.get(id(place))
        if at is not None:
            return at
        if self._keys is None:
            world = self._state.world
            self._keys = {(Endpoint, e.key): n for n, e in enumerate(world.endpoints)}
            first = len(world.endpoints)
            self._keys.update({(Node, n.name): first + i for i, n in enumerate(world.nodes)})
        key = place.name if isinstance(place, Node) else place.key
        at = self._keys.get((type(place), key))
        if at is None:
            raise BadInput(f"{name_of(place)} is not in this cluster", "it was read elsewhere")
        return at

    def _address(self, place: Address) -> Spot:
        universe = self._state.universe
        atoms = universe.names.lines[place.version].of([(place.first, place.last)])
        columns = universe.address[place.version] + atoms
        found: Columns = int(columns[0]) if len(columns) == 1 else columns
        return Spot(
            place,
            {INGRESS: 0, EGRESS: 0},
            {4: found, 6: found},
            FAMILY[place.version],
            -1,
            "",
            False,
        )


def own_node(one: Spot, other: Spot) -> bool:
    """Whether one of two places is a pod and the other the node that it runs on."""
    return one.node != "" and one.node == other.node and one.is_node != other.is_node


def is_itself(one: Spot, other: Spot) -> bool:
    """Whether two places are one thing, which always reaches itself: not the pods of a workload."""
    if one.at < 0 or one.at != other.at:
        return False
    return isinstance(one.place, Node) or is_one(one.place)


def is_one(place: Place) -> bool:
    """Whether an endpoint is one pod, not the pods of a workload."""
    return isinstance(place, Endpoint) and (bool(place.pod) or place.kind == "Pod")
