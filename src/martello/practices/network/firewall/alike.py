"""Places that no rule tells apart, so that one answer serves them all."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Protocol

import msgspec

from martello.core.reach import Reachability
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
    Selector,
    World,
)


class Reaching(Protocol):
    """What a compiler asks of the model."""

    @property
    def world(self) -> World:
        """The places."""
        ...

    @property
    def policies(self) -> Policies:
        """The rules."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """Why some answers are unknown."""
        ...

    def verdict(self, source: Place, destination: Place, family: int = 0) -> Reachability:
        """What passes from one place to another, in one family."""
        ...

    def addresses(self, version: int) -> tuple[Address, ...]:
        """Intervals of outside addresses that no rule tells apart."""
        ...


class Told(msgspec.Struct, frozen=True):
    """All by which the rules of a cluster can tell two places apart."""

    labels: frozenset[str]
    node_labels: frozenset[str]
    ports: frozenset[str]
    edges: dict[int, tuple[int, ...]]  # version → where a block begins or has ended, sorted


def told(policies: Policies) -> Told:
    """What the rules look at."""
    labels: set[str] = set()
    nodes: set[str] = set()
    ports: set[str] = set()
    edges: dict[int, set[int]] = {4: set(), 6: set()}
    for policy in policies.policies:
        labels.update(_keys(policy.subject.pods))
        for rule in (*(policy.ingress or ()), *(policy.egress or ())):
            ports.update(p.name for p in rule.ports or () if isinstance(p, NamedPort))
            for peer in rule.peers or ():
                if isinstance(peer, Pods):
                    labels.update(_keys(peer.pods))
                elif isinstance(peer, Nodes):
                    nodes.update(_keys(peer.nodes))
                elif isinstance(peer, Block):
                    for first, last in ((peer.first, peer.last), *peer.excepts):
                        edges[peer.version].update((first, last + 1))
    cut = {version: tuple(sorted(found)) for version, found in edges.items()}
    return Told(frozenset(labels), frozenset(nodes), frozenset(ports), cut)


def likeness(place: Place, version: int, told: Told, homes: frozenset[str]) -> tuple[Hashable, ...]:
    """A key that two places share only where every rule treats them alike in one family. Nodes in
    `homes` (those that run the pods in question) are like no other: a pod and its node always
    reach each other. Its last part is where the addresses of the place lie.
    """
    if isinstance(place, Address):
        return (place,)
    atoms = tuple(bisect_right(told.edges[version], at) for at in addresses_of(place, version))
    if isinstance(place, Node):
        home = place.name if place.name in homes else ""
        return "node", home, _seen(place.labels, told.node_labels), atoms
    ports = tuple(
        sorted((p.name, p.protocol, p.number) for p in place.ports if p.name in told.ports)
    )
    return "pod", place.namespace, _seen(place.labels, told.labels), ports, atoms


def addresses_of(place: Endpoint | Node, version: int) -> tuple[int, ...]:
    """The addresses of a place in one family."""
    return tuple(at for family, at in place.addresses if family == version)


def shared(endpoints: Iterable[Endpoint]) -> dict[tuple[int, int], tuple[str, str]]:
    """Addresses that two pods hold, with the names of both: whose packets these are is not known.
    Pods on the network of their node share it by design.
    """
    held: dict[tuple[int, int], Endpoint] = {}
    found: dict[tuple[int, int], tuple[str, str]] = {}
    for pod in endpoints:
        if pod.host_network:
            continue
        for address in pod.addresses:
            other = held.setdefault(address, pod)
            if other is not pod:
                found[address] = (other.key, pod.key)
    return found


def leaving(pod: Endpoint) -> bool:
    """Whether a pod is being deleted: its address may be another's already."""
    return bool(pod.resource.metadata.get("deletionTimestamp"))


def apart(left: Sequence[Place], right: Sequence[Place]) -> tuple[Place, Place] | None:
    """A place of each group such that they are not one pod; None where there are none: a pod
    reaches itself whatever the rules say, and must not speak for the others.
    """
    for one in left[:2]:
        for other in right[:2]:
            if not (
                isinstance(one, Endpoint) and isinstance(other, Endpoint) and one.key == other.key
            ):
                return one, other
    return None


def _keys(selector: Selector) -> Iterator[str]:
    return (requirement.key for requirement in selector.requirements)


def _seen(labels: dict[str, str], keys: frozenset[str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((k, v) for k, v in labels.items() if k in keys))
