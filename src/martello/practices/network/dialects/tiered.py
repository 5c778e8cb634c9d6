"""What ClusterNetworkPolicy and its forebears have in common: a subject, ordered rules, peers.

Source: `apis/v1alpha1` and `apis/v1alpha2` of kubernetes-sigs/network-policy-api, the types and the
validation rules in their comments.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from martello.core.path import Path
from martello.core.resource import Resource
from martello.practices.network.dialects.form import Form, Port
from martello.practices.network.model import (
    ACCEPT,
    DENY,
    EVERYTHING,
    Block,
    Domains,
    Doubtful,
    NamedPort,
    Nodes,
    Pods,
    Policy,
    Rule,
    Selector,
    Who,
)

_HIGHEST: Final = 1000  # priority
_LIST: Final = 25  # networks and domainNames of one peer
_RULE_NAME: Final = 100
_PODS: Final = frozenset(("namespaceSelector", "podSelector"))
_SUBJECT: Final = frozenset(("namespaces", "pods"))
_INGRESS_PEERS: Final = _SUBJECT
_EGRESS_PEERS: Final = _SUBJECT | {"nodes", "networks", "domainNames"}
_REMOVED: Final = frozenset(("sameLabels", "notSameLabels"))
_LABEL: Final = r"[a-zA-Z0-9]([-a-zA-Z0-9_]*[a-zA-Z0-9])?"
_DOMAIN: Final = re.compile(rf"(\*\.)?({_LABEL}\.)+{_LABEL}\.?", re.ASCII)
_CIDR_LENGTH: Final = 43


class Dialect(msgspec.Struct, frozen=True):
    """Where the versions differ: the words for actions, the limits of lists, how ports are
    written.
    """

    family: str
    actions: dict[str, str]  # as written → ours
    most: int  # rules of a direction, peers and ports of a rule
    ports: str  # the field of a rule that holds them
    port: Callable[[Form, Any, Path], tuple[Port, ...]]
    domains: bool = True  # whether egress peers may be domain names
    ranked: bool = True  # whether there is a priority


def read_tiered(form: Form, spec: dict[str, Any], dialect: Dialect, tier: str) -> Policy:
    """The policy of a spec whose tier is known."""
    subject = _subject(form, spec.get("subject"))
    priority = _priority(form, spec) if dialect.ranked else 0
    ingress = _rules(form, spec.get("ingress"), dialect, ("spec", "ingress"))
    egress = _rules(form, spec.get("egress"), dialect, ("spec", "egress"))
    doubt = form.doubt
    # Without rules a direction is not governed (C4). Where rules cannot be read, it may be.
    return Policy(
        form.resource,
        tier,
        subject,
        () if doubt else ingress or None,
        () if doubt else egress or None,
        priority,
        doubt,
        dialect.family,
    )


def _priority(form: Form, spec: dict[str, Any]) -> int:
    raw, path = spec.get("priority"), ("spec", "priority")
    if raw is None:
        form.refuse(path, "is required")
    elif not isinstance(raw, int) or isinstance(raw, bool) or not 0 <= raw <= _HIGHEST:
        form.refuse(path, f"{raw!r} is not a number from 0 to {_HIGHEST}")
    else:
        return raw
    return 0


def _subject(form: Form, raw: Any) -> Pods:
    path: Path = ("spec", "subject")
    subject = _set(form.mapping(raw, path, _SUBJECT))
    if len(subject) != 1:
        form.refuse(path, "must have exactly one of namespaces and pods")
        return Pods(path=path)
    return _pods(form, subject, path) or Pods(path=path)


def _set(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields that are not null: null is no value of these."""
    return {name: value for name, value in fields.items() if value is not None}


def _pods(form: Form, peer: dict[str, Any], path: Path) -> Pods | None:
    """`namespaces` or `pods`. The schema wants both selectors of `pods`; where one is missing, it
    is taken as empty, which is what its type gives.
    """
    if "namespaces" in peer:
        where = (*path, "namespaces")
        return Pods(namespaces=_selector(form, peer["namespaces"], where), path=where)
    if "pods" in peer:
        where = (*path, "pods")
        _refuse_removed(form, peer["pods"], where)
        pods = form.mapping(peer["pods"], where, _PODS)
        if not pods:
            form.refuse(where, "has no selector")
        return Pods(
            _selector(form, pods.get("podSelector"), (*where, "podSelector")),
            namespaces=_selector(
                form, pods.get("namespaceSelector"), (*where, "namespaceSelector")
            ),
            path=where,
        )
    return None


def _selector(form: Form, raw: Any, path: Path) -> Selector:
    if _refuse_removed(form, raw, path):
        return EVERYTHING
    return form.selector(raw, path, checked=False)


def _refuse_removed(form: Form, raw: Any, path: Path) -> bool:
    """Notes sameLabels and notSameLabels, which the API had and has no more."""
    gone = sorted(_REMOVED & raw.keys()) if isinstance(raw, dict) else []
    for name in gone:
        form.refuse((*path, name), "was removed from the API")
    return bool(gone)


