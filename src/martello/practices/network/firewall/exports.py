"""The filter of a node in the words of others: Calico, Cilium, and plain rows for cloud groups."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from martello.practices.network.addresses import show_address
from martello.practices.network.firewall.hosts import (
    ANYONE,
    CONTROL,
    NODES,
    PODS,
    ROLES,
    Opening,
    Site,
    openings,
    sources,
)

_CALICO: Final = "projectcalico.org/v3"
_ROLE: Final = "martello-role"


def neutral(site: Site, node: str) -> dict[str, Any]:
    """Rows that any security group can hold; a source of null is everyone."""
    return {
        "node": node,
        "role": _role(site, node),
        "allow": [
            {
                "name": one.name,
                "protocol": one.protocol,
                "ports": [one.first, one.last] if one.first else None,
                "sources": None if (found := sources(site, one)) is None else list(found),
                "why": one.why,
            }
            for one in openings(site, node)
        ],
        "default": "deny",
    }


def calico(site: Site, node: str) -> list[dict[str, Any]]:
    """HostEndpoint of a node and the GlobalNetworkPolicies of its role: what comes to the node, and
    node ports before translation. Felix' own fail-safe ports stay as they are.
    """
    role = _role(site, node)
    selector = f"{_ROLE} == '{role}'"
    found = openings(site, node)
    addresses = next(one.addresses for one in site.nodes if one.name == node)
    endpoint: dict[str, Any] = {
        "apiVersion": _CALICO,
        "kind": "HostEndpoint",
        "metadata": {"name": f"{node}-host", "labels": {_ROLE: role}},
        "spec": {
            "node": node,
            "interfaceName": "*",
            "expectedIPs": [show_address(version, at) for version, at in addresses],
        },
    }
    rules = [_calico_rule(site, one) for one in found if not one.before]
    own = _calico_policy(f"martello-{role}", selector, [{**_ICMP}, {**_ICMP6}, *rules])
    policies = [own]
    before = [_calico_rule(site, one) for one in found if one.before]
    if before:
        ports = _calico_policy(f"martello-{role}-node-ports", selector, before)
        ports["spec"] |= {"preDNAT": True, "applyOnForward": True}
        policies.append(ports)
    return [endpoint, *policies]


def cilium(site: Site, node: str) -> dict[str, Any]:
    """A CiliumClusterwideNetworkPolicy for the nodes of a role (`nodeSelector`, host firewall).

    Nodes and pods are entities there: addresses of the cluster match no CIDR.
    """
    role = _role(site, node)
    operator = "Exists" if node in site.control else "DoesNotExist"
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumClusterwideNetworkPolicy",
        "metadata": {"name": f"martello-{role}"},
        "spec": {
            "description": "what nodes of this role let in",
            "nodeSelector": {"matchExpressions": [{"key": ROLES[0], "operator": operator}]},
            "ingress": [
                rule
                for one in openings(site, node)
                if one.protocol in ("TCP", "UDP", "SCTP")
                for rule in _cilium_rules(site, one)
            ],
        },
    }


_ICMP: Final = {"action": "Allow", "protocol": "ICMP"}
_ICMP6: Final = {"action": "Allow", "protocol": "ICMPv6"}


def _role(site: Site, node: str) -> str:
    return "control-plane" if node in site.control else "worker"


def _calico_policy(name: str, selector: str, ingress: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "apiVersion": _CALICO,
        "kind": "GlobalNetworkPolicy",
        "metadata": {"name": name},
        "spec": {"selector": selector, "order": 100, "types": ["Ingress"], "ingress": ingress},
    }


def _calico_rule(site: Site, one: Opening) -> dict[str, Any]:
    rule: dict[str, Any] = {"action": "Allow", "metadata": {"annotations": {"why": one.why}}}
    rule["protocol"] = 4 if one.protocol == "IPIP" else one.protocol
    if one.first:
        rule["destination"] = {"ports": [_span(one)]}
    found = sources(site, one)
    if found is not None:
        # a rule without nets would let in everyone
        rule["source"] = {"nets": list(found) or ["255.255.255.255/32"]}
    return rule


def _cilium_rules(site: Site, one: Opening) -> list[dict[str, Any]]:
    """One rule for entities, one for addresses: a rule holds one kind of source."""
    port: dict[str, Any] = {"port": str(one.first), "protocol": one.protocol}
    if one.last != one.first:
        port["endPort"] = one.last
    ports = {"toPorts": [{"ports": [port]}]}
    if ANYONE in one.groups:
        return [{"fromEntities": ["all"], **ports}]
    entities = ["host", "remote-node"] if {NODES, CONTROL} & set(one.groups) else []
    entities += ["cluster"] if PODS in one.groups else []
    outside = tuple(g for g in one.groups if g not in (NODES, CONTROL, PODS))
    ranges = sources(site, msgspec.structs.replace(one, groups=outside))
    rules: list[dict[str, Any]] = [{"fromEntities": entities, **ports}] if entities else []
    return [*rules, {"fromCIDR": list(ranges), **ports}] if ranges else rules


def _span(one: Opening) -> int | str:
    return one.first if one.first == one.last else f"{one.first}:{one.last}"
