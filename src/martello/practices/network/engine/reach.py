"""The analyser: what passes between two places, between all of them, and after a change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
import numpy as np

from martello.core.cluster import Cluster
from martello.core.errors import BadInput
from martello.core.reach import ALL, NONE, Conn, Reachability
from martello.core.resource import Ref, Resource
from martello.practices.network.dialects.read import read
from martello.practices.network.engine.changes import next_state
from martello.practices.network.engine.classes import FAMILY
from martello.practices.network.engine.edits import Before, Source, edited
from martello.practices.network.engine.outside import outside
from martello.practices.network.engine.pairs import Block, Cells, Pairs, cells
from martello.practices.network.engine.places import Columns, Spot, Spots, is_itself, own_node
from martello.practices.network.engine.rules import EGRESS, INGRESS, Grid
from martello.practices.network.engine.state import WAYS, State, first_state
from martello.practices.network.engine.totals import Count, count, table
from martello.practices.network.engine.trace import WITHOUT_PORTS, Question, doubts
from martello.practices.network.model import (
    Address,
    Endpoint,
    Place,
    Policies,
    Profile,
    World,
)
from martello.practices.network.world import world as world_of

_PLAIN: Final = Profile()
EVERYTHING: Final = Reachability(ALL)
NOTHING: Final = Reachability(NONE)
BY_FAMILY: Final = "IPv4 and IPv6 differ"
Words = tuple[int, ...]


class Reach:
    """What passes between the places of one state of a cluster. Nothing of it changes."""

    __slots__ = (
        "_cells",
        "_conns",
        "_source",
        "_spaces",
        "_spots",
        "extra",
        "policies",
        "profile",
        "state",
        "world",
    )

    def __init__(
        self,
        state: State,
        policies: Policies,
        source: Source | None = None,
        extra: tuple[Endpoint, ...] = (),
    ) -> None:
        self.state = state
        self.world = state.world
        self.profile = state.profile
        self.policies = policies
        self._source = source
        self.extra = extra
        self._spots = Spots(state)
        self._cells: Cells | None = None
        self._spaces: dict[str, list[Endpoint]] | None = None
        self._conns: dict[tuple[Words, Words], Reachability] = {}

    @property
    def cluster(self) -> Cluster | None:
        """The objects it was made of; None where it was made of places in memory."""
        return None if self._source is None else self._source.cluster

    @property
    def notes(self) -> tuple[str, ...]:
        """Why some answers are unknown."""
        return (*self.world.notes, *self.policies.notes)

    def verdict(self, source: Place, destination: Place, family: int = 0) -> Reachability:
        """What passes from one place to another by IPv4 (4), IPv6 (6), or the families that both
        have (0: what passes by one of them only is `maybe`). The port is the destination's own,
        after Services. Raises BadInput for a place of another world.
        """
        out, to = self._spots.find(source), self._spots.find(destination)
        if is_itself(out, to):
            return EVERYTHING
        shared = [v for v, bit in FAMILY.items() if out.families & to.families & bit]
        planes = [self._masks(out, to, version) for version in ((family,) if family else shared)]
        if not planes:
            return NOTHING
        (sure, perhaps), *more = planes
        for least, most in more:
            sure = tuple(a & b for a, b in zip(sure, least, strict=True))
            perhaps = tuple(a | b for a, b in zip(perhaps, most, strict=True))
        found = self._reachability(sure, perhaps)
        return self._explained(found, planes, out, to) if found.maybe else found

    def apply(self, changed: Sequence[Resource] = (), removed: Sequence[Ref] = ()) -> Reach:
        """The analyser after objects were added, replaced (same Ref) or removed: equal to one made
        from nothing, but only rows of groups are made that a changed policy selects or that the
        change made. Raises BadInput where this one was not made of a cluster.
        """
        if self._source is None:
            raise BadInput("nothing to change", "the analyser was made of places, not of a cluster")
        edit = edited(
            Before(self._source, self.world, self.policies, self.profile, self.extra),
            changed,
            removed,
        )
        state = next_state(self.state, edit.world, edit.policies)
        return Reach(state, edit.policies, edit.source, self.extra)

    def ready(self) -> Reach:
        """This one, with every row made: else each is made when it is first asked for."""
        for way in WAYS:
            self.state.rows(way)
        return self

    def addresses(self, version: int) -> tuple[Address, ...]:
        """The intervals of addresses of a family that rules tell apart, without those of pods,
        Services and nodes as far as their ranges are known.
        """
        return outside(self.state, version)

    def count(self) -> Count:
        """How many pairs of endpoints there are, and between how many something passes."""
        return count(self.state)

    def matrix(
        self, by: str = "namespace", *, every: bool = False
    ) -> Iterator[tuple[str, str, Reachability]]:
        """(source, destination, what passes) by `namespace` or `workload`: between some pair of
        their endpoints, or with `every` between each pair; no row where nothing does. No pod is
        asked about itself.
        """
        for source, destination, sure, perhaps in table(self.state, by, every=every):
            yield source, destination, self._reachability(sure, perhaps)

    def blocks(self) -> Iterator[tuple[slice, Block, Block]]:
        """All pairs of cells (`cells`): runs of destinations with bounds of what passes from every
        cell to them, [words, destinations, sources], by the rules alone.
        """
        yield from Pairs(self.state, self.cells).blocks()

    @property
    def cells(self) -> Cells:
        """The endpoints that nothing tells apart."""
        if self._cells is None:
            self._cells = cells(self.state)
        return self._cells

    def _masks(self, out: Spot, to: Spot, family: int) -> tuple[Words, Words]:
        state = self.state
        rows = state.own if own_node(out, to) else state.row
        egress = rows(EGRESS, out.groups[EGRESS])
        ingress = rows(INGRESS, to.groups[INGRESS])
        there, here = to.columns[family], out.columns[family]
        sure = _both(_low(egress.sure, there), _low(ingress.sure, here))
        if egress.decided and ingress.decided and isinstance(there, int) and isinstance(here, int):
            return sure, sure
        return sure, _both(_high(egress.perhaps, there), _high(ingress.perhaps, here))

    def _explained(
        self, found: Reachability, planes: Sequence[tuple[Words, Words]], out: Spot, to: Spot
    ) -> Reachability:
        """With the reasons of the doubt, which are only looked for where there is one."""
        because: dict[str, None] = {}
        if any(most[0] & 2 and not sure[0] & 1 for sure, most in planes):
            because[WITHOUT_PORTS] = None
        if any(plane != planes[0] for plane in planes):
            because[BY_FAMILY] = None
        if found.maybe.ranges:
            because.update(dict.fromkeys(self._doubts(out, to)))
        return msgspec.structs.replace(found, because=tuple(because))

    def _doubts(self, out: Spot, to: Spot) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for family, bit in FAMILY.items():
            for way, mine, other in ((EGRESS, out, to), (INGRESS, to, out)):
                row = self.state.row(way, mine.groups[way])
                if row.decided or not out.families & to.families & bit:
                    continue
                asked = Question(way, mine, other, family, "", 0)
                found.update(dict.fromkeys(doubts(self.state, asked)))
        return tuple(found)

    def one_way(self, way: str, mine: Spot, other: Spot, family: int) -> tuple[Conn, Conn]:
        """What the policies of one end alone let through, surely and at most, in one direction."""
        rows = self.state.own if own_node(mine, other) else self.state.row
        row = rows(way, mine.groups[way])
        columns = other.columns[family]
        found = self._reachability(_low(row.sure, columns), _high(row.perhaps, columns))
        return found.yes, found.yes | found.maybe

    def at_best(self, way: str, mine: Spot, other: Spot, family: int) -> Conn:
        """What one end could let through in one direction, were every NetworkPolicy to allow it."""
        row = self.state.own(way, mine.groups[way])
        words = _high(row.perhaps, other.columns[family])
        return self.state.universe.names.ports.conn(words, bool(words[0] & 2))

    def inside(self, namespace: str) -> Sequence[Endpoint]:
        """The endpoints of a namespace."""
        if self._spaces is None:
            self._spaces = {}
            for endpoint in self.world.endpoints:
                self._spaces.setdefault(endpoint.namespace, []).append(endpoint)
        return self._spaces.get(namespace, ())

    def spot(self, place: Place) -> Spot:
        """How the engine sees a place. Raises BadInput for a place of another world."""
        return self._spots.find(place)

    def _reachability(self, sure: Words, perhaps: Words) -> Reachability:
        found = self._conns.get((sure, perhaps))
        if found is None:
            found = self._conns[(sure, perhaps)] = self._conn(sure, perhaps)
        return found

    def _conn(self, sure: Words, perhaps: Words) -> Reachability:
        atoms = self.state.universe.names.ports
        yes = atoms.conn(sure, bool(sure[0] & 1))
        most: Conn = atoms.conn(perhaps, bool(perhaps[0] & 2))
        return Reachability(yes, most - yes)


def _low(row: Grid, columns: Columns) -> Words:
    if isinstance(columns, int):
        return tuple(row[:, columns].tolist())
    return tuple(np.bitwise_and.reduce(row[:, columns], axis=1).tolist())


def _high(row: Grid, columns: Columns) -> Words:
    if isinstance(columns, int):
        return tuple(row[:, columns].tolist())
    return tuple(np.bitwise_or.reduce(row[:, columns], axis=1).tolist())


def _both(one: Words, other: Words) -> Words:
    return tuple(a & b for a, b in zip(one, other, strict=True))


def reach_of(world: World, policies: Policies, profile: Profile = _PLAIN) -> Reach:
    """The analyser of places and policies in memory."""
    return Reach(first_state(world, policies, profile), policies)


def reach(cluster: Cluster, profile: Profile = _PLAIN, *, extra: Sequence[Endpoint] = ()) -> Reach:
    """The analyser of a cluster; `extra` are endpoints that are not in it. Their namespaces, where
    they are not here either, have unknown labels.
    """
    places = world_of(cluster, profile)
    if extra:
        places = msgspec.structs.replace(places, endpoints=(*places.endpoints, *extra))
    policies = read(cluster, profile)
    return Reach(first_state(places, policies, profile), policies, Source(cluster), tuple(extra))