def _rules(form: Form, raw: Any, dialect: Dialect, path: Path) -> tuple[Rule, ...]:
    inward = path[-1] == "ingress"
    field = "from" if inward else "to"
    known = frozenset(("name", "action", field, dialect.ports))
    found: list[Rule] = []
    for at, element in form.limited(raw, path, dialect.most):
        rule = form.mapping(element, at, known)
        action = rule.get("action")
        if not isinstance(action, str) or action not in dialect.actions:
            wrong = "is required" if action is None else f"{action!r} is not known"
            form.refuse((*at, "action"), f"{wrong}: {', '.join(dialect.actions)}")
            action = next(iter(dialect.actions))
        name = rule.get("name")
        if isinstance(name, str) and len(name) > _RULE_NAME:
            form.refuse((*at, "name"), f"is longer than {_RULE_NAME} characters")
        ours = dialect.actions[str(action)]
        peers = _peers(form, rule.get(field), (*at, field), dialect, inward, ours)
        ports = _ports(form, rule.get(dialect.ports), (*at, dialect.ports), dialect)
        if peers is None:
            found.append(_closed(ours, at))
            continue
        if not inward and _names_nowhere(peers, ports):
            form.refuse((*at, field), "cannot stand beside a named port: it has none")
        found.append(Rule(ours, peers, ports, at))
    return tuple(found)


def _closed(action: str, path: Path) -> Rule:
    """C8, from the API's own words: a rule with a peer of an unknown field is to "fail closed". To
    accept matches no traffic, anything else denies all of it.
    """
    return Rule(ACCEPT, (), None, path) if action == ACCEPT else Rule(DENY, None, None, path)


def _names_nowhere(peers: tuple[Who, ...], ports: tuple[Port, ...] | None) -> bool:
    """Whether a named port stands beside peers that are no pods: the experimental channel refuses
    it, and both say that it cannot be used so.
    """
    named = any(isinstance(port, NamedPort) for port in ports or ())
    return named and any(not isinstance(peer, Pods) for peer in peers)


def _ports(form: Form, raw: Any, path: Path, dialect: Dialect) -> tuple[Port, ...] | None:
    if raw is None:
        return None
    return tuple(
        port
        for at, element in form.limited(raw, path, dialect.most, 1)
        for port in dialect.port(form, element, at)
    )


def _peers(
    form: Form, raw: Any, path: Path, dialect: Dialect, inward: bool, action: str
) -> tuple[Who, ...] | None:
    """The peers of a rule; None where a field is not known, so that the rule fails closed."""
    if raw is None:
        form.refuse(path, "is required")
    known = _INGRESS_PEERS if inward else _EGRESS_PEERS
    if not dialect.domains:
        known -= {"domainNames"}
    found: list[Who] = []
    closed = False
    for at, element in form.limited(raw, path, dialect.most, 1):
        peer = _set(element) if isinstance(element, dict) else {}
        if len(peer) != 1:
            form.refuse(at, "must have exactly one field")
            continue
        name = str(next(iter(peer)))
        if name in _REMOVED:
            form.refuse((*at, name), "was removed from the API")
        elif name not in known:
            form.notes.append(
                f"{form.resource.ref.local}: peer {name!r} is not known: fails closed"
            )
            closed = True
        else:
            found.extend(_peer(form, peer, at, action))
    return None if closed else tuple(found)


def _peer(form: Form, peer: dict[str, Any], path: Path, action: str) -> list[Who]:
    pods = _pods(form, peer, path)
    if pods is not None:
        return [pods]
    if "nodes" in peer:
        where = (*path, "nodes")
        return [Nodes(form.selector(peer["nodes"], where, checked=False), where)]
    if "networks" in peer:
        return _networks(form, peer["networks"], (*path, "networks"))
    where = (*path, "domainNames")
    names = tuple(
        str(name).rstrip(".").lower()
        for at, name in form.limited(peer["domainNames"], where, _LIST, 1)
        if _domain(form, name, at)
    )
    if action != ACCEPT:
        return [Doubtful("domainNames are only defined for rules that accept", where)]
    return [Domains(names, where)]


def _networks(form: Form, raw: Any, path: Path) -> list[Who]:
    """CIDRs, which take in pods too: "cluster-internal traffic will be checked as well"."""
    found: list[Who] = []
    for at, text in form.limited(raw, path, _LIST, 1):
        if isinstance(text, str) and len(text) > _CIDR_LENGTH:
            form.refuse(at, f"is longer than {_CIDR_LENGTH} characters")
            continue
        block = form.block(text, at)
        if block is not None:
            found.append(Block(*block, pods=True, path=at))
    return found


def _domain(form: Form, raw: Any, path: Path) -> bool:
    if isinstance(raw, str) and len(raw) < 256 and _DOMAIN.fullmatch(raw):
        return True
    form.refuse(path, f"{raw!r} is no domain name")
    return False


def form_of(resource: Resource, known: frozenset[str]) -> tuple[Form, dict[str, Any]]:
    """A form for a resource, and its spec, which is required."""
    form = Form(resource)
    if not isinstance(resource.raw.get("spec"), dict):
        form.refuse(("spec",), "is required")
        return form, {}
    return form, form.mapping(resource.raw["spec"], ("spec",), known)
