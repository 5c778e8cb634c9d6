"""A plan as CiliumNetworkPolicies: names instead of addresses where they are known, entities for
nodes, since Cilium's CIDRs match no node.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from martello.practices.network.learn.emit import (
    MANAGED,
    Surroundings,
    covers,
    denying,
    policy_names,
)
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
)

SPACE: Final = "k8s:io.kubernetes.pod.namespace"
_DNS: Final = frozenset((53, 5353))
_NOTHING: Final[dict[str, Any]] = {}  # a rule that isolates and lets nothing through
Raw = dict[str, Any]


def emit(plan: Plan, around: Surroundings) -> tuple[Raw, ...]:
    """The plan as CiliumNetworkPolicy objects, by namespace and name. Where names are used, DNS
    goes through Cilium's proxy, which learns the addresses behind them.
    """
    found: list[Raw] = []
    for namespace in denying(plan, around):
        spec: Raw = {"endpointSelector": {}, "ingress": [{}], "egress": [{}]}
        found.append(_policy(namespace, "learned-default-deny", spec))
    for direction, subjects in ((INGRESS, plan.ingress), (EGRESS, plan.egress)):
        names = policy_names(subjects, direction)
        for key, rules in subjects.items():
            selector = around.lifted[key].selector
            if selector is None:
                continue
            named = any(isinstance(p, Outside) and p.named for rule in rules for p in rule.peers)
            written = [
                raw
                for rule in rules
                for raw in _rules(rule, key.namespace, direction, around, named)
            ]
            spec = {"endpointSelector": selector, direction.lower(): written or [_NOTHING]}
            found.append(_policy(key.namespace, names[key], spec))
    names = policy_names(plan.free, "unseen")
    for key in plan.free:
        selector = around.lifted[key].selector
        if selector is not None and key.namespace in plan.namespaces:
            spec = {"endpointSelector": selector}
            spec |= {"ingress": [{"fromEntities": ["all"]}], "egress": [{"toEntities": ["all"]}]}
            found.append(_policy(key.namespace, names[key], spec))
    found.sort(key=lambda p: (p["metadata"]["namespace"], p["metadata"]["name"]))
    return tuple(found)


def _policy(namespace: str, name: str, spec: Raw) -> Raw:
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumNetworkPolicy",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(MANAGED)},
        "spec": spec,
    }


def _rules(
    rule: Allowed, own: str, direction: str, around: Surroundings, named: bool
) -> Iterator[Raw]:
    """One rule for each sort of peer: Cilium does not combine them."""
    side = "from" if direction == INGRESS else "to"
    ports: Raw = {"ports": [{"port": str(port), "protocol": proto} for proto, port in rule.ports]}
    dns = direction == EGRESS and named and all(port in _DNS for _, port in rule.ports)
    members: dict[str, list[Any]] = {}
    for peer in rule.peers:
        for name, entry in _members(peer, own, direction, around):
            listed = members.setdefault(f"{side}{name}", [])
            if entry not in listed:
                listed.append(entry)
    for name, listed in members.items():
        entry = {**ports, "rules": {"dns": [{"matchPattern": "*"}]}} if dns else ports
        if dns and name != f"{side}Endpoints":
            entry = ports
        yield {name: listed, "toPorts": [entry]}


def _members(
    peer: Peers, own: str, direction: str, around: Surroundings
) -> Iterator[tuple[str, Any]]:
    match peer:
        case Group(key):
            yield "Endpoints", _endpoints(around.lifted[key].selector or {}, key.namespace, own)
        case Labelled(namespace, label):
            selector: Raw = {"matchLabels": dict([label])} if label else {}
            yield "Endpoints", _endpoints(selector, namespace, own)
        case Everyone():
            yield "Endpoints", {"matchExpressions": [{"key": SPACE, "operator": "Exists"}]}
        case Host():
            yield "Entities", "host"
            yield "Entities", "remote-node"
        case Outside():
            numbers: Iterable[int] = peer.numbers
            if direction == EGRESS:
                numbers = peer.nameless
                for name in peer.names:
                    yield "FQDNs", {"matchName": name}
            rest = Outside(peer.version, tuple(numbers))
            yield from (("CIDRSet", _cidr(one.cidr, one.excepts)) for one in covers(rest, around))
        case Anywhere():
            yield from (("CIDRSet", _cidr(one.cidr, one.excepts)) for one in covers(peer, around))


def _cidr(cidr: str, excepts: tuple[str, ...]) -> Raw:
    return {"cidr": cidr, "except": list(excepts)} if excepts else {"cidr": cidr}


def _endpoints(selector: Raw, namespace: str, own: str) -> Raw:
    if namespace == own:
        return selector
    labels = {SPACE: namespace, **selector.get("matchLabels", {})}
    return {**selector, "matchLabels": labels}
