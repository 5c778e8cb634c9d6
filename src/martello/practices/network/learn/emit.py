"""A plan as NetworkPolicies: default deny for a namespace, one policy a workload and direction,
names and order that stay the same from run to run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any, Final

import msgspec

from martello.practices.network.addresses import show_address
from martello.practices.network.learn import blocks
from martello.practices.network.learn.atlas import Atlas
from martello.practices.network.learn.lift import Lifted
from martello.practices.network.learn.model import Key
from martello.practices.network.learn.plan import (
    EGRESS,
    INGRESS,
    Allowed,
    Anywhere,
    Everyone,
    Group,
    Host,
    Labelled,
    Outside,
    Peers,
    Plan,
    Port,
)

MANAGED: Final = {"app.kubernetes.io/managed-by": "martello"}
NAME_LABEL: Final = "kubernetes.io/metadata.name"
_LONGEST: Final = 253
Raw = dict[str, Any]


class Surroundings(msgspec.Struct, frozen=True, eq=False):
    """What emitting needs beside the plan: selectors, nodes' addresses, what is inside."""

    lifted: Mapping[Key, Lifted]
    nodes: Mapping[str, tuple[tuple[int, int], ...]]
    inside: tuple[blocks.Range, ...]
    most_blocks: int


def surroundings(atlas: Atlas, lifted: Mapping[Key, Lifted], most_blocks: int) -> Surroundings:
    """The surroundings of a learned cluster."""
    nodes = {
        name: tuple(sorted({*node.addresses, *atlas.more_addresses.get(name, ())}))
        for name, node in atlas.nodes.items()
    }
    single = [(v, n, n) for held in nodes.values() for v, n in held]
    return Surroundings(
        lifted,
        nodes,
        (*atlas.pod_ranges, *atlas.service_ranges, *sorted(set(single))),
        most_blocks,
    )


def emit(plan: Plan, around: Surroundings) -> tuple[Raw, ...]:
    """The plan as NetworkPolicy objects, by namespace and name."""
    found: list[Raw] = []
    for namespace in denying(plan, around):
        spec: Raw = {"podSelector": {}, "policyTypes": [INGRESS, EGRESS]}
        found.append(policy_object(namespace, "learned-default-deny", spec))
    for direction, subjects in ((INGRESS, plan.ingress), (EGRESS, plan.egress)):
        names = policy_names(subjects, direction)
        for key, rules in subjects.items():
            selector = around.lifted[key].selector
            if selector is None:
                continue
            written = [_rule(rule, key, direction, around) for rule in rules]
            spec = {"podSelector": selector, "policyTypes": [direction]}
            field = "ingress" if direction == INGRESS else "egress"
            spec[field] = [rule for rule in written if rule is not None]
            found.append(policy_object(key.namespace, names[key], spec))
    for key in plan.free:
        selector = around.lifted[key].selector
        if selector is not None and key.namespace in plan.namespaces:
            spec = {"podSelector": selector, "policyTypes": [INGRESS, EGRESS]}
            spec |= {"ingress": [{}], "egress": [{}]}
            name = policy_names(plan.free, "unseen")[key]
            found.append(policy_object(key.namespace, name, spec))
    found.sort(key=lambda p: (p["metadata"]["namespace"], p["metadata"]["name"]))
    return tuple(found)


def denying(plan: Plan, around: Surroundings) -> tuple[str, ...]:
    """The namespaces that deny by default. One with pods that no labels tell apart cannot: nothing
    could let them through.
    """
    unnamed = {k.namespace for k, lifted in around.lifted.items() if lifted.selector is None}
    return tuple(name for name in plan.namespaces if name not in unnamed)


def policy_names(keys: Iterable[Key], ending: str) -> dict[Key, str]:
    """A name for each workload's policy: its own; with its kind where two kinds share a name."""
    held: dict[tuple[str, str], list[Key]] = {}
    for key in keys:
        held.setdefault((key.namespace, key.name), []).append(key)
    found: dict[Key, str] = {}
    for members in held.values():
        for key in members:
            middle = key.name if len(members) == 1 else f"{key.name}-{key.kind.lower()}"
            found[key] = _short(f"learned-{middle}", f"-{ending.lower()}")
    return found


def _short(name: str, ending: str) -> str:
    if len(name) + len(ending) <= _LONGEST:
        return name + ending
    digest = sha256(name.encode()).hexdigest()[:8]
    return f"{name[: _LONGEST - len(ending) - 9].rstrip('-.')}-{digest}{ending}"


def policy_object(namespace: str, name: str, spec: Raw) -> Raw:
    """A NetworkPolicy that this program manages."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(MANAGED)},
        "spec": spec,
    }


def _rule(rule: Allowed, key: Key, direction: str, around: Surroundings) -> Raw | None:
    peers = [raw for peer in rule.peers for raw in peer_entries(peer, key, around)]
    if not peers:
        return None
    return {
        "from" if direction == INGRESS else "to": _distinct(peers),
        "ports": [port_entry(port) for port in rule.ports],
    }


def port_entry(port: Port) -> Raw:
    """A port of a rule."""
    return {"protocol": port[0], "port": port[1]}


def peer_entries(peer: Peers, key: Key, around: Surroundings) -> Iterator[Raw]:
    """The elements of `from` or `to` that a peer becomes: several for a node or addresses."""
    match peer:
        case Group(other):
            selector = around.lifted[other].selector
            yield _pods(other.namespace, selector or {}, key.namespace)
        case Labelled(namespace, label):
            yield _pods(namespace, {"matchLabels": dict([label])} if label else {}, key.namespace)
        case Everyone():
            yield {"namespaceSelector": {}}
        case Host(node):
            for version, number in around.nodes.get(node, ()):
                width = 32 if version == 4 else 128
                yield {"ipBlock": {"cidr": f"{show_address(version, number)}/{width}"}}
        case Outside() | Anywhere():
            for one in covers(peer, around):
                block: Raw = {"cidr": one.cidr}
                if one.excepts:
                    block["except"] = list(one.excepts)
                yield {"ipBlock": block}


def covers(peer: Outside | Anywhere, around: Surroundings) -> tuple[blocks.Cover, ...]:
    """The blocks of outside addresses."""
    if isinstance(peer, Anywhere):
        return tuple(blocks.everything(version, around.inside) for version in (4, 6))
    return blocks.cover(peer.version, peer.numbers, around.most_blocks, around.inside)


def _pods(namespace: str, selector: Raw, own: str) -> Raw:
    if namespace == own:
        return {"podSelector": selector}
    spaces = {"matchLabels": {NAME_LABEL: namespace}}
    return {"namespaceSelector": spaces, "podSelector": selector}


def _distinct(peers: list[Raw]) -> list[Raw]:
    found: list[Raw] = []
    for peer in peers:
        if peer not in found:
            found.append(peer)
    return found
