"""Places that every rule treats alike, so that what holds for one holds for all of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Iterator
from typing import Final, Protocol

from martello.practices.network.model import (
    Address,
    Block,
    Endpoint,
    NamedPort,
    Node,
    Nodes,
    Place,
    Pods,
    Policies,
    Profile,
    Rule,
    World,
)

_TRIED: Final = 64  # members of a kind among which two are looked for


class Ruled(Protocol):
    """Places and the policies over them: a `Reach`."""

    @property
    def world(self) -> World:
        """The places."""
        ...

    @property
    def policies(self) -> Policies:
        """All policies."""
        ...

    @property
    def profile(self) -> Profile:
        """What the network plugin does."""
        ...

    def addresses(self, version: int) -> tuple[Address, ...]:
        """The intervals outside that rules tell apart."""
        ...


def _own(one: Place, other: Place) -> bool:
    """Whether the first is a node, and the second lies on it or is one too."""
    if not isinstance(one, Node):
        return False
    return isinstance(other, Node) or (isinstance(other, Endpoint) and other.node == one.name)


class Alike:
    """The kinds of places, numbered from 0. Two of one kind differ in nothing that a rule asks:
    namespace, the labels that some selector names, ports that some rule calls by name, the interval
    of their addresses, their node where that has its say.
    """

    __slots__ = ("_asks_pods", "_cuts", "_keys", "_members", "_node_keys", "_numbers", "_ports")

    def __init__(self, reach: Ruled) -> None:
        self._keys: set[str] = set()
        self._node_keys: set[str] = set()
        self._ports: set[str] = set()
        self._asks_pods = False
        blocks = False
        for policy in reach.policies.policies:
            self._ask(policy.subject)
            for rule in (*(policy.ingress or ()), *(policy.egress or ())):
                blocks |= self._ask_rule(rule, reach.profile)
        self._asks_pods = blocks
        self._cuts = {v: [one.first for one in reach.addresses(v)] for v in (4, 6)}
        self._numbers: dict[Hashable, int] = {}
        self._members: list[list[Place]] = []
        places: tuple[Place, ...] = (*reach.world.endpoints, *reach.world.nodes)
        for place in places:
            number = self._numbers.setdefault(self._key(place), len(self._members))
            if number == len(self._members):
                self._members.append([])
            self._members[number].append(place)

    def _ask(self, who: Pods) -> None:
        self._keys.update(requirement.key for requirement in who.pods.requirements)

    def _ask_rule(self, rule: Rule, profile: Profile) -> bool:
        blocks = False
        for who in rule.peers or ():
            if isinstance(who, Pods):
                self._ask(who)
            elif isinstance(who, Nodes):
                self._node_keys.update(one.key for one in who.nodes.requirements)
            elif isinstance(who, Block):
                match = profile.blocks_match_pods if who.pods is None else who.pods
                blocks |= match is not False
        self._ports.update(p.name for p in rule.ports or () if isinstance(p, NamedPort))
        return blocks

    def number(self, place: Place) -> int:
        """The kind of a place of this state."""
        return self._numbers[self._key(place)]

    def __len__(self) -> int:
        return len(self._members)

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
        ones, others = self._members[source][:_TRIED], self._members[destination][:_TRIED]
        for one in ones:
            for other in others:
                if one is not other and not _own(one, other) and not _own(other, one):
                    return one, other
        return None

    def _key(self, place: Place) -> Hashable:
        if isinstance(place, Node):
            labels = frozenset((k, v) for k, v in place.labels.items() if k in self._node_keys)
            return ("node", place.name, labels)
        if isinstance(place, Address):
            return place
        if place.host_network:
            return ("host", place.namespace, place.node, tuple(self._intervals(place)))
        return (
            place.namespace,
            frozenset((k, v) for k, v in place.labels.items() if k in self._keys),
            tuple(sorted((p.name, p.protocol, p.number) for p in place.ports if self._named(p))),
            tuple(self._intervals(place)) if self._asks_pods else len(place.addresses),
        )

    def _named(self, port: object) -> bool:
        return getattr(port, "name", "") in self._ports

    def _intervals(self, place: Endpoint) -> Iterator[tuple[int, int]]:
        for version, number in place.addresses:
            yield version, bisect_right(self._cuts[version], number)
