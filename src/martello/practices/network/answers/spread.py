"""How far a pod gets, hop by hop: what it can reach, what these can reach, and so on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from martello.core.reach import NONE, Conn, Ports, Reachability, conn
from martello.practices.network.addresses import name_of
from martello.practices.network.compare.alike import Alike, own
from martello.practices.network.compare.diff import Answers
from martello.practices.network.model import Endpoint, Node, Place

HOPS: Final = 3
MOST_HOPS: Final = 64
_TRIED: Final = 64


class Reached(msgspec.Struct, frozen=True):
    """One place that a hop reaches first. `sure`: every step on the way surely passes. `by` is what
    passes on the last step, from `via`; ports are those the place declares, where it declares any.
    """

    place: str
    via: str
    by: Conn
    sure: bool


class Hop(msgspec.Struct, frozen=True):
    """The places reached first after so many hops, counted from 1. One that was reached perhaps is
    told again where a longer way surely leads there.
    """

    number: int
    reached: tuple[Reached, ...]


class Spread(msgspec.Struct, frozen=True):
    """The hops from some places; empty ones are left out. `sure` and `maybe` count the workloads
    and nodes reached, `total` all of them but the first.
    """

    source: str
    hops: tuple[Hop, ...]
    sure: int
    maybe: int
    total: int


def spread(reach: Answers, source: Place | Sequence[Place], hops: int = HOPS) -> Spread:
    """What may be reached from a place, or from the pods of a workload. A place is only reached on
    a port that it declares; one that declares none, on any.

    Kinds of places are walked, not places: all of one kind are treated alike.
    """
    starts = (source,) if isinstance(source, Place) else tuple(source)
    walk = _Walk(reach, starts)
    rounds = min(max(hops, 0), MOST_HOPS)
    found = [Hop(n, rows) for n in range(1, rounds + 1) if (rows := walk.step())]
    names = {row.place: row.sure for hop in found for row in hop.reached}
    return Spread(
        ", ".join(dict.fromkeys(map(name_of, starts))),
        tuple(found),
        sum(names.values()),
        sum(not sure for sure in names.values()),
        walk.total,
    )


_Step = tuple[str, Place, bool]  # a name, one of its places, whether it is surely reached
_Shape = tuple[tuple[int, frozenset[tuple[str, int]]], ...]  # kinds and the ports they declare


class _Walk:
    """The names of a cluster by what tells them apart, and which of them have been reached."""

    __slots__ = (
        "_alike",
        "_edge",
        "_here",
        "_last",
        "_own",
        "_places",
        "_reach",
        "_seen",
        "_shapes",
        "total",
    )

    def __init__(self, reach: Answers, starts: Sequence[Place]) -> None:
        self._reach = reach
        self._alike = Alike(reach)
        everywhere: tuple[Place, ...] = (*reach.world.endpoints, *reach.world.nodes)
        self._places: dict[str, list[Place]] = {}
        self._here: dict[str, list[Place]] = {}  # by node
        for place in everywhere:
            self._places.setdefault(name_of(place), []).append(place)
            if node := _node(place):
                self._here.setdefault(node, []).append(place)
        self._own: dict[tuple[int, int], Reachability] = {}
        self._shapes: dict[_Shape, list[str]] = {}
        for name, places in self._places.items():
            kinds = {(self._alike.number(place), _ports(place)) for place in places}
            shape = tuple(sorted(kinds, key=lambda kind: (kind[0], sorted(kind[1]))))
            self._shapes.setdefault(shape, []).append(name)
        first = {name_of(place) for place in starts}
        self.total = len(self._places.keys() - first)
        self._seen: dict[str, bool] = dict.fromkeys(first, True)
        self._edge: list[_Step] = [(name_of(place), place, True) for place in starts]
        self._last = list(self._edge)

    def step(self) -> tuple[Reached, ...]:
        """One hop from what the hop before reached first."""
        found: dict[str, Reached] = {}
        for row in self._beside():
            self._keep(found, row)
        for shape, names in self._shapes.items():
            waiting = [name for name in names if not self._seen.get(name)]
            if waiting:
                self._by_rules(found, shape, waiting)
        self._seen.update({name: row.sure for name, row in found.items()})
        self._last = [
            (row.place, place, row.sure)
            for row in found.values()
            for place in self._places[row.place]
        ]
        edge = {(self._alike.number(one[1]), one[2]): one for one in reversed(self._last)}
        self._edge = sorted(edge.values(), key=lambda one: not one[2])
        return tuple(sorted(found.values(), key=lambda row: (not row.sure, row.place)))

    def _keep(self, found: dict[str, Reached], row: Reached) -> None:
        """A row for what was not reached so surely before."""
        known = self._seen.get(row.place)
        before = found.get(row.place)
        if known or (known is False and not row.sure) or (before and before.sure >= row.sure):
            return
        found[row.place] = row

    def _beside(self) -> Iterator[Reached]:
        """A pod and its own node, or what is on the network of it: no NetworkPolicy comes between
        them, a cluster-wide policy may.
        """
        for via, place, sure in self._last:
            for other in self._here.get(_node(place), ()):
                if _is_node(place) != _is_node(other):
                    answer = self._between(place, other)
                    ports = _ports(other)
                    yes, maybe = _heard(answer.yes, ports), _heard(answer.maybe, ports)
                    if yes or maybe:
                        surely = bool(yes) and sure
                        by = yes if surely else yes | maybe
                        yield Reached(name_of(other), via, by, surely)

    def _between(self, place: Place, other: Place) -> Reachability:
        """What passes between a pod and its own node, asked once for all that are alike."""
        key = self._alike.number(place), self._alike.number(other)
        found = self._own.get(key)
        if found is None:
            found = self._own[key] = self._reach.verdict(place, other)
        return found

    def _by_rules(self, found: dict[str, Reached], shape: _Shape, names: list[str]) -> None:
        for via, place, sure in self._edge:
            for kind, ports in shape:
                answer = self._passes(place, kind)
                yes, maybe = _heard(answer.yes, ports), _heard(answer.maybe, ports)
                if yes or maybe:
                    surely = bool(yes) and sure
                    by = yes if surely else yes | maybe
                    for name in names:
                        self._keep(found, Reached(name, via, by, surely))
                    if surely:
                        return

    def _passes(self, place: Place, kind: int) -> Reachability:
        """What the rules let pass from a place to others of a kind."""
        for other in self._alike.members(kind)[:_TRIED]:
            if other is not place and not own(place, other) and not own(other, place):
                return self._reach.verdict(place, other)
        return Reachability(NONE)


def _node(place: Place) -> str:
    if isinstance(place, Node):
        return place.name
    return place.node if isinstance(place, Endpoint) else ""


def _is_node(place: Place) -> bool:
    return isinstance(place, Node) or (isinstance(place, Endpoint) and place.host_network)


def _ports(place: Place) -> frozenset[tuple[str, int]]:
    declared = place.ports if isinstance(place, Endpoint) else ()
    return frozenset((port.protocol, port.number) for port in declared)


def _heard(passing: Conn, ports: frozenset[tuple[str, int]]) -> Conn:
    """What of a set somebody listens on, all of it where nothing is declared."""
    if not ports:
        return passing
    return passing & conn([Ports(protocol, number, number) for protocol, number in ports])
