"""A documented subset of CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy (S6).

Read exactly: endpointSelector; ingress, egress and their Deny twins with endpoints, CIDRs, CIDR
sets, the entities all, world, cluster, host and remote-node, FQDN names, and toPorts by number,
range or name; enableDefaultDeny. Anything else puts the pods that the rule set selects in doubt.

Sources: Cilium's `pkg/policy/api` and `Documentation/security/policy`. What differs from
NetworkPolicy:
- an empty list of rules does not apply, a list with an empty rule isolates and allows nothing;
- a rule with toPorts alone is for everyone; members of one rule cannot be combined;
- Deny rules come before whatever any kind of policy allows, and isolate too;
- a selector without a namespace means the namespace of the policy; `k8s:` and `any:` are prefixes;
- CIDRs never match pods, nor nodes; rules of layer 7 further narrow what layer 4 lets through.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from martello.core.path import Path
from martello.core.reach import PROTOCOLS
from martello.core.resource import Resource
from martello.practices.network.dialects.form import Form, Port, one, whole
from martello.practices.network.model import (
    ACCEPT,
    ADMIN,
    DENY,
    EVERYTHING,
    NETWORK,
    Block,
    Domains,
    NamedPort,
    Nodes,
    Pods,
    Policy,
    Requirement,
    Rule,
    Selector,
    Who,
)

KIND: Final = "CiliumNetworkPolicy.cilium.io"
CLUSTERWIDE: Final = "CiliumClusterwideNetworkPolicy.cilium.io"
KINDS: Final = (KIND, CLUSTERWIDE)
FAMILY: Final = "cilium.io/v2"
_NAMESPACE: Final = "io.kubernetes.pod.namespace"
_SPACE_LABELS: Final = "io.cilium.k8s.namespace.labels."
_OTHER_LABELS: Final = ("io.cilium.", "reserved.")
_NAME_LABEL: Final = "kubernetes.io/metadata.name"
_SECTIONS: Final = ("ingress", "ingressDeny", "egress", "egressDeny")
_SPEC: Final = frozenset(
    (*_SECTIONS, "endpointSelector", "enableDefaultDeny", "description", "labels", "log")
)
_PORT_RULE: Final = frozenset(("ports", "rules"))
_PORT: Final = frozenset(("port", "endPort", "protocol"))


def read_policies(resource: Resource) -> tuple[tuple[Policy, ...], Form]:
    """The policies of an object: one of allowing rules that isolates, and one of denying rules in
    the admin tier, for its `spec` and for each of its `specs`.
    """
    form = Form(resource)
    raw = resource.raw
    listed = [(("spec",), raw["spec"])] if raw.get("spec") is not None else []
    every: list[tuple[Path, Any]] = [*listed, *form.elements(raw.get("specs"), ("specs",))]
    if not every and not form.faults:
        form.refuse(("spec",), "is required")
        every = [(("spec",), {})]
    found = [policy for path, spec in every for policy in _spec(form, spec, path)]
    doubt = form.doubt
    return tuple(_doubted(policy, doubt) for policy in found) if doubt else tuple(found), form


def _doubted(policy: Policy, doubt: str) -> Policy:
    return msgspec.structs.replace(policy, ingress=(), egress=(), doubt=doubt)


def _spec(form: Form, raw: Any, path: Path) -> list[Policy]:
    if isinstance(raw, dict) and "nodeSelector" in raw:
        form.notes.append(f"{form.resource.ref.local} is about nodes, which is not read")
        return []
    spec = form.mapping(raw, path, _SPEC)
    clusterwide = form.resource.ref.group_kind == CLUSTERWIDE
    where = (*path, "endpointSelector")
    if spec.get("endpointSelector") is None:
        form.refuse(where, "is required")
    subject = _pods(form, spec.get("endpointSelector"), where, own=not clusterwide)
    if not clusterwide and subject.namespace != form.namespace:
        form.doubtful(where, "selects another namespace")
    rules = {key: _rules(form, spec.get(key), (*path, key)) for key in _SECTIONS}
    isolates = {way: _isolates(form, spec, rules, way, path) for way in ("ingress", "egress")}
    found = [
        Policy(
            form.resource,
            NETWORK,
            subject,
            rules["ingress"] if isolates["ingress"] else None,
            rules["egress"] if isolates["egress"] else None,
            family=FAMILY,
        )
    ]
    denied = (rules["ingressDeny"] or None, rules["egressDeny"] or None)
    if any(denied):
        found.append(Policy(form.resource, ADMIN, subject, *denied, family=FAMILY))
    return found


def _isolates(
    form: Form, spec: dict[str, Any], rules: dict[str, tuple[Rule, ...]], way: str, path: Path
) -> bool:
    """A direction with rules of either sort isolates, unless enableDefaultDeny says otherwise.
    Then what its rules allow counts only beside policies that isolate: that is not told here.
    """
    where = (*path, "enableDefaultDeny")
    asked = form.mapping(spec.get("enableDefaultDeny"), where, ("ingress", "egress")).get(way)
    if asked is not None and not isinstance(asked, bool):
        form.refuse((*where, way), "must be true or false")
    if asked is False and rules[way]:
        form.doubtful((*where, way), "with rules that allow is not understood")
    return bool(rules[way] or rules[f"{way}Deny"]) if asked is None else bool(asked)


def _rules(form: Form, raw: Any, path: Path) -> tuple[Rule, ...]:
    section = str(path[-1])
    side = "from" if section.startswith("ingress") else "to"
    action = DENY if section.endswith("Deny") else ACCEPT
    members = [f"{side}{name}" for name in ("Endpoints", "CIDR", "CIDRSet", "Entities")]
    if section == "egress":
        members.append("toFQDNs")
    found: list[Rule] = []
    for at, element in form.elements(raw, path):
        rule = form.mapping(element, at, (*members, "toPorts"))
        written = [name for name in members if rule.get(name) is not None]
        if len(written) > 1:
            form.doubtful(at, f"combines {' and '.join(written)}")
        ports = _ports(form, rule.get("toPorts"), (*at, "toPorts"), action)
        peers: tuple[Who, ...] | None = () if ports is None and not written else None
        if written:
            peers = _members(form, rule, at, written[0])
        found.append(Rule(action, peers, ports, at))
    return tuple(found)


def _members(form: Form, rule: dict[str, Any], at: Path, name: str) -> tuple[Who, ...] | None:
    """The peers of the one member that a rule has; None for everyone."""
    where = (*at, name)
    if rule[name] == []:
        form.doubtful(where, "is empty, which versions read differently")
    found: list[Who] = []
    for path, element in form.elements(rule[name], where):
        if name.endswith("Endpoints"):
            clusterwide = form.resource.ref.group_kind == CLUSTERWIDE
            found.append(_pods(form, element, path, own=not clusterwide))
        elif name.endswith("Entities"):
            peers = _entity(form, element, path)
            if peers is None:
                return None
            found.extend(peers)
        elif name == "toFQDNs":
            found.extend(_domain(form, element, path))
        else:
            found.extend(_block(form, element, path))
    return tuple(found)


def _pods(form: Form, raw: Any, path: Path, *, own: bool) -> Pods:
    """An endpoint selector. `own`: without a namespace it means that of the policy."""
    pods: list[Requirement] = []
    spaces: list[Requirement] = []
    named = False
    for requirement in form.selector(_unprefixed(form, raw, path), path).requirements:
        key = requirement.key
        if key == _NAMESPACE:
            named = True
            spaces.append(Requirement(_NAME_LABEL, requirement.operator, requirement.values))
        elif key.startswith(_SPACE_LABELS):
            label = key.removeprefix(_SPACE_LABELS)
            spaces.append(Requirement(label, requirement.operator, requirement.values))
        elif key.startswith(_OTHER_LABELS):
            form.doubtful(path, f"selects by {key}")
        else:
            pods.append(requirement)
    if own and not named:
        if spaces:
            form.doubtful(path, "selects namespaces by label without naming one")
        return Pods(Selector(tuple(pods)), form.namespace, path=path)
    one_space = spaces[0].values[0] if len(spaces) == 1 and _is_name(spaces[0]) else ""
    if one_space:
        return Pods(Selector(tuple(pods)), one_space, path=path)
    chosen = Selector(tuple(sorted(spaces))) if spaces else EVERYTHING
    return Pods(Selector(tuple(pods)), namespaces=chosen, path=path)


def _is_name(requirement: Requirement) -> bool:
    """Whether a requirement on a namespace is one name."""
    named = requirement.key == _NAME_LABEL and requirement.operator == "In"
    return named and len(requirement.values) == 1


def _unprefixed(form: Form, raw: Any, path: Path) -> Any:
    """A selector without the sources of its labels, where these are Kubernetes or any."""
    if not isinstance(raw, dict):
        return raw
    found = dict(raw)
    labels, expressions = raw.get("matchLabels"), raw.get("matchExpressions")
    if isinstance(labels, dict):
        found["matchLabels"] = {_key(form, key, path): value for key, value in labels.items()}
    if isinstance(expressions, list):
        found["matchExpressions"] = [
            {**e, "key": _key(form, e.get("key"), path)} if isinstance(e, dict) else e
            for e in expressions
        ]
    return found


def _key(form: Form, key: Any, path: Path) -> Any:
    source, colon, name = key.partition(":") if isinstance(key, str) else ("", "", "")
    if not colon:
        return key
    if source not in ("k8s", "any"):
        form.doubtful(path, f"selects by labels of {source}")
    return name


def _entity(form: Form, raw: Any, path: Path) -> tuple[Who, ...] | None:
    """What an entity stands for; None for everyone. The own node of a pod is always reached."""
    match raw:
        case "all":
            return None
        case "world":
            return tuple(
                Block(version, 0, 2**bits - 1, pods=False, path=path)
                for version, bits in ((4, 32), (6, 128))
            )
        case "cluster":
            return Pods(path=path), Nodes(path=path)
        case "remote-node":
            return (Nodes(path=path),)
        case "host":
            return ()
    form.doubtful(path, f"entity {raw!r} is not understood")
    return ()


def _domain(form: Form, raw: Any, path: Path) -> tuple[Who, ...]:
    fields = form.mapping(raw, path, ("matchName",))
    name = fields.get("matchName")
    if not isinstance(name, str) or not name:
        form.doubtful(path, "is no matchName")
        return ()
    return (Domains((name.rstrip(".").lower(),), path),)


def _block(form: Form, raw: Any, path: Path) -> tuple[Who, ...]:
    """A CIDR, or a CIDR with exceptions. A lone address is a range of one."""
    fields = {"cidr": raw} if isinstance(raw, str) else form.mapping(raw, path, ("cidr", "except"))
    text = fields.get("cidr")
    if isinstance(text, str) and "/" not in text:
        text = f"{text}/{128 if ':' in text else 32}"
    block = form.block(text, path)
    gone = [form.block(e, at) for at, e in form.elements(fields.get("except"), (*path, "except"))]
    if block is None:
        return ()
    version = block[0]
    excepts = sorted((e[1], e[2]) for e in gone if e is not None and e[0] == version)
    return (Block(*block, excepts=tuple(excepts), pods=False, path=path),)


def _ports(form: Form, raw: Any, path: Path, action: str) -> tuple[Port, ...] | None:
    """The ports of all elements of toPorts; None for every port."""
    found: list[Port] = []
    everything = not raw
    for at, element in form.elements(raw, path):
        rule = form.mapping(element, at, _PORT_RULE)
        rules = rule.get("rules")
        if rules and action == DENY:
            form.doubtful((*at, "rules"), "stand in a rule that denies")
        elif isinstance(rules, dict) and set(rules) - {"dns"}:
            form.notes.append(
                f"{form.resource.ref.local}: rules of layer 7 narrow what is let through"
            )
        if not rule.get("ports"):
            everything = True
        for where, port in form.elements(rule.get("ports"), (*at, "ports")):
            found.extend(_port(form, port, where))
    return None if everything else tuple(found)


def _port(form: Form, raw: Any, path: Path) -> list[Port]:
    port = form.mapping(raw, path, _PORT)
    text, end = port.get("port"), port.get("endPort")
    written = port.get("protocol") or "ANY"
    if written == "ANY":
        protocols = list(PROTOCOLS)
    elif isinstance(written, str) and written.upper() in PROTOCOLS:
        protocols = [written.upper()]
    else:
        form.doubtful((*path, "protocol"), f"{written!r} is not understood")
        return []
    if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= 5:
        number = int(text)
    elif isinstance(text, str):
        name = form.name(text, (*path, "port")) or ""
        return [NamedPort(name, "" if written == "ANY" else protocols[0])]
    else:
        form.refuse((*path, "port"), "must be a number or a name, as text")
        return []
    if number == 0:
        return [whole(protocol) for protocol in protocols]
    if end:
        return [form.span(p, number, end, path, ("port", "endPort")) for p in protocols]
    checked = form.port(number, (*path, "port")) or 1
    return [one(protocol, checked) for protocol in protocols]
