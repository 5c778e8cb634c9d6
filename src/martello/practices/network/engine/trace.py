"""One direction of one connection, rule by rule: who speaks of it, and what is in doubt."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from martello.core.reach import PROTOCOLS, Ports
from martello.practices.network.addresses import name_of
from martello.practices.network.engine.columns import Numbers
from martello.practices.network.engine.places import Spot
from martello.practices.network.engine.rules import INGRESS, rules_of
from martello.practices.network.engine.state import State
from martello.practices.network.engine.tiers import Member
from martello.practices.network.model import (
    ADMIN,
    BASELINE,
    NETWORK,
    Block,
    Domains,
    Doubtful,
    Endpoint,
    NamedPort,
    Node,
    Nodes,
    Place,
    Rule,
    Who,
)

TIERS = (ADMIN, NETWORK, BASELINE)
WITHOUT_PORTS = "rules with ports say nothing of protocols without ports"


class Question(msgspec.Struct, frozen=True, eq=False):
    """One direction of a connection: the end whose policies are asked, and the other one."""

    way: str
    mine: Spot
    other: Spot
    family: int
    protocol: str
    port: int

    @property
    def destination(self) -> Place:
        """The end whose ports are meant."""
        return self.mine.place if self.way == INGRESS else self.other.place


class Hit(msgspec.Struct, frozen=True, eq=False):
    """What one rule says: whether its peers and its ports match (None: not known)."""

    member: Member
    rule: Rule
    peers: bool | None
    ports: bool | None

    @property
    def matches(self) -> bool | None:
        """Whether it speaks of the connection."""
        return both(self.peers, self.ports)


def both(one: bool | None, other: bool | None) -> bool | None:
    """And, with three values."""
    if one is False or other is False:
        return False
    return None if one is None or other is None else True


def members(state: State, question: Question) -> list[Member]:
    """The policies that select the end, in the order in which they are tried."""
    key = state.groups[question.way].keys[question.mine.groups[question.way]]
    found = [Member(c >> 1, state.serials[c >> 1], bool(c & 1)) for c in key.codes]
    return sorted(found, key=lambda m: (TIERS.index(m.policy.tier), m.policy.priority))


def hits(state: State, question: Question, selecting: list[Member]) -> Iterator[Hit]:
    """What each rule of these policies says, in order."""
    for member in selecting:
        for rule in rules_of(member.policy, question.way) or ():
            yield Hit(member, rule, peers_match(state, question, rule), ports_match(question, rule))


def peers_match(state: State, question: Question, rule: Rule) -> bool | None:
    """Whether a rule takes in the other end."""
    if rule.peers is None:
        return True
    found: bool | None = False
    for who in rule.peers:
        taken = takes(state, who, question)
        if taken:
            return True
        found = None if taken is None else found
    return found


def takes(state: State, who: Who, question: Question) -> bool | None:
    """Whether one peer takes in the other end."""
    sure, perhaps = state.columns_of(who)
    columns = np.atleast_1d(question.other.columns[question.family])
    if _among(columns, sure).all():
        return True
    return None if _among(columns, perhaps).any() else False


def _among(columns: Numbers, found: Numbers) -> NDArray[np.bool_]:
    """Which columns are in a sorted list: a search, as this is asked for each peer of each rule."""
    if not len(found):
        return np.zeros(len(columns), dtype=bool)
    at = np.searchsorted(found, columns)
    among: NDArray[np.bool_] = found[np.minimum(at, len(found) - 1)] == columns
    return among


def ports_match(question: Question, rule: Rule) -> bool | None:
    """Whether a rule speaks of the port."""
    if rule.ports is None:
        return True
    if question.protocol not in PROTOCOLS:
        return None if rule.ports else False
    return any(_port(question, port) for port in rule.ports)


def _port(question: Question, port: Ports | NamedPort) -> bool:
    if isinstance(port, Ports):
        return port.protocol == question.protocol and port.first <= question.port <= port.last
    place = question.destination
    if not isinstance(place, Endpoint) or place.host_network:
        return False
    return port.protocol in ("", question.protocol) and any(
        (p.name, p.protocol, p.number) == (port.name, question.protocol, question.port)
        for p in place.ports
    )


def doubts(state: State, question: Question) -> Iterator[str]:
    """Why the answer of this direction may be unknown, whatever the port."""
    selecting = members(state, question)
    ranks: dict[tuple[str, str, int], set[int]] = {}
    tiers: dict[str, set[str]] = {}
    for member in selecting:
        policy = member.policy
        name = policy.resource.ref.local
        if policy.doubt:
            yield f"{name}: {policy.doubt}"
        if member.perhaps:
            selects = f"whether {name} selects {name_of(question.mine.place)}"
            yield f"{selects} is not known: {_space(question.mine)}"
        for rule in rules_of(policy, question.way) or ():
            yield from _doubts(state, question, rule)
        if policy.tier != NETWORK:
            ranks.setdefault((policy.tier, policy.family, policy.priority), set()).add(
                member.serial
            )
            tiers.setdefault(policy.tier, set()).add(policy.family)
    for (_, _, priority), serials in ranks.items():
        if len(serials) > 1:
            names = ", ".join(state.serials[s].resource.ref.local for s in sorted(serials))
            yield f"{names} have the same priority {priority}: their order is undefined"
    for families in tiers.values():
        if len(families) > 1:
            yield f"the order of {' and '.join(sorted(families))} policies is undefined"


def _doubts(state: State, question: Question, rule: Rule) -> Iterator[str]:
    for who in rule.peers or ():
        sure, perhaps = state.columns_of(who)
        if sure is not perhaps and takes(state, who, question) is None:
            yield doubt_of(who, question)


def doubt_of(who: Who, question: Question) -> str:
    """Why it is not known whether a peer takes in the other end."""
    other = question.other
    if isinstance(who, Doubtful):
        return who.reason
    if isinstance(who, Block):
        if not isinstance(other.place, Endpoint | Node) or other.place.addresses:
            return "whether an ipBlock takes in pods depends on the network plugin: name it"
        return f"the address of {name_of(other.place)} is not known"
    if isinstance(who, Domains):
        return f"the addresses of {', '.join(who.names)} are not known"
    if isinstance(who, Nodes):
        return f"the node of {name_of(other.place)} is not here"
    return f"{_space(other)}"


def _space(spot: Spot) -> str:
    namespace = spot.place.namespace if isinstance(spot.place, Endpoint) else ""
    return f"the labels of namespace {namespace} are not known"
