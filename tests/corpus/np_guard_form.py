"""np-guard's spelling of clusters, peers and connections, and what of it is convention."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from martello.core.cluster import Cluster
from martello.core.errors import BadInput
from martello.core.reach import FIRST_PORT, LAST_PORT, PROTOCOLS, Conn, Ports, conn
from martello.core.resource import Nowhere, Resource, resource_of
from martello.practices.network.addresses import parse_address
from martello.practices.network.decide.witness import ANYONE, Witness
from martello.practices.network.model import (
    Block,
    Endpoint,
    NamedPort,
    Policies,
    Profile,
    Requirement,
    Rule,
    Selector,
)
from martello.practices.network.selectors import selector
from martello.practices.network.world import NAME_LABEL

Raw = dict[str, Any]
PROFILE = Profile("np-guard", blocks_match_pods=False)
CONTROLLER = "{ingress-controller}"
HIDDEN = "np-guard-ingress-controller"  # where that pod lies, and what it is called
Interval = tuple[int, int]


def cluster_of(manifests: Iterable[Raw]) -> Cluster:
    """The objects as np-guard takes them: host network, addresses, phases, init containers and
    nodes are not looked at, a namespace without an object has no labels but its name, an owner
    without kind is a Pod.
    """
    flat = [raw for one in manifests for raw in _flat(one["doc"])]
    services = {_name(raw): raw for raw in flat if raw.get("kind") == "Service"}
    found = [_plain(_own_port(raw, services)) for raw in flat]
    resources: list[Resource] = []
    for raw in found:
        try:
            resources.append(resource_of(raw, Nowhere()))
        except BadInput:
            continue
    known = {r.ref.name for r in resources if r.ref.kind == "Namespace"}
    missing = {r.ref.namespace or "default" for r in resources if r.ref.kind != "Namespace"} - known
    for name in sorted(missing):
        raw = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        resources.append(resource_of(raw, Nowhere()))
    return Cluster([r for r in resources if r.ref.kind != "Node"])


def _flat(doc: Raw) -> Iterator[Raw]:
    kind = doc.get("kind", "")
    if not kind.endswith("List"):
        yield doc
        return
    known = {} if kind == "List" else {"kind": kind[:-4], "apiVersion": doc["apiVersion"]}
    for item in doc.get("items") or ():
        yield from _flat({**known, **item})


def _name(raw: Raw) -> tuple[str, str]:
    metadata = raw.get("metadata") or {}
    return metadata.get("namespace") or "default", metadata.get("name") or ""


def _own_port(raw: Raw, services: dict[tuple[str, str], Raw]) -> Raw:
    """An Ingress may name the target port of a Service; a real one names the Service's own."""
    if raw.get("kind") != "Ingress":
        return raw
    namespace = _name(raw)[0]

    def changed(value: Any) -> Any:
        if isinstance(value, list):
            return [changed(element) for element in value]
        if not isinstance(value, dict):
            return value
        port = value.get("port")
        if "name" in value and isinstance(port, dict):
            wanted = port.get("name") or port.get("number")
            spec = (services.get((namespace, value["name"])) or {}).get("spec") or {}
            for own in spec.get("ports") or ():
                if wanted in (own.get("name"), own.get("port"), own.get("targetPort")):
                    return {**value, "port": {"number": own.get("port")}}
        return {key: changed(one) for key, one in value.items()}

    return dict(changed(raw))


def _containers(raw: Any) -> Any:
    """Init containers are not looked at; of ports of one name, the first has it."""
    if isinstance(raw, list):
        return [_containers(one) for one in raw]
    if not isinstance(raw, dict):
        return raw
    found = {key: _containers(one) for key, one in raw.items() if key != "initContainers"}
    seen: set[str] = set()
    listed = raw.get("containers")
    if isinstance(listed, list):
        found["containers"] = [
            {**one, "ports": [_once(port, seen) for port in one.get("ports") or ()]}
            for one in listed
        ]
    return found


def _once(port: Raw, seen: set[str]) -> Raw:
    name = port.get("name")
    if name in seen:
        return {key: value for key, value in port.items() if key != "name"}
    seen.add(str(name))
    return port


def _plain(raw: Raw) -> Raw:
    if raw.get("kind") != "Pod":
        return {**raw, "spec": _containers(raw["spec"])} if "spec" in raw else raw
    spec = {k: v for k, v in (raw.get("spec") or {}).items() if k != "hostNetwork"}
    metadata = dict(raw.get("metadata") or {})
    owners = metadata.get("ownerReferences") or ()
    metadata["ownerReferences"] = [_owner(owner) for owner in owners]
    return {**raw, "metadata": metadata, "spec": _containers(spec), "status": {}}


