"""NetworkPolicy `networking.k8s.io/v1` as the API server validates and defaults it.

Source: Kubernetes `pkg/apis/networking/validation/validation.go` (ValidateNetworkPolicySpec) and
`pkg/apis/networking/v1/defaults.go`.
"""

from __future__ import annotations

from typing import Any, Final

from martello.core.path import Path
from martello.core.reach import Ports
from martello.core.resource import Resource
from martello.practices.network.dialects.form import Form, one, whole
from martello.practices.network.model import (
    ACCEPT,
    NETWORK,
    Block,
    NamedPort,
    Nodes,
    Pods,
    Policy,
    Rule,
    Who,
)

KIND: Final = "NetworkPolicy.networking.k8s.io"
FAMILY: Final = "networking.k8s.io/v1"
INGRESS: Final = "Ingress"
EGRESS: Final = "Egress"
# OpenShift gives this label to one namespace without pods, which stands for the network of every
# node (release notes of 4.6: "selects host network traffic"); nobody else uses it.
_HOST_NETWORK: Final = "policy-group.network.openshift.io/host-network"
_SPEC: Final = frozenset(("podSelector", "policyTypes", "ingress", "egress"))
_PORT: Final = frozenset(("protocol", "port", "endPort"))
_PEER: Final = frozenset(("podSelector", "namespaceSelector", "ipBlock"))
_BLOCK: Final = frozenset(("cidr", "except"))


def read_policy(resource: Resource) -> tuple[Policy, Form]:
    """The policy, and what is wrong with it. Where anything is, the policy has a `doubt` and no
    rules, and governs the directions that it is written for.
    """
    form = Form(resource)
    spec = form.mapping(resource.raw.get("spec"), ("spec",), _SPEC)
    subject = Pods(
        form.selector(spec.get("podSelector"), ("spec", "podSelector")),
        form.namespace,
        path=("spec", "podSelector"),
    )
    ways = _directions(form, spec)
    ingress = _rules(form, spec.get("ingress"), ("spec", "ingress"), "from")
    egress = _rules(form, spec.get("egress"), ("spec", "egress"), "to")
    doubt = form.doubt
    if doubt:
        ingress = egress = ()
    policy = Policy(
        resource,
        NETWORK,
        subject,
        ingress if INGRESS in ways else None,
        egress if EGRESS in ways else None,
        doubt=doubt,
        family=FAMILY,
    )
    return policy, form


def directions(spec: dict[str, Any]) -> tuple[str, ...]:
    """The directions that a spec governs (P3): without policyTypes Ingress always, and Egress where
    there are egress rules.
    """
    written = spec.get("policyTypes")
    if written:
        return tuple(way for way in (INGRESS, EGRESS) if way in written)
    return (INGRESS, EGRESS) if spec.get("egress") else (INGRESS,)


def _directions(form: Form, spec: dict[str, Any]) -> tuple[str, ...]:
    """The directions of a spec; where its policyTypes are refused, all that it may mean."""
    before = len(form.faults)
    path: Path = ("spec", "policyTypes")
    for at, way in form.limited(spec.get("policyTypes"), path, 2):
        if way not in (INGRESS, EGRESS):
            form.refuse(at, f"{way!r} is neither Ingress nor Egress")
    return directions(spec) if len(form.faults) == before else (INGRESS, EGRESS)


def _rules(form: Form, raw: Any, path: Path, peer_field: str) -> tuple[Rule, ...]:
    found: list[Rule] = []
    known = frozenset((peer_field, "ports"))
    for at, element in form.elements(raw, path):
        rule = form.mapping(element, at, known)
        where = (*at, peer_field)
        listed = form.elements(rule.get(peer_field), where)
        peers = [one for to, peer in listed for one in _peer(form, peer, to)]
        ports = [_port(form, p, to) for to, p in form.elements(rule.get("ports"), (*at, "ports"))]
        found.append(Rule(ACCEPT, tuple(peers) or None, tuple(ports) or None, at))
    return tuple(found)


def _peer(form: Form, raw: Any, path: Path) -> tuple[Who, ...]:
    peer = form.mapping(raw, path, _PEER)
    pods, spaces, block = (peer.get(key) for key in ("podSelector", "namespaceSelector", "ipBlock"))
    if pods is None and spaces is None and block is None:
        form.refuse(path, "must specify a peer")
        return ()
    if block is not None:
        if pods is not None or spaces is not None:
            form.refuse(path, "may not specify both ipBlock and another peer")
        return _block(form, block, (*path, "ipBlock"))
    chosen = form.selector(pods, (*path, "podSelector"))
    if spaces is None:
        return (Pods(chosen, form.namespace, path=path),)
    namespaces = form.selector(spaces, (*path, "namespaceSelector"))
    found = Pods(chosen, namespaces=namespaces, path=path)
    if any(
        r.key == _HOST_NETWORK and r.operator != "DoesNotExist" for r in namespaces.requirements
    ):
        return found, Nodes(path=path)
    return (found,)


def _block(form: Form, raw: Any, path: Path) -> tuple[Who, ...]:
    """An ipBlock: a range less some that lie strictly inside it."""
    block = form.mapping(raw, path, _BLOCK)
    whole_range = form.block(block.get("cidr"), (*path, "cidr"))
    excepts: list[tuple[int, int]] = []
    for at, element in form.elements(block.get("except"), (*path, "except")):
        gone = form.block(element, at)
        if gone is None or whole_range is None:
            continue
        version, first, last = gone
        inside = version == whole_range[0] and whole_range[1] <= first and last <= whole_range[2]
        if not inside or (first, last) == whole_range[1:]:
            form.refuse(at, f"{element} must lie strictly inside {block.get('cidr')}")
        excepts.append((first, last))
    if whole_range is None:
        return ()
    return (Block(*whole_range, excepts=tuple(sorted(excepts)), path=path),)


def _port(form: Form, raw: Any, path: Path) -> Ports | NamedPort:
    port = form.mapping(raw, path, _PORT)
    protocol = form.protocol(port.get("protocol"), (*path, "protocol"))
    start, end = port.get("port"), port.get("endPort")
    if end is not None and not isinstance(start, int):
        reason = "needs a port" if start is None else "may not stand beside the name of a port"
        form.refuse((*path, "endPort"), reason)
        return whole(protocol)
    if start is None:
        return whole(protocol)
    if isinstance(start, str):
        return NamedPort(form.name(start, (*path, "port")) or "", protocol)
    if end is not None:
        return form.span(protocol, start, end, path, ("port", "endPort"))
    return one(protocol, form.port(start, (*path, "port")) or 1)
