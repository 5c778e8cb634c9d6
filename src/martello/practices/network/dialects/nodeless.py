"""Ranges of addresses for plugins to which nodes are no addresses."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from martello.core.cluster import Cluster
from martello.practices.network.model import Block, Policy, Rule, Who
from martello.practices.network.world import world


def without_nodes(policy: Policy, cluster: Cluster) -> Policy:
    """The policy with the addresses of the nodes taken out of its ranges: they are entities."""
    nodes = _nodes(cluster)
    if not nodes:
        return policy
    return msgspec.structs.replace(
        policy,
        ingress=_less(policy.ingress, nodes),
        egress=_less(policy.egress, nodes),
    )


def _less(
    rules: tuple[Rule, ...] | None, nodes: tuple[tuple[int, int], ...]
) -> tuple[Rule, ...] | None:
    if rules is None:
        return None
    return tuple(
        rule
        if rule.peers is None
        else msgspec.structs.replace(rule, peers=tuple(_aside(peer, nodes) for peer in rule.peers))
        for rule in rules
    )


def _aside(peer: Who, nodes: tuple[tuple[int, int], ...]) -> Who:
    if not isinstance(peer, Block):
        return peer
    inside = [(n, n) for v, n in nodes if v == peer.version and peer.first <= n <= peer.last]
    return msgspec.structs.replace(peer, excepts=tuple(sorted({*peer.excepts, *inside})))


@lru_cache(maxsize=2)
def _nodes(cluster: Cluster) -> tuple[tuple[int, int], ...]:
    """The addresses of all nodes."""
    return tuple(address for node in world(cluster).nodes for address in node.addresses)
