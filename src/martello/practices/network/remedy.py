"""What would let a denied connection pass: the nearest rule, what it lacks, and what else the
change would open, found by trying it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
import numpy as np

from martello.core.path import Path, show
from martello.core.reach import ALL, PROTOCOLS, Conn, Ports, conn
from martello.practices.network.addresses import name_of, show_address
from martello.practices.network.engine.classes import FAMILY
from martello.practices.network.engine.places import Spot, own_node
from martello.practices.network.engine.reach import Reach
from martello.practices.network.engine.rules import EGRESS, INGRESS
from martello.practices.network.engine.selectors import NAME
from martello.practices.network.engine.tiers import Member
from martello.practices.network.engine.trace import Hit, Question, members
from martello.practices.network.model import (
    ACCEPT,
    NETWORK,
    Address,
    Block,
    Endpoint,
    NamedPort,
    Place,
    Pods,
    Requirement,
    Selector,
    Step,
    Who,
)
from martello.practices.network.selectors import selects
from martello.practices.network.selectors import show as show_selector

_ENDS: Final = {INGRESS: "from", EGRESS: "to"}
_PREFERRED: Final = ("app.kubernetes.io/name", "app", "k8s-app", "name", "component", "role")
_MADE: Final = frozenset(
    (
        "pod-template-hash",
        "controller-revision-hash",
        "pod-template-generation",
        "statefulset.kubernetes.io/pod-name",
        "apps.kubernetes.io/pod-index",
        "controller-uid",
        "batch.kubernetes.io/controller-uid",
    )
)
_WORDS: Final = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n"))
_PAIRS: Final = 200  # that are looked at for what a change also opens
_SHOWN: Final = 3


def nearest(question: Question, found: Sequence[Hit]) -> Hit | None:
    """The rule of an isolating policy that lacks least."""
    accepting = [
        hit
        for hit in found
        if hit.member.policy.tier == NETWORK and hit.rule.action == ACCEPT and not hit.matches
    ]
    return min(accepting, key=lambda hit: _lack(question, hit), default=None)


def _lack(question: Question, hit: Hit) -> tuple[int, int]:
    """How many halves of a rule do not match; of peers, how many conditions on labels."""
    place = question.other.place
    missed = 9
    if isinstance(place, Endpoint):
        pods = [who for who in hit.rule.peers or () if isinstance(who, Pods)]
        missed = min((len(_unmet(who.pods, place)) for who in pods), default=9)
    return int(hit.peers is False) + int(hit.ports is False), missed


def _unmet(selector: Selector, place: Endpoint) -> list[Requirement]:
    return [r for r in selector.requirements if not selects(Selector((r,)), place.labels)]


def wants(reach: Reach, question: Question, hit: Hit) -> str:
    """What a rule wants, and what the other end has."""
    if hit.peers is False:
        return _wants_peer(reach, question, hit)
    ports = ", ".join(_port(port) for port in hit.rule.ports or ())
    return f"wants {ports or 'no port'}, not {question.protocol} {question.port}"


def _wants_peer(reach: Reach, question: Question, hit: Hit) -> str:
    place = question.other.place
    peers = hit.rule.peers or ()
    pods = [who for who in peers if isinstance(who, Pods)]
    if not isinstance(place, Endpoint) or not pods:
        said = " or ".join(_peer(who) for who in peers[:_SHOWN])
        return f"wants {said or 'nobody'}, and not {name_of(place)}"
    best = min(pods, key=lambda who: len(_unmet(who.pods, place)))
    unmet = _unmet(best.pods, place)
    if unmet:
        has = [f"{r.key}={place.labels[r.key]}" for r in unmet if r.key in place.labels]
        lacks = [r.key for r in unmet if r.key not in place.labels]
        have = ", ".join([*has, *(f"no {key}" for key in lacks)])
        return f"wants {show_selector(Selector(tuple(unmet)))}, pod has {have}"
    if best.namespace:
        return f"wants pods of namespace {best.namespace}, pod is in {place.namespace}"
    labels = reach.world.namespaces.get(place.namespace) or {}
    have = ", ".join(
        f"{r.key}={labels[r.key]}" if r.key in labels else f"no {r.key}"
        for r in best.namespaces.requirements
    )
    return f"wants namespaces with {show_selector(best.namespaces)}, {place.namespace} has {have}"


def _peer(who: Who) -> str:
    if isinstance(who, Pods):
        where = who.namespace or f"namespaces with {show_selector(who.namespaces)}"
        return f"pods with {show_selector(who.pods)} in {where}"
    if isinstance(who, Block):
        return f"{show_address(who.version, who.first)}-{show_address(who.version, who.last)}"
    return type(who).__name__.lower()


def _port(port: object) -> str:
    if isinstance(port, Ports):
        if (port.first, port.last) == (1, 65535):
            return port.protocol
        span = str(port.first) if port.first == port.last else f"{port.first}-{port.last}"
        return f"{port.protocol} {span}"
    return str(getattr(port, "name", port))


class _Change(msgspec.Struct, frozen=True, eq=False):
    """What is added to a policy, in words, and what it speaks of then: a peer (None: those that a
    rule has), and ports.
    """

    member: Member
    path: Path
    words: str
    who: Who | None
    peers: tuple[Who, ...] | None
    ports: tuple[Ports | NamedPort, ...] | None


def fixes(reach: Reach, question: Question, found: Sequence[Hit]) -> Iterator[Step]:
    """One change of a policy that lets the connection pass this way; none where it is denied by an
    ordered policy: then that rule is named.
    """
    name = name_of(question.mine.place)
    selecting = members(reach.state, question)
    isolating = [m for m in selecting if m.policy.tier == NETWORK and not m.perhaps]
    denied = next((h for h in found if h.matches and h.rule.action not in (ACCEPT, "pass")), None)
    if denied is not None and (
        denied.member.policy.tier != NETWORK and not _past(denied, isolating)
    ):
        words = f"narrow {show(denied.rule.path)} of {denied.member.policy.resource.ref.local}"
        yield Step("fix", name, "", words, denied.member.policy.resource, denied.rule.path)
        return
    if not isolating:
        return
    change = _change(reach, question, nearest(question, found), isolating[0])
    if change is None:
        return
    also = _also(reach, question, change)
    words = f"{change.words} (also opens: {also})"
    yield Step("fix", name, "", words, change.member.policy.resource, change.path)


def _past(denied: Hit, isolating: Sequence[Member]) -> bool:
    """Whether a denial is never asked, because NetworkPolicies isolate before it."""
    return denied.member.policy.tier == "baseline" and bool(isolating)


def _change(reach: Reach, question: Question, hit: Hit | None, first: Member) -> _Change | None:
    """The rule that lacks one half gets it; otherwise a new rule is added."""
    peer = _as_peer(reach, question)
    if peer is None:
        return None
    who, words = peer
    end = _ENDS[question.way]
    exact: tuple[Ports, ...] | None = None
    if question.protocol in PROTOCOLS:
        exact = (Ports(question.protocol, question.port, question.port),)
    port = f"{{protocol: {question.protocol}, port: {question.port}}}"
    if hit is not None and hit.peers is False and hit.ports is not False:
        told = f"add {words} to {show((*hit.rule.path, end))}"
        return _Change(hit.member, hit.rule.path, told, who, None, hit.rule.ports)
    if hit is not None and hit.peers and hit.ports is False and exact is not None:
        told = f"add {port} to {show((*hit.rule.path, 'ports'))}"
        return _Change(hit.member, hit.rule.path, told, None, hit.rule.peers, exact)
    ports = f", ports: [{port}]" if exact else ""
    told = f"add {{{end}: [{words}]{ports}}} to spec.{question.way}"
    told += f" of {first.policy.resource.ref.local}"
    return _Change(first, ("spec", question.way), told, who, None, exact)


def _as_peer(reach: Reach, question: Question) -> tuple[Who, str] | None:
    """The other end as a peer that takes in as little else as can be."""
    place = question.other.place
    if isinstance(place, Endpoint) and not place.host_network:
        return _pod_peer(reach, question, place)
    version = question.family
    if isinstance(place, Address):
        if place.first != place.last:
            return None
        address = place.first
    else:
        found = [number for v, number in place.addresses if v == version]
        if not found:
            return None
        address = found[0]
    cidr = f"{show_address(version, address)}/{32 if version == 4 else 128}"
    return Block(version, address, address), f"{{ipBlock: {{cidr: {cidr}}}}}"


def _pod_peer(reach: Reach, question: Question, place: Endpoint) -> tuple[Who, str] | None:
    labels = _own_labels(reach, place)
    selector = Selector(tuple(Requirement(k, "In", (v,)) for k, v in sorted(labels.items())))
    told = ", ".join(f"{key}: {_text(value)}" for key, value in sorted(labels.items()))
    pods = f"{{matchLabels: {{{told}}}}}"
    told = f"podSelector: {pods if labels else '{}'}"
    mine = question.mine.place
    if isinstance(mine, Endpoint) and mine.namespace == place.namespace:
        return Pods(selector, place.namespace), f"{{{told}}}"
    space = f"namespaceSelector: {{matchLabels: {{{NAME}: {place.namespace}}}}}"
    return Pods(selector, place.namespace), f"{{{space}, {told}}}"


def _text(value: str) -> str:
    """A value as YAML takes it for a string."""
    plain = value[:1].isalpha() and value.lower() not in _WORDS
    return value if plain else json.dumps(value)


def _own_labels(reach: Reach, place: Endpoint) -> dict[str, str]:
    """One label that only this workload has in its namespace; all that it is written with where no
    single one is its own.
    """
    mine = {k: v for k, v in place.labels.items() if k not in _MADE}
    beside = [
        e.labels
        for e in reach.inside(place.namespace)
        if e.name != place.name and not e.host_network
    ]
    order = [*(k for k in _PREFERRED if k in mine), *sorted(k for k in mine if k not in _PREFERRED)]
    for key in order:
        if all(labels.get(key) != mine[key] for labels in beside):
            return {key: mine[key]}
    return mine


def _also(reach: Reach, question: Question, change: _Change) -> str:
    """The pairs that pass with the change and do not without it, but for the one that is meant."""
    meant = (name_of(question.mine.place), name_of(question.other.place))
    found: dict[str, None] = {}
    looked = 0
    known: dict[object, bool] = {}
    for mine, other in _touched(reach, question, change):
        names = name_of(mine), name_of(other)
        if names == meant or mine is other:
            continue
        looked += 1
        if looked > _PAIRS:
            return f"{len(found)} pairs or more"
        here, there = reach.spot(mine), reach.spot(other)
        destination = mine if question.way == INGRESS else other
        ports = destination.ports if isinstance(destination, Endpoint) else ()
        alike = (*_sign(here), *_sign(there), ports, own_node(here, there))
        if alike not in known:
            known[alike] = _opens(reach, question.way, change, here, there)
        if known[alike]:
            found[" → ".join(names if question.way == EGRESS else names[::-1])] = None
    if not found:
        return "nothing else"
    more = len(found) - _SHOWN
    return ", ".join(list(found)[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _touched(reach: Reach, question: Question, change: _Change) -> Iterator[tuple[Place, Place]]:
    """A subject of the policy with every place that the changed part of it takes in, one of each
    name.
    """
    groups = reach.state.groups[question.way]
    serial = change.member.serial
    held = [any(code >> 1 == serial for code in key.codes) for key in groups.keys]
    base = reach.state.universe.base
    subjects = np.flatnonzero(np.array(held)[groups.of[base]] & (base >= 0)).tolist()
    endpoints = reach.world.endpoints
    others: list[Place] = [question.other.place]
    if isinstance(change.who, Pods):
        others += [e for e in reach.inside(change.who.namespace) if _holds(change.who, e)]
    elif change.who is None:
        others += _taken(reach, change.peers)
    named = {name_of(place): place for place in others}
    for mine in {endpoints[at].name: endpoints[at] for at in subjects}.values():
        for other in named.values():
            yield mine, other


def _holds(who: Pods, endpoint: Endpoint) -> bool:
    return not endpoint.host_network and selects(who.pods, endpoint.labels)


def _taken(reach: Reach, peers: Sequence[Who] | None) -> list[Endpoint]:
    universe = reach.state.universe
    marks = np.full(universe.columns.count, peers is None)
    for who in peers or ():
        marks[reach.state.columns_of(who)[1]] = True
    count = len(reach.world.endpoints)
    of = universe.column
    found = np.flatnonzero(marks[of[4][:count]] | marks[of[6][:count]])
    return [reach.world.endpoints[at] for at in found.tolist()]


def _opens(reach: Reach, way: str, change: _Change, mine: Spot, other: Spot) -> bool:
    """Whether the ports of the changed rule pass only with it: ordered policies still apply, and
    those of the other end.
    """
    back = EGRESS if way == INGRESS else INGRESS
    ports = _ports_at(change.ports, mine.place if way == INGRESS else other.place)
    for version in _shared(mine, other):
        now = reach.one_way(way, mine, other, version)[1]
        gained = (ports & reach.at_best(way, mine, other, version)) - now
        if gained and gained & reach.one_way(back, other, mine, version)[1]:
            return True
    return False


def _sign(spot: Spot) -> tuple[object, ...]:
    """What makes places alike to all policies."""
    columns = (str(spot.columns[version]) for version in FAMILY)
    return (*spot.groups.values(), *columns, spot.families)


def _shared(mine: Spot, other: Spot) -> tuple[int, ...]:
    return tuple(v for v, bit in FAMILY.items() if mine.families & other.families & bit)


def _ports_at(ports: tuple[Ports | NamedPort, ...] | None, destination: Place) -> Conn:
    """The ports that a rule names, as a destination has them."""
    if ports is None:
        return ALL
    declared = destination.ports if isinstance(destination, Endpoint) else ()
    named = [
        Ports(one.protocol, one.number, one.number)
        for port in ports
        for one in declared
        if isinstance(port, NamedPort)
        and (port.name, port.protocol or one.protocol) == (one.name, one.protocol)
    ]
    return conn([*(port for port in ports if isinstance(port, Ports)), *named])
