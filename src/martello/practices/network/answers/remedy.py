"""What would let a denied connection pass: the nearest rule, what it lacks, what to add to it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from martello.core.path import show
from martello.core.reach import PROTOCOLS, Ports
from martello.practices.network.addresses import name_of, show_address
from martello.practices.network.answers.opened import Change, opened
from martello.practices.network.engine.places import own_node
from martello.practices.network.engine.reach import Reach
from martello.practices.network.engine.rules import EGRESS, INGRESS
from martello.practices.network.engine.selectors import NAME
from martello.practices.network.engine.tiers import Member
from martello.practices.network.engine.trace import Hit, Question, members
from martello.practices.network.model import (
    ACCEPT,
    ADMIN,
    BASELINE,
    DENY,
    NETWORK,
    Address,
    Block,
    Endpoint,
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
        said += f" or {len(peers) - _SHOWN} more" if len(peers) > _SHOWN else ""
        return f"wants {said or 'nobody'}, not {name_of(place)}"
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
        where = f"namespaces with {show_selector(who.namespaces)}"
        if not who.namespaces.requirements:
            where = "any namespace"
        pods = f"pods with {show_selector(who.pods)}" if who.pods.requirements else "any pod"
        return f"{pods} of {f'namespace {who.namespace}' if who.namespace else where}"
    if isinstance(who, Block):
        return name_of(Address(who.version, who.first, who.last))
    return type(who).__name__.lower()


def _port(port: object) -> str:
    if isinstance(port, Ports):
        if (port.first, port.last) == (1, 65535):
            return port.protocol
        span = str(port.first) if port.first == port.last else f"{port.first}-{port.last}"
        return f"{port.protocol} {span}"
    return str(getattr(port, "name", port))


class Denial(msgspec.Struct, frozen=True, eq=False):
    """What denies one direction: rules of ordered policies, which each would have to be narrowed,
    and NetworkPolicies that isolate, which this change would satisfy.
    """

    question: Question
    narrowed: tuple[Hit, ...]
    change: Change | None


def denial(reach: Reach, question: Question, found: Sequence[Hit]) -> Denial:
    """What stands against a denied connection, by what the rules of a direction said."""
    selecting = members(reach.state, question)
    isolating = [m for m in selecting if m.policy.tier == NETWORK and not m.perhaps]
    narrowed, accepted = _denials(found, ADMIN)
    change = None
    if not accepted and not isolating:
        narrowed += _denials(found, BASELINE)[0]
    elif (
        not accepted
        and not own_node(question.mine, question.other)
        and not any(hit.member.policy.tier == NETWORK and hit.matches for hit in found)
    ):
        change = _change(reach, question, nearest(question, found), isolating[0])
    return Denial(question, narrowed, change)


def _denials(found: Sequence[Hit], tier: str) -> tuple[tuple[Hit, ...], bool]:
    """The denials of a tier that are met before it accepts or passes on; whether it accepts."""
    denials: list[Hit] = []
    for hit in found:
        if hit.member.policy.tier == tier and hit.matches and not hit.member.perhaps:
            if hit.rule.action != DENY:
                return tuple(denials), hit.rule.action == ACCEPT
            denials.append(hit)
    return tuple(denials), False


def fixes(reach: Reach, denials: Sequence[Denial]) -> Iterator[Step]:
    """Changes of policies that together let a connection pass: a denial of an ordered policy is
    named, NetworkPolicies get one rule or a part of one in each direction.
    """
    changes = [(one.question.way, one.change) for one in denials if one.change is not None]
    for one in denials:
        name = name_of(one.question.mine.place)
        for hit in one.narrowed:
            resource = hit.member.policy.resource
            words = f"narrow {show(hit.rule.path)} of {resource.ref.local}"
            yield Step("fix", name, "", words, resource, hit.rule.path)
        if one.change is not None:
            beside = [change for way, change in changes if way != one.question.way]
            also = opened(reach, one.question, one.change, beside)
            words = f"{one.change.words} (also opens: {also})"
            resource = one.change.member.policy.resource
            yield Step("fix", name, "", words, resource, one.change.path)


def _change(reach: Reach, question: Question, hit: Hit | None, first: Member) -> Change | None:
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
        return Change(hit.member, hit.rule.path, told, who, None, hit.rule.ports)
    if hit is not None and hit.peers and hit.ports is False and exact is not None:
        told = f"add {port} to {show((*hit.rule.path, 'ports'))}"
        return Change(hit.member, hit.rule.path, told, None, hit.rule.peers, exact)
    ports = f", ports: [{port}]" if exact else ""
    told = f"add {{{end}: [{words}]{ports}}} to spec.{question.way}"
    told += f" of {first.policy.resource.ref.local}"
    return Change(first, ("spec", question.way), told, who, None, exact)


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
