"""From edges to what is allowed: a list of peers and ports for each workload and direction."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from martello.practices.network.learn.model import (
    NODE,
    OUTSIDE,
    WORKLOAD,
    Edge,
    Key,
    Options,
    Party,
)

INGRESS: Final = "Ingress"
EGRESS: Final = "Egress"
Port = tuple[str, int]  # protocol, number


class Group(msgspec.Struct, frozen=True, order=True):
    """A workload's pods as a peer."""

    key: Key


class Labelled(msgspec.Struct, frozen=True, order=True):
    """Pods of one namespace that share a label; an empty label is the whole namespace."""

    namespace: str
    label: tuple[str, str] | None = None


class Everyone(msgspec.Struct, frozen=True, order=True):
    """All pods of the cluster; nothing outside it."""


class Host(msgspec.Struct, frozen=True, order=True):
    """A node."""

    node: str


class Outside(msgspec.Struct, frozen=True, order=True):
    """Outside addresses that were seen: all their numbers, and of some the names by which they
    were known.
    """

    version: int
    numbers: tuple[int, ...]
    named: tuple[tuple[int, tuple[str, ...]], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Every name, sorted."""
        return tuple(sorted({name for _, held in self.named for name in held}))

    @property
    def nameless(self) -> tuple[int, ...]:
        """The addresses without a name."""
        known = {number for number, _ in self.named}
        return tuple(number for number in self.numbers if number not in known)


class Anywhere(msgspec.Struct, frozen=True, order=True):
    """Every address outside the cluster; only where it was asked for."""


Peers = Group | Labelled | Everyone | Host | Outside | Anywhere


class Allowed(msgspec.Struct, frozen=True):
    """One rule: some peers on the same ports."""

    peers: tuple[Peers, ...]
    ports: tuple[Port, ...]


class Plan(msgspec.Struct, frozen=True):
    """What each workload may receive and send, and the namespaces that deny the rest.

    `free` are workloads without evidence that nothing shall isolate.
    """

    namespaces: tuple[str, ...]
    ingress: dict[Key, tuple[Allowed, ...]]
    egress: dict[Key, tuple[Allowed, ...]]
    free: tuple[Key, ...] = ()


class Draft:
    """Peers by workload, direction and port, while they are collected."""

    def __init__(self) -> None:
        self.peers: dict[str, dict[Key, dict[Peers, set[Port]]]] = {INGRESS: {}, EGRESS: {}}
        self.outside: dict[str, dict[Key, dict[tuple[int, Port], dict[int, set[str]]]]] = {
            INGRESS: {},
            EGRESS: {},
        }

    def subject(self, key: Key) -> None:
        """A workload that is governed, whatever it is allowed."""
        for direction in (INGRESS, EGRESS):
            self.peers[direction].setdefault(key, {})
            self.outside[direction].setdefault(key, {})

    def allow(self, direction: str, key: Key, peer: Peers, port: Port) -> None:
        """One peer on one port."""
        self.peers[direction][key].setdefault(peer, set()).add(port)

    def allow_address(
        self, direction: str, key: Key, party: Party, port: Port, names: Iterable[str]
    ) -> None:
        """One outside address on one port."""
        held = self.outside[direction][key].setdefault((party.version, port), {})
        held.setdefault(party.address, set()).update(names)


def plan(
    edges: Iterable[Edge],
    subjects: Iterable[Key],
    options: Options,
) -> Draft:
    """Collects what edges need at those of their ends that are subjects."""
    draft = Draft()
    governed = set(subjects)
    for key in sorted(governed):
        draft.subject(key)
    anyone = set(options.internet)
    for edge in edges:
        port = (edge.protocol, edge.port)
        source, destination = edge.source, edge.destination
        if destination.workload in governed and destination.workload is not None:
            if source.kind == OUTSIDE and str(destination.workload) in anyone:
                draft.allow(INGRESS, destination.workload, Anywhere(), port)
            else:
                _allow(draft, INGRESS, destination.workload, source, port, edge, options)
        if source.workload in governed and source.workload is not None:
            _allow(draft, EGRESS, source.workload, destination, port, edge, options)
    return draft


def _allow(
    draft: Draft,
    direction: str,
    key: Key,
    party: Party,
    port: Port,
    edge: Edge,
    options: Options,
) -> None:
    if party.kind == OUTSIDE:
        names = edge.names if direction == EGRESS else ()
        draft.allow_address(direction, key, party, port, names)
    elif party.kind == NODE:
        draft.allow(direction, key, Host(party.node), port)
    elif party.kind == WORKLOAD and party.workload is not None:
        peer: Peers = Group(party.workload)
        if options.by_namespace:
            peer = Labelled(party.workload.namespace)
        draft.allow(direction, key, peer, port)


def settled(draft: Draft, namespaces: Iterable[str], free: Iterable[Key]) -> Plan:
    """The collected peers as rules: peers with equal ports share one, in a stable order."""
    found: dict[str, dict[Key, tuple[Allowed, ...]]] = {}
    for direction, subjects in draft.peers.items():
        found[direction] = {}
        for key, peers in subjects.items():
            ports = _without_repeats(peers)
            for (version, port), numbers in draft.outside[direction][key].items():
                named = ((n, tuple(sorted(names))) for n, names in sorted(numbers.items()) if names)
                outside = Outside(version, tuple(sorted(numbers)), tuple(named))
                ports.setdefault(outside, set()).add(port)
            shared: dict[tuple[Port, ...], list[Peers]] = {}
            for peer, held in ports.items():
                shared.setdefault(tuple(sorted(held)), []).append(peer)
            found[direction][key] = tuple(
                Allowed(tuple(sorted(members, key=_order)), held)
                for held, members in sorted(shared.items(), key=lambda s: (s[0], _first(s[1])))
            )
    return Plan(tuple(sorted(namespaces)), found[INGRESS], found[EGRESS], tuple(sorted(free)))


def _without_repeats(peers: dict[Peers, set[Port]]) -> dict[Peers, set[Port]]:
    """Pods are not named again for ports that all pods may use."""
    common = peers.get(Everyone(), set())
    found: dict[Peers, set[Port]] = {}
    for peer, held in peers.items():
        left = held - common if isinstance(peer, Group | Labelled) else set(held)
        if left:
            found[peer] = left
    return found


def _first(peers: list[Peers]) -> tuple[int, Any]:
    return min(_order(peer) for peer in peers)


_KINDS: Final = (Group, Labelled, Everyone, Host, Outside, Anywhere)


def _order(peer: Peers) -> tuple[int, Any]:
    return _KINDS.index(type(peer)), msgspec.structs.astuple(peer)
