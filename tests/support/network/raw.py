"""Raw Kubernetes objects of a test read by hand: pods, nodes, labels, addresses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

Raw = Mapping[str, Any]
Answer = bool | None


@dataclass(frozen=True)
class End:
    """One end of a connection: a pod, a node, or an address; `ips` by family, 4 and 6."""

    key: str
    kind: str
    ips: Mapping[int, str] = field(default_factory=dict)
    node: str = ""
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[tuple[str, str, int], ...] = ()  # name, protocol, number


def every(answers: Iterable[Answer]) -> Answer:
    """All of them hold: False wins, then doubt."""
    seen = set(answers)
    return False if False in seen else None if None in seen else True


def some(answers: Iterable[Answer]) -> Answer:
    """One of them holds: True wins, then doubt."""
    seen = set(answers)
    return True if True in seen else None if None in seen else False


def selects(selector: Raw | None, labels: Mapping[str, str], known: bool = True) -> Answer:
    """A label selector; where the labels are not all known, an absent key is in doubt."""
    selector = selector or {}
    wanted = [(k, "In", [v]) for k, v in (selector.get("matchLabels") or {}).items()]
    for one in selector.get("matchExpressions") or ():
        wanted.append((one["key"], one["operator"], one.get("values") or []))
    answers: list[Answer] = []
    for key, operator, values in wanted:
        if key not in labels and not known:
            answers.append(None)
        elif operator == "In":
            answers.append(key in labels and labels[key] in values)
        elif operator == "NotIn":
            answers.append(key not in labels or labels[key] not in values)
        else:
            answers.append((key in labels) == (operator == "Exists"))
    return every(answers)


def inside(ip: str, cidr: str, excepts: Sequence[str] = ()) -> bool:
    """An address in a block, less its exceptions; the families never mix."""
    return _address(ip) in _network(cidr) and not any(inside(ip, one) for one in excepts)


def same(ip: str | None, text: str) -> bool:
    """Two spellings of one address."""
    return bool(ip and text) and _address(ip or "") == _address(text)


@cache
def _address(ip: str) -> IPv4Address | IPv6Address:
    return ip_address(ip)


@cache
def _network(cidr: str) -> IPv4Network | IPv6Network:
    return ip_network(cidr, strict=False)


def pod_of(raw: Raw, nodes: Mapping[str, Raw]) -> End:
    """A pod as an end; on the network of its node it has the addresses of the node."""
    spec, status = raw["spec"], raw.get("status") or {}
    host = bool(spec.get("hostNetwork"))
    ips = [one["ip"] for one in status.get("podIPs") or ()] or [status.get("podIP")]
    if host and not ips[0] and spec.get("nodeName") in nodes:
        ips = node_ips(nodes[spec["nodeName"]])
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    return End(
        f"{namespace_of(raw)}/{raw['metadata']['name']}",
        "host" if host else "pod",
        {ip_address(ip).version: ip for ip in ips if ip},
        spec.get("nodeName", ""),
        namespace_of(raw),
        labels_of(raw),
        tuple(
            (p.get("name", ""), p.get("protocol", "TCP"), p["containerPort"])
            for c in containers
            for p in c.get("ports") or ()
        ),
    )


def directions(spec: Raw) -> set[str]:
    """Without policyTypes: ingress always, egress only where it has rules."""
    types = spec.get("policyTypes")
    if types:
        return {one.lower() for one in types}
    return {"ingress", "egress"} if spec.get("egress") else {"ingress"}


def ended(pod: Raw) -> bool:
    """A pod that has run to its end has no network any more."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def namespace_of(raw: Raw) -> str:
    """A manifest without a namespace is of `default`."""
    return raw["metadata"].get("namespace") or "default"


def labels_of(raw: Raw) -> dict[str, str]:
    """The labels of an object."""
    return dict(raw["metadata"].get("labels") or {})


def node_ips(node: Raw) -> list[str]:
    """The addresses of a node."""
    return [
        one["address"]
        for one in (node.get("status") or {}).get("addresses") or ()
        if one["type"].endswith("IP")
    ]