def _owner(owner: Raw) -> Raw:
    """Owners are told by name: one identity may stand for several."""
    return {"kind": "Pod", **{key: value for key, value in owner.items() if key != "uid"}}


def without_pods(policies: Policies) -> Policies:
    """The policies with `networks` taken as np-guard takes them: outside of the cluster only."""
    changed = tuple(
        msgspec.structs.replace(
            policy, ingress=_outside(policy.ingress), egress=_outside(policy.egress)
        )
        for policy in policies.policies
    )
    return msgspec.structs.replace(policies, policies=changed)


def _outside(rules: tuple[Rule, ...] | None) -> tuple[Rule, ...] | None:
    if rules is None:
        return None
    return tuple(
        msgspec.structs.replace(
            rule,
            peers=tuple(
                msgspec.structs.replace(who, pods=None) if isinstance(who, Block) else who
                for who in rule.peers
            ),
        )
        if rule.peers
        else rule
        for rule in rules
    )


def named(endpoint: Endpoint) -> str:
    """`ns/name[Kind]`."""
    return f"{endpoint.name}[{endpoint.kind}]"


def hidden_pod() -> Endpoint:
    """The pod of an ingress controller of which nothing is known."""
    raw = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": HIDDEN, "namespace": HIDDEN}}
    resource = resource_of(raw, Nowhere())
    name = f"{HIDDEN}/{HIDDEN}"
    return Endpoint(name, HIDDEN, HIDDEN, "Pod", HIDDEN, {}, (), (), "", False, resource)


def by_workload(endpoints: Iterable[Endpoint]) -> dict[str, Endpoint]:
    """One endpoint stands for all of its workload."""
    found: dict[str, Endpoint] = {}
    for endpoint in endpoints:
        found.setdefault(named(endpoint), endpoint)
    return found


def ported(connections: Conn) -> Conn:
    """Protocols without ports are not looked at."""
    return Conn(connections.ranges)


def parse_conn(text: str) -> tuple[Conn, frozenset[NamedPort]]:
    """`TCP 80,90-95,UDP 53,http`: a comma goes on with the protocol before it."""
    if text == "All Connections":
        return conn([Ports(p, FIRST_PORT, LAST_PORT) for p in PROTOCOLS]), frozenset()
    ranges: list[Ports] = []
    names: list[NamedPort] = []
    protocol = ""
    for part in text.split(",") if text and text != "No Connections" else ():
        first, _, rest = part.strip().partition(" ")
        if rest:
            protocol = first
        port = rest or first
        low, dash, high = port.partition("-")
        if low.isdigit() and (not dash or high.isdigit()):
            ranges.append(Ports(protocol, int(low), int(high or low)))
        else:
            names.append(NamedPort(port, protocol))
    return conn(ranges), frozenset(names)


def parse_external(text: str) -> tuple[Interval, ...] | None:
    """The ranges of an external peer; None for any other peer."""
    found: list[Interval] = []
    for part in text.removesuffix("[External]").split(","):
        low, dash, high = part.strip().partition("-")
        ends = parse_address(low), parse_address(high)
        if not dash or ends[0] is None or ends[1] is None:
            return None
        found.append((ends[0][1], ends[1][1]))
    return tuple(found)


_EXPRESSION = re.compile(r"\{Key:([^,]*),Operator:([^,]*),Values:\[([^\]]*)\],?\}")


def parse_witness(text: str) -> Witness:
    """`[namespace with {..}]/[pod with {..}]`, `ns/[all pods]`, `entire-cluster`."""
    if text == "entire-cluster":
        return ANYONE
    namespace, _, pods = text.rpartition("/[")
    chosen = _selector(pods.removesuffix("]"), "pod with ")
    if namespace.startswith("["):
        return Witness(chosen, _selector(namespace[1:-1], "namespace with "))
    return Witness(chosen, Selector((Requirement(NAME_LABEL, "In", (namespace,)),)))


def _selector(text: str, head: str) -> Selector:
    if not text.startswith(head):
        return Selector()  # all pods, all namespaces
    inner = text[len(head) + 1 : -1]
    expressions = [
        {"key": key, "operator": operator, **({"values": values.split()} if values else {})}
        for key, operator, values in _EXPRESSION.findall(inner)
    ]
    plain = [p for p in _EXPRESSION.sub("", inner).split(",") if p]
    labels = dict(pair.split("=", 1) for pair in plain)
    return selector({"matchLabels": labels, "matchExpressions": expressions})
