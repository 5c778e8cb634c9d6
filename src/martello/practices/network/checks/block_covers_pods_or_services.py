"""NET-010: an address block takes in pods, nodes' pod ranges or Services of the cluster."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.network.lint.policies import POLICY, Malformed, each_rule

Range = tuple[int, int, int]  # IP version, first address, last address


@check(
    "NET-010",
    severity="medium",
    profile="strict",
    kinds=(POLICY,),
    fix=("Except the ranges of pods and Services from the block, and select pods by their labels."),
    frameworks={"nsa-cisa": ["network-separation"], "owasp-k8s": ["K07"]},
    examples=(
        Example(
            True,
            """
            {apiVersion: v1, kind: Node, metadata: {name: node-1}, spec: {podCIDR: 10.1.0.0/24}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {}, egress: [{to: [
                {ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}},
                {ipBlock: {cidr: "::/0"}}, {ipBlock: {cidr: 192.168.0.0/16}}]}]}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {}, egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0}}]}]}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Node, metadata: {name: node-1}, spec: {podCIDRs: [10.1.0.0/24]}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {}, egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8,
                except: [10.2.0.0/16]}}]}]}}
            """,
            at="spec.egress[0].to[0].ipBlock",
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Service, metadata: {name: s}, spec: {clusterIP: 10.96.0.10}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.96.0.0/12}}]}]}}
            """,
            at="spec.ingress[0].from[0].ipBlock",
        ),
    ),
)
def block_covers_pods_or_services(policy: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Address block takes in pods or Services of the cluster.

    Whether a block matches the addresses of pods depends on the network plugin, and on the
    address of a Service it is undefined. The same policy therefore means one thing here and
    another thing there.
    """
    try:
        for rule in each_rule(policy):
            for index, peer in enumerate(rule.peers):
                if peer.get("ipBlock") is None:
                    continue
                path = (*rule.peers_path, index, "ipBlock")
                block, excepted = _block(peer["ipBlock"])
                if block is None:
                    yield Hit(policy, path, "the block is no address range", unassessed=True)
                    continue
                inner = _inside(block, excepted, cluster)
                if inner:
                    yield Hit(policy, path, f"the block takes in {inner} of this cluster")
    except Malformed as error:
        yield Hit(policy, error.path, str(error), unassessed=True)


def _block(raw: Any) -> tuple[Range | None, list[Range]]:
    if not isinstance(raw, dict):
        return None, []
    excepted = raw.get("except")
    found = [_range(e) for e in (excepted if isinstance(excepted, list) else ())]
    return _range(raw.get("cidr")), [r for r in found if r is not None]


def _range(text: Any) -> Range | None:
    from ipaddress import ip_network

    try:
        network = ip_network(str(text), strict=False)
    except ValueError:
        return None
    return network.version, int(network.network_address), int(network.broadcast_address)


def _inside(block: Range, excepted: list[Range], cluster: Cluster) -> str:
    """What of the cluster lies in the block and in none of its exceptions."""
    version, first, last = block
    for what, (known, low, high) in _addresses(cluster):
        if known != version or high < first or low > last:
            continue
        if not any(
            v == known and a <= max(low, first) and min(high, last) <= b for v, a, b in excepted
        ):
            return what
    return ""


@lru_cache(maxsize=2)
def _addresses(cluster: Cluster) -> tuple[tuple[str, Range], ...]:
    """The ranges of pods and the addresses of Services, each once."""
    found: dict[Range, str] = {}
    for node in cluster.of_kind("Node"):
        ranges = node.spec.get("podCIDRs")
        for text in [*(ranges if isinstance(ranges, list) else ()), node.spec.get("podCIDR")]:
            _note(found, text, "the pod range")
    for service in cluster.of_kind("Service"):
        _note(found, service.spec.get("clusterIP"), "Services")
    return tuple((what, span) for span, what in found.items())


def _note(found: dict[Range, str], text: Any, what: str) -> None:
    span = _range(text) if isinstance(text, str) else None
    if span is not None:
        found.setdefault(span, what)
