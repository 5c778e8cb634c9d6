"""What strangers reach: through load balancers, node ports, host ports, ingress controllers.

An opening leads to a pod; whether the pod's policies let it in is asked for each interval of
addresses that may come through it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.path import Path
from martello.core.resource import Resource
from martello.practices.network.decide.decide import IN, Asked, decide
from martello.practices.network.decide.sides import Sides, spoken
from martello.practices.network.decide.witness import ANYONE, Reading, rule_takes
from martello.practices.network.model import Address, Endpoint, Pods, Rule
from martello.practices.network.outer.ingress import Edge, edges
from martello.practices.network.outer.openings import Opening, openings
from martello.practices.network.outside import less, public

if TYPE_CHECKING:  # numpy comes with it
    from martello.practices.network.compare.diff import Answers

ALLOWED: Final = "allowed"
DENIED: Final = "denied"
UNKNOWN: Final = "unknown"
INGRESS: Final = "ingress"


class Entry(msgspec.Struct, frozen=True):
    """One way from the internet to a workload, and whether its policies let it in.

    `sources` are the addresses that surely get in; `via` is the ingress controller between, which
    may be the placeholder for one that is not here. `reason` says why the verdict is unknown.
    """

    kind: str  # load-balancer, node-port, external-ip, host-port or ingress
    workload: str
    protocol: str
    port: int  # outside; 0: not known
    target: int  # at the pod
    verdict: str
    sources: tuple[Address, ...]
    via: str
    resource: Resource
    path: Path
    internal: bool = False  # only the private network of the cloud comes this way
    reason: str = ""


def internet(reach: Answers, cluster: Cluster) -> tuple[Entry, ...]:
    """Every way in, in the order of the input, once for each workload behind it."""
    asking = _Asking(reach)
    found: dict[tuple[object, ...], Entry] = {}
    for opening in openings(reach.world, cluster):
        for endpoint in opening.endpoints:
            _keep(found, asking.opening(opening, endpoint))
    for edge in edges(reach.world, cluster):
        for endpoint in edge.endpoints:
            _keep(found, asking.edge(edge, endpoint))
    return tuple(found.values())


_RANK: Final = {DENIED: 0, UNKNOWN: 1, ALLOWED: 2}


def _keep(found: dict[tuple[object, ...], Entry], entry: Entry) -> None:
    """Of the pods of one workload, the one that is open most."""
    key = (id(entry.resource), entry.path, entry.kind, entry.workload, entry.port, entry.target)
    known = found.get(key)
    if known is None or _RANK[entry.verdict] > _RANK[known.verdict]:
        found[key] = entry


class _Asking:
    """A state, asked for what comes from outside."""

    __slots__ = ("_reach", "_reading", "_sides", "_strangers")

    def __init__(self, reach: Answers) -> None:
        self._reach = reach
        self._reading = Reading(reach.world, reach.profile)
        self._sides = Sides(reach.policies, self._reading)
        self._strangers = tuple(one for version in (4, 6) for one in public(version))

    def opening(self, opening: Opening, endpoint: Endpoint) -> Entry:
        """Whether the clients of an opening, or whoever stands for them, get in."""
        wanted = self._strangers if opening.sources is None else opening.sources
        asked = tuple(self._cells(wanted))
        verdicts = [self._verdict(one, endpoint, opening) for one in asked]
        sources = tuple(a for a, verdict in zip(asked, verdicts, strict=True) if verdict == ALLOWED)
        reason = ""
        verdict = ALLOWED if sources else UNKNOWN if UNKNOWN in verdicts else DENIED
        if verdict == UNKNOWN:
            reason = "what lets these addresses in is not understood or not known"
        if opening.hides_client and not self._all_alike(verdicts, endpoint, opening):
            verdict, sources = UNKNOWN, ()
            reason = "the pod sees the address of a node: rules on addresses may not match"
        return Entry(
            opening.kind,
            endpoint.name,
            opening.protocol,
            opening.port,
            opening.target,
            verdict,
            tuple(_merged(sources)),
            "",
            opening.resource,
            opening.path,
            opening.internal,
            reason,
        )

    def _cells(self, wanted: Iterable[Address]) -> Iterator[Address]:
        """Ranges cut where rules tell addresses apart."""
        for one in wanted:
            for cell in self._reach.addresses(one.version):
                first, last = max(one.first, cell.first), min(one.last, cell.last)
                if first <= last:
                    yield Address(one.version, first, last)

    def _verdict(self, source: Address, endpoint: Endpoint, opening: Opening) -> str:
        found = self._reach.verdict(source, endpoint, source.version)
        return found.verdict(opening.protocol, opening.target)

    def _all_alike(self, verdicts: list[str], endpoint: Endpoint, opening: Opening) -> bool:
        """Whether the answer hangs on no address, that of a node included."""
        nodes = [
            self._reach.verdict(node, endpoint).verdict(opening.protocol, opening.target)
            for node in self._reach.world.nodes
        ]
        private = [
            self._verdict(one, endpoint, opening)
            for version in (4, 6)
            for one in less(self._reach.addresses(version), public(version))
        ]
        return len({*verdicts, *(nodes or private)}) == 1

    def edge(self, edge: Edge, endpoint: Endpoint) -> Entry:
        """Whether the pods of an ingress controller get in; one that is not here may have any
        labels.
        """
        reason = ""
        if edge.sources:
            found = {
                self._reach.verdict(pod, endpoint).verdict(edge.protocol, edge.target)
                for pod in edge.sources
            }
            verdict = next((v for v in (ALLOWED, UNKNOWN, DENIED) if v in found), DENIED)
        else:
            verdict = self._unseen(edge, endpoint)
        if verdict == UNKNOWN:
            reason = f"which rules take in {edge.source} is not known"
        return Entry(
            INGRESS,
            endpoint.name,
            edge.protocol,
            edge.port,
            edge.target,
            verdict,
            self._strangers if verdict == ALLOWED else (),
            edge.source,
            edge.resource,
            edge.path,
            reason=reason,
        )

    def _unseen(self, edge: Edge, endpoint: Endpoint) -> str:
        if endpoint.host_network:
            return ALLOWED
        policies = self._sides.governing(endpoint, IN)
        ports = partial(spoken, endpoint.ports)
        allows = [
            decide(policies, Asked(IN, self._takes_unseen, ports, hopeful)).conn.allows(
                edge.protocol, edge.target
            )
            for hopeful in (False, True)
        ]
        return ALLOWED if allows[0] else UNKNOWN if allows[1] else DENIED

    def _takes_unseen(self, rule: Rule) -> bool | None:
        taken = rule_takes(rule, ANYONE, self._reading)
        if taken is False and any(isinstance(who, Pods) for who in rule.peers or ()):
            return None
        return taken


def _merged(cells: Iterable[Address]) -> Iterator[Address]:
    held: Address | None = None
    for one in cells:
        if held is not None and held.version == one.version and held.last + 1 == one.first:
            held = Address(one.version, held.first, one.last)
            continue
        if held is not None:
            yield held
        held = one
    if held is not None:
        yield held
