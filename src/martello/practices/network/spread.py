"""How far a pod gets, hop by hop: what it can reach, what these can reach, and so on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from martello.core.reach import NONE, Conn, Ports, Reachability, conn
from martello.practices.network.addresses import name_of
from martello.practices.network.alike import Alike
from martello.practices.network.diff import Answers
from martello.practices.network.model import Endpoint, Place

HOPS: Final = 3
MOST_HOPS: Final = 64


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


class _Walk:
    """The kinds of places of a cluster, and which names have been reached."""

    __slots__ = ("_alike", "_answers", "_edge", "_names", "_reach", "_seen", "total")

    def __init__(self, reach: Answers, starts: Sequence[Place]) -> None:
        self._reach = reach
        self._alike = Alike(reach)
        self._answers: dict[tuple[int, int], Reachability] = {}
        everywhere: tuple[Place, ...] = (*reach.world.endpoints, *reach.world.nodes)
        # The kinds that a name has: pods of a workload may differ.
        self._names: dict[str, dict[int, Place]] = {}
        for place in everywhere:
            self._names.setdefault(name_of(place), {})[self._alike.number(place)] = place
        first = {name_of(place) for place in starts}
        self.total = len(self._names.keys() - first)
        self._seen: dict[str, bool] = dict.fromkeys(first, True)
        self._edge: dict[tuple[int, bool] | Place, _Step] = {
            place: (name_of(place), place, True) for place in starts
        }

    def step(self) -> tuple[Reached, ...]:
        """One hop from what the hop before reached first."""
        found: dict[str, Reached] = {}
        edge = sorted(self._edge.values(), key=lambda one: not one[2])
        pending = [pair for pair in self._names.items() if not self._seen.get(pair[0])]
        for via, place, sure in edge:
            answers: dict[int, Reachability] = {}
            for name, kinds in pending:
                known = found[name].sure if name in found else self._seen.get(name)
                if known or (known is False and not sure):
                    continue
                row = self._row(name, kinds, via, place, sure, answers)
                if row is not None and (row.sure or known is None):
                    found[name] = row
        self._seen.update({name: row.sure for name, row in found.items()})
        self._edge = self._next(found.values())
        return tuple(sorted(found.values(), key=lambda row: (not row.sure, row.place)))

    def _row(
        self,
        name: str,
        kinds: dict[int, Place],
        via: str,
        place: Place,
        sure: bool,
        answers: dict[int, Reachability],
    ) -> Reached | None:
        best: Reached | None = None
        for kind, there in kinds.items():
            if kind not in answers:
                answers[kind] = self._passes(place, kind)
            answer = answers[kind]
            yes, maybe = _heard(answer.yes, there), _heard(answer.maybe, there)
            if yes and sure:
                return Reached(name, via, yes, True)
            if best is None and (yes or maybe):
                best = Reached(name, via, yes | maybe, False)
        return best

    def _passes(self, place: Place, kind: int) -> Reachability:
        """What passes from a place to those of a kind; itself is none of them."""
        members = self._alike.members(kind)
        other = next((one for one in members if one is not place), None)
        return self._reach.verdict(place, other) if other is not None else Reachability(NONE)

    def _next(self, rows: Iterable[Reached]) -> dict[tuple[int, bool] | Place, _Step]:
        """One place for each kind that was reached, the sure ones first."""
        found: dict[tuple[int, bool] | Place, _Step] = {}
        for row in rows:
            for kind, place in self._names[row.place].items():
                found.setdefault((kind, row.sure), (row.place, place, row.sure))
        return found


_Step = tuple[str, Place, bool]


def _heard(passing: Conn, place: Place) -> Conn:
    """What of a set somebody listens on."""
    if not isinstance(place, Endpoint) or not place.ports:
        return passing
    declared = [Ports(p.protocol, p.number, p.number) for p in place.ports]
    return passing & conn(declared)
