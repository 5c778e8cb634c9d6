"""What a change of a policy opens beside the connection that it is meant for, found by trying."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

import msgspec
import numpy as np

from martello.core.path import Path
from martello.core.reach import ALL, NONE, Conn, Ports, conn
from martello.practices.network.addresses import name_of
from martello.practices.network.engine.classes import FAMILY
from martello.practices.network.engine.places import Spot, own_node
from martello.practices.network.engine.reach import Reach
from martello.practices.network.engine.rules import EGRESS, INGRESS
from martello.practices.network.engine.tiers import Member
from martello.practices.network.engine.trace import Question
from martello.practices.network.model import (
    Address,
    Block,
    Declared,
    Endpoint,
    NamedPort,
    Node,
    Place,
    Pods,
    Who,
)
from martello.practices.network.selectors import selects

_PAIRS: Final = 200  # kinds of pairs that are tried
_MOST: Final = 20_000  # pairs that are looked at
_SHOWN: Final = 3


class Change(msgspec.Struct, frozen=True, eq=False):
    """What is added to a policy, in words, and what it speaks of then: a peer (None: those that a
    rule has), and ports.
    """

    member: Member
    path: Path
    words: str
    who: Who | None
    peers: tuple[Who, ...] | None
    ports: tuple[Ports | NamedPort, ...] | None


class _Touched(msgspec.Struct, frozen=True, eq=False):
    """What a change touches: the subjects of its policy (their numbers among the endpoints), and
    whom it takes in by which families.
    """

    subjects: frozenset[int]
    others: dict[object, tuple[Place, tuple[int, ...]]]


def opened(reach: Reach, question: Question, change: Change, beside: Sequence[Change]) -> str:
    """The pairs that pass with a change and do not without it, but for the one that is meant;
    `beside` are the changes of the other direction, which are to be made as well.
    """
    meant = (name_of(question.mine.place), name_of(question.other.place))
    way = question.way
    trial = _Trial(reach, way, change, beside)
    found: list[tuple[Place, Place]] = []
    for mine, other in islice(trial.pairs(), _MOST):
        if (name_of(mine), name_of(other)) == meant or mine is other:
            continue
        opens = trial.opens(mine, other)
        if opens is None:
            return f"{len(_told(way, found))} pairs or more"
        if opens:
            found.append((mine, other))
    told = _told(way, found)
    more = len(told) - _SHOWN
    return ", ".join(told[:_SHOWN]) + (f" and {more} more" if more > 0 else "") or "nothing else"


def _told(way: str, found: Sequence[tuple[Place, Place]]) -> list[str]:
    """Each pair by names once, neighbouring addresses as one range."""
    joined: list[tuple[Place, Place]] = []
    for mine, other in found:
        before = joined[-1] if joined else (mine, mine)
        after = _after(before[1], other) if before[0] is mine else None
        if after is not None:
            joined[-1] = (mine, after)
        else:
            joined.append((mine, other))
    names = [(name_of(mine), name_of(other)) for mine, other in joined]
    return list(dict.fromkeys(" → ".join(n if way == EGRESS else n[::-1]) for n in names))


def _after(one: Place, other: Place) -> Address | None:
    """Two ranges that meet, as one."""
    if not isinstance(one, Address) or not isinstance(other, Address):
        return None
    if one.version != other.version or one.last + 1 != other.first:
        return None
    return Address(one.version, one.first, other.last)


class _Trial:
    """A change, tried on pairs; on those that all policies treat alike once."""

    __slots__ = (
        "_back",
        "_beside",
        "_change",
        "_known",
        "_numbers",
        "_reach",
        "_signs",
        "_touched",
        "_way",
    )

    def __init__(self, reach: Reach, way: str, change: Change, beside: Sequence[Change]) -> None:
        self._reach = reach
        self._way = way
        self._back = EGRESS if way == INGRESS else INGRESS
        self._change = change
        self._touched = _touched(reach, way, change)
        self._beside = [(one, _touched(reach, self._back, one)) for one in beside]
        self._known: dict[object, bool] = {}
        self._signs: dict[object, tuple[Spot, int]] = {}
        self._numbers: dict[tuple[object, ...], int] = {}

    def pairs(self) -> Iterator[tuple[Place, Place]]:
        """A subject of the policy with every place that the changed part of it takes in."""
        endpoints = self._reach.world.endpoints
        for at in sorted(self._touched.subjects):
            for other, _ in self._touched.others.values():
                yield endpoints[at], other

    def opens(self, mine: Place, other: Place) -> bool | None:
        """Whether a pair passes only with the change; None where enough was tried."""
        (here, one), (there, two) = self._signed(mine), self._signed(other)
        versions = tuple(
            v for v in self._touched.others[_key(other)][1] if here.families & FAMILY[v]
        )
        besides = tuple(self._added(here, there, version) for version in versions)
        declared = self._declared(mine, other)
        alike = (one, two, declared, own_node(here, there), versions, besides)
        if alike not in self._known:
            if len(self._known) >= _PAIRS:
                return None
            self._known[alike] = any(
                self._gains(here, there, version, added)
                for version, added in zip(versions, besides, strict=True)
            )
        return self._known[alike]

    def _signed(self, place: Place) -> tuple[Spot, int]:
        """A place in the engine, and a number that places have in common if policies do not tell
        them apart.
        """
        key = _key(place)
        found = self._signs.get(key)
        if found is None:
            spot = self._reach.spot(place)
            number = self._numbers.setdefault(_sign(spot), len(self._numbers))
            found = self._signs[key] = (spot, number)
        return found

    def _declared(self, mine: Place, other: Place) -> tuple[Declared, ...]:
        """The ports that the destination declares."""
        destination = mine if self._way == INGRESS else other
        return destination.ports if isinstance(destination, Endpoint) else ()

    def _added(self, mine: Spot, other: Spot, version: int) -> Conn:
        """What the other end lets through more by the changes beside this one."""
        found = NONE
        for change, touched in self._beside:
            taken = touched.others.get(_key(mine.place), (None, ()))[1]
            if other.at in touched.subjects and version in taken:
                ports = _ports_at(change.ports, self._declared(mine.place, other.place))
                found |= ports & self._reach.at_best(self._back, other, mine, version)
        return found

    def _gains(self, mine: Spot, other: Spot, version: int, added: Conn) -> bool:
        """Whether ports of the changed rule pass only with it: ordered policies still apply, and
        those of the other end.
        """
        reach, way = self._reach, self._way
        ports = _ports_at(self._change.ports, self._declared(mine.place, other.place))
        now = reach.one_way(way, mine, other, version)[1]
        gained = (ports & reach.at_best(way, mine, other, version)) - now
        return bool(gained & (reach.one_way(self._back, other, mine, version)[1] | added))


def _touched(reach: Reach, way: str, change: Change) -> _Touched:
    groups = reach.state.groups[way]
    serial = change.member.serial
    held = [any(code >> 1 == serial for code in key.codes) for key in groups.keys]
    base = reach.state.universe.base
    subjects = np.flatnonzero(np.array(held)[groups.of[base]] & (base >= 0)).tolist()
    found = {_key(place): (place, versions) for place, versions in _others(reach, change)}
    return _Touched(frozenset(subjects), found)


def _others(reach: Reach, change: Change) -> Iterator[tuple[Place, tuple[int, ...]]]:
    """Whom the changed part of a rule takes in, by which families."""
    who = change.who
    if isinstance(who, Pods):
        for pod in reach.inside(who.namespace):
            if not pod.host_network and selects(who.pods, pod.labels):
                yield pod, _families(reach.spot(pod))
        return
    if isinstance(who, Block):
        hosts = [one for one in reach.world.endpoints if one.host_network]
        places: tuple[Endpoint | Node, ...] = (*hosts, *reach.world.nodes)
        for place in places:
            if (who.version, who.first) in place.addresses:
                yield place, (who.version,)
        yield Address(who.version, who.first, who.last), (who.version,)
        return
    marks = np.full(reach.state.universe.columns.count, change.peers is None)
    for one in change.peers or ():
        marks[reach.state.columns_of(one)[1]] = True
    outside = [one for version in FAMILY for one in reach.addresses(version)]
    every: tuple[Place, ...] = (*reach.world.endpoints, *reach.world.nodes, *outside)
    for place_ in every:
        spot = reach.spot(place_)
        taken = tuple(v for v in _families(spot) if marks[spot.columns[v]].any())
        if taken:
            yield place_, taken


def _key(place: Place) -> object:
    return place if isinstance(place, Address) else id(place)


def _families(spot: Spot) -> tuple[int, ...]:
    return tuple(version for version, bit in FAMILY.items() if spot.families & bit)


def _sign(spot: Spot) -> tuple[object, ...]:
    """What makes places alike to all policies."""
    columns = (str(spot.columns[version]) for version in FAMILY)
    return (*spot.groups.values(), *columns, spot.families)


def _ports_at(ports: tuple[Ports | NamedPort, ...] | None, declared: Sequence[Declared]) -> Conn:
    """The ports that a rule names, as a destination has them."""
    if ports is None:
        return ALL
    named = [
        Ports(one.protocol, one.number, one.number)
        for port in ports
        for one in declared
        if isinstance(port, NamedPort)
        and (port.name, port.protocol or one.protocol) == (one.name, one.protocol)
    ]
    return conn([*(port for port in ports if isinstance(port, Ports)), *named])
