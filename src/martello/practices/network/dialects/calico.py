"""A documented subset of Calico's NetworkPolicy and GlobalNetworkPolicy (S6).

Read exactly: policies of the default tier whose rules only allow (or log): `selector` (terms joined
by `&&`), `namespaceSelector`, `types`, protocols, the other side by selectors or by nets, and
destination ports. They then mean what NetworkPolicy means, whatever their order is: what is
selected is isolated and the union of the rules is allowed. Deny and Pass depend on the order among
all policies of a tier; they, other tiers, host endpoints, negations (`notNets`), HTTP, services and
service accounts put the pods that the policy selects in doubt, and so do NetworkSets.

Sources: Calico's reference of NetworkPolicy and GlobalNetworkPolicy (projectcalico.org/v3).
"""

from __future__ import annotations

import re
from typing import Any, Final

from martello.core.path import Path
from martello.core.reach import PROTOCOLS, Ports
from martello.core.resource import Resource
from martello.practices.network.dialects.form import Form, Port, one, whole
from martello.practices.network.model import (
    ACCEPT,
    EVERYTHING,
    NETWORK,
    Block,
    NamedPort,
    Pods,
    Policy,
    Requirement,
    Rule,
    Selector,
    Who,
)

GROUPS: Final = ("crd.projectcalico.org", "projectcalico.org")
KINDS: Final = tuple(
    f"{kind}.{group}" for kind in ("NetworkPolicy", "GlobalNetworkPolicy") for group in GROUPS
)
FAMILY: Final = "projectcalico.org/v3"
# Objects that selectors of rules may select beside pods.
SETS: Final = tuple(f"{kind}.{g}" for kind in ("NetworkSet", "GlobalNetworkSet") for g in GROUPS)
_SPEC: Final = frozenset(
    (
        "tier",
        "order",
        "selector",
        "namespaceSelector",
        "types",
        "ingress",
        "egress",
        "performanceHints",
    )
)
_RULE: Final = frozenset(("action", "protocol", "source", "destination", "metadata"))
_SIDE: Final = frozenset(("selector", "namespaceSelector", "nets", "ports"))
_WORD: Final = r"[A-Za-z0-9][-A-Za-z0-9_./]*"
_TEXT: Final = r"""(?:'([^']*)'|"([^"]*)")"""
_EQUAL: Final = re.compile(rf"({_WORD})\s*(==|!=)\s*{_TEXT}", re.ASCII)
_IN: Final = re.compile(rf"({_WORD})\s+(in|not\s+in)\s*\{{([^{{}}]*)\}}", re.ASCII)
_HAS: Final = re.compile(rf"(!?)\s*has\(\s*({_WORD})\s*\)", re.ASCII)
_EACH: Final = re.compile(rf"\s*{_TEXT}\s*", re.ASCII)
_LONGEST: Final = 4096
_NAMESPACE: Final = "projectcalico.org/namespace"
_NAME: Final = "projectcalico.org/name"
_METADATA_NAME: Final = "kubernetes.io/metadata.name"
_SPECIAL: Final = ("projectcalico.org/",)


def read_policies(resource: Resource) -> tuple[tuple[Policy, ...], Form]:
    """The policy, and what is wrong with it or not understood: then it has a `doubt`."""
    form = Form(resource)
    spec = form.mapping(resource.raw.get("spec"), ("spec",), _SPEC)
    if spec.get("tier") not in (None, "default"):
        form.doubtful(("spec", "tier"), "is not the default tier")
    ingress = _rules(form, spec.get("ingress"), ("spec", "ingress"))
    egress = _rules(form, spec.get("egress"), ("spec", "egress"))
    subject = _pods(form, spec, ("spec",))
    ways = _types(form, spec)
    doubt = form.doubt
    if doubt:
        ingress = egress = ()
        ways = ("Ingress", "Egress")
    policy = Policy(
        resource,
        NETWORK,
        subject,
        ingress if "Ingress" in ways else None,
        egress if "Egress" in ways else None,
        doubt=doubt,
        family=FAMILY,
    )
    return (policy,), form


def _types(form: Form, spec: dict[str, Any]) -> tuple[str, ...]:
    """Without types: those of the rules that there are, Ingress where there are none."""
    written = [way for _, way in form.elements(spec.get("types"), ("spec", "types"))]
    if any(way not in ("Ingress", "Egress") for way in written):
        form.refuse(("spec", "types"), "is neither Ingress nor Egress")
    if written:
        return tuple(str(way) for way in written)
    found = tuple(way for way in ("Ingress", "Egress") if spec.get(way.lower()))
    return found or ("Ingress",)


