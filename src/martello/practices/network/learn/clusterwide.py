"""A plan as ClusterNetworkPolicies of the Baseline tier: what workloads need is accepted at one
priority, the rest of each namespace is denied at the last. NetworkPolicies that are there stay
above them. Ingress peers are pods only, so what comes from outside or from nodes is not denied.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

from martello.practices.network.addresses import show_address
from martello.practices.network.learn import blocks
from martello.practices.network.learn.emit import (
    MANAGED,
    NAME_LABEL,
    Surroundings,
    denying,
    policy_names,
)
from martello.practices.network.learn.model import Key
from martello.practices.network.learn.plan import (
    EGRESS,
    INGRESS,
    Allowed,
    Everyone,
    Group,
    Host,
    Labelled,
    Outside,
    Peers,
    Plan,
)

ACCEPTED: Final = 500
DENIED: Final = 1000
MOST: Final = 25  # rules of a direction, peers of a rule, networks of a peer
_ALL_PODS: Final[dict[str, Any]] = {"namespaces": {}}
_EVERYTHING: Final[list[dict[str, Any]]] = [
    {"namespaces": {}},
    {"networks": ["0.0.0.0/0", "::/0"]},
]
Raw = dict[str, Any]
T = TypeVar("T")


def emit(plan: Plan, around: Surroundings) -> tuple[Raw, ...]:
    """The plan as ClusterNetworkPolicy objects, by name; more than 25 rules make more policies."""
    found: list[Raw] = []
    for namespace in denying(plan, around):
        spec = {
            "tier": "Baseline",
            "priority": DENIED,
            "subject": {"namespaces": {"matchLabels": {NAME_LABEL: namespace}}},
            "ingress": [{"action": "Deny", "from": [_ALL_PODS]}],
            "egress": [{"action": "Deny", "to": _EVERYTHING}],
        }
        found.append(_policy(f"learned-{namespace}-default-deny", spec))
    for direction, subjects in ((INGRESS, plan.ingress), (EGRESS, plan.egress)):
        names = policy_names(subjects, direction)
        for key, rules in subjects.items():
            subject = _subject(key, around)
            written = [raw for rule in rules for raw in _rules(rule, direction, around)]
            if subject is None or not written:
                continue
            for number, part in enumerate(_parts(written)):
                more = f"-{number + 1}" if number else ""
                spec = {"tier": "Baseline", "priority": ACCEPTED, "subject": subject}
                spec[direction.lower()] = part
                found.append(_policy(_name(key, names[key]) + more, spec))
    names = policy_names(plan.free, "unseen")
    for key in plan.free:
        subject = _subject(key, around)
        if subject is not None and key.namespace in plan.namespaces:
            spec = {"tier": "Baseline", "priority": ACCEPTED, "subject": subject}
            spec["ingress"] = [{"action": "Accept", "from": [_ALL_PODS]}]
            spec["egress"] = [{"action": "Accept", "to": _EVERYTHING}]
            found.append(_policy(_name(key, names[key]), spec))
    found.sort(key=lambda p: str(p["metadata"]["name"]))
    return tuple(found)


def _name(key: Key, name: str) -> str:
    return f"learned-{key.namespace}-{name.removeprefix('learned-')}"


def _policy(name: str, spec: Raw) -> Raw:
    return {
        "apiVersion": "policy.networking.k8s.io/v1alpha2",
        "kind": "ClusterNetworkPolicy",
        "metadata": {"name": name, "labels": dict(MANAGED)},
        "spec": spec,
    }


def _subject(key: Key, around: Surroundings) -> Raw | None:
    selector = around.lifted[key].selector
    return None if selector is None else _pods(key.namespace, selector)


def _pods(namespace: str, selector: Raw) -> Raw:
    spaces = {"matchLabels": {NAME_LABEL: namespace}}
    return {"pods": {"namespaceSelector": spaces, "podSelector": selector}}


def _rules(rule: Allowed, direction: str, around: Surroundings) -> Iterator[Raw]:
    """A rule, split where it has more peers or ports than one may hold."""
    side = "from" if direction == INGRESS else "to"
    peers = [raw for peer in rule.peers for raw in _peers(peer, direction, around)]
    ports = [{proto.lower(): {"destinationPort": {"number": port}}} for proto, port in rule.ports]
    for some in _parts(peers):
        for few in _parts(ports):
            yield {"action": "Accept", side: some, "protocols": few}


def _peers(peer: Peers, direction: str, around: Surroundings) -> Iterator[Raw]:
    match peer:
        case Group(key):
            yield _pods(key.namespace, around.lifted[key].selector or {})
        case Labelled(namespace, label):
            yield _pods(namespace, {"matchLabels": dict([label])} if label else {})
        case Everyone():
            yield _ALL_PODS
        case Host(node) if direction == EGRESS:
            held = around.nodes.get(node, ())
            yield from _networks([f"{show_address(v, n)}/{32 if v == 4 else 128}" for v, n in held])
        case Outside() if direction == EGRESS:
            # Networks take in pods and have no exceptions: addresses are joined only where that
            # covers nothing more.
            exact = blocks.cover(peer.version, peer.nameless, len(peer.numbers), ())
            yield from _networks([one.cidr for one in exact])
            for part in _parts(peer.names):
                yield {"domainNames": list(part)}


def _networks(cidrs: Sequence[str]) -> Iterator[Raw]:
    for part in _parts(cidrs):
        yield {"networks": list(part)}


def _parts(listed: Sequence[T]) -> Iterator[Sequence[T]]:
    for begin in range(0, len(listed), MOST):
        yield listed[begin : begin + MOST]