def _rules(form: Form, raw: Any, path: Path) -> tuple[Rule, ...]:
    near, far = ("destination", "source") if path[-1] == "ingress" else ("source", "destination")
    found: list[Rule] = []
    for at, element in form.elements(raw, path):
        rule = form.mapping(element, at, _RULE)
        action = rule.get("action")
        if action == "Log":
            continue
        if action != "Allow":
            form.doubtful((*at, "action"), f"{action!r} depends on the order of all policies")
        own = form.mapping(rule.get(near), (*at, near), ("ports",) if near == "destination" else ())
        other = form.mapping(rule.get(far), (*at, far), _SIDE)
        if far == "source" and other.get("ports"):
            form.doubtful((*at, far, "ports"), "are ports of the source")
        written = (own if near == "destination" else other).get("ports")
        ports = _ports(form, rule.get("protocol"), written, (*at, "destination", "ports"))
        found.append(Rule(ACCEPT, _peers(form, other, (*at, far)), ports, at))
    return tuple(found)


def _peers(form: Form, side: dict[str, Any], path: Path) -> tuple[Who, ...] | None:
    nets = side.get("nets")
    selects = side.get("selector") or side.get("namespaceSelector")
    if nets and selects:
        form.doubtful(path, "joins nets and selectors")
    if nets:
        blocks = [form.block(text, at) for at, text in form.elements(nets, (*path, "nets"))]
        return tuple(Block(*b, pods=True, path=path) for b in blocks if b is not None)
    return (_pods(form, side, path),) if selects else None


def _pods(form: Form, side: dict[str, Any], path: Path) -> Pods:
    """The pods of `selector` and `namespaceSelector`; without the latter those of the namespace of
    the policy, of every namespace for a global one.
    """
    own = "" if form.resource.ref.kind == "GlobalNetworkPolicy" else form.namespace
    pods, spaces = _selector(form, side.get("selector"), (*path, "selector"))
    wanted = side.get("namespaceSelector")
    if wanted in (None, "") and not spaces.requirements:
        return Pods(pods, own, path=path)
    if spaces.requirements and (own or wanted):
        form.doubtful((*path, "selector"), "selects namespaces too")
    if not wanted:
        return Pods(pods, namespaces=spaces, path=path)
    chosen, _ = _selector(form, wanted, (*path, "namespaceSelector"), _NAME)
    return Pods(pods, namespaces=chosen, path=path)


def _selector(
    form: Form, raw: Any, path: Path, named: str = _NAMESPACE
) -> tuple[Selector, Selector]:
    """A selector expression of terms joined by `&&`, and what it asks of the namespace by name. Of
    a namespaceSelector, the name is its own label.
    """
    if raw in (None, ""):
        return EVERYTHING, EVERYTHING
    if not isinstance(raw, str) or len(raw) > _LONGEST:
        form.refuse(path, "is no selector")
        return EVERYTHING, EVERYTHING
    own: list[Requirement] = []
    spaces: list[Requirement] = []
    for term in raw.split("&&"):
        text = term.strip()
        if text == "all()":
            continue
        found = _term(text)
        if found is None:
            form.doubtful(path, f"{text[:60]!r} is not understood")
        elif found.key == named:
            target = spaces if named == _NAMESPACE else own
            target.append(Requirement(_METADATA_NAME, found.operator, found.values))
        elif found.key.startswith(_SPECIAL):
            form.doubtful(path, f"selects by {found.key}")
        else:
            own.append(found)
    return Selector(tuple(sorted(set(own)))), Selector(tuple(sorted(set(spaces))))


def _term(text: str) -> Requirement | None:
    """One comparison. As with Kubernetes, `!=` and `not in` hold where the label is absent."""
    equal = _EQUAL.fullmatch(text)
    if equal is not None:
        key, operator, single, double = equal.groups()
        value = single if single is not None else double
        return Requirement(key, "In" if operator == "==" else "NotIn", (value,))
    listed = _IN.fullmatch(text)
    if listed is not None:
        key, operator, inside = listed.groups()
        values = [_EACH.fullmatch(part) for part in inside.split(",")]
        if any(value is None for value in values):
            return None
        texts = {v[1] if v[1] is not None else v[2] for v in values if v is not None}
        return Requirement(key, "In" if operator == "in" else "NotIn", tuple(sorted(texts)))
    has = _HAS.fullmatch(text)
    if has is not None:
        return Requirement(has[2], "DoesNotExist" if has[1] else "Exists")
    return None


def _ports(form: Form, protocol: Any, raw: Any, path: Path) -> tuple[Port, ...] | None:
    if protocol is None:
        if raw:
            form.doubtful(path, "stand without a protocol")
        return None
    if not isinstance(protocol, str) or protocol.upper() not in PROTOCOLS:
        form.doubtful((*path[:-2], "protocol"), f"{protocol!r} is not understood")
        return ()
    word = protocol.upper()
    if not raw:
        return (whole(word),)
    return tuple(_port(form, element, word, at) for at, element in form.elements(raw, path))


def _port(form: Form, raw: Any, protocol: str, path: Path) -> Ports | NamedPort:
    if isinstance(raw, str):
        first, colon, last = raw.partition(":")
        digits = all(t.isascii() and t.isdigit() and len(t) <= 5 for t in (first, last))
        if colon and digits:
            ends = (int(first) or 1, int(last))
            return form.span(protocol, *ends, path, ("first", "last"))
        return NamedPort(form.name(raw, path) or "", protocol)
    return one(protocol, form.port(raw, path) or 1)
