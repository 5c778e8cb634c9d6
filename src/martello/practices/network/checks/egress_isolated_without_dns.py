"""NET-002: pods that may send somewhere, and cannot resolve a name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.core.selection import selection
from martello.core.workload import Workload
from martello.practices.network.lint.policies import (
    EGRESS,
    POLICY,
    Malformed,
    Rule,
    directions,
    rules,
    subjects,
)
from martello.practices.network.ports import protocol_of


@check(
    "NET-002",
    severity="low",
    kinds=(POLICY,),
    fix="Allow egress to the DNS pods on ports 53 UDP and TCP.",
    frameworks={"nsa-cisa": ["network-separation"], "owasp-k8s": ["K07"]},
    examples=(
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {containers: []}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: web},
              spec: {podSelector: {}, egress: [{to: [{podSelector: {}}], ports: [{port: 80}]}]}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: dns},
              spec: {podSelector: {}, egress: [{to: [{namespaceSelector: {}}],
                ports: [{port: 53, protocol: UDP}, {port: 53}]}]}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {containers: []}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: deny},
              spec: {podSelector: {}, policyTypes: [Egress]}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {containers: []}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: range},
              spec: {podSelector: {}, egress: [{ports: [{port: 1, endPort: 99, protocol: UDP}]}]}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {containers: []}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: web},
              spec: {podSelector: {}, egress: [{to: [{podSelector: {}}]}]}}
            """,
            at="spec.egress",
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {containers: []}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: web},
              spec: {podSelector: {matchLabels: {app: a}}, policyTypes: [Egress],
                egress: [{to: [{namespaceSelector: {}}], ports: [{port: 53}, {port: 443}]}]}}
            """,
            at="spec.egress",
        ),
    ),
)
def egress_isolated_without_dns(policy: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Pods that may send somewhere, and cannot resolve a name.

    A policy that isolates egress also cuts the way to the cluster's DNS. The pods then fail at
    the first name they look up, which looks like anything but a network policy.
    """
    path = ("spec", "egress")
    try:
        own = rules(policy, EGRESS)
        if EGRESS not in directions(policy) or not own or any(map(_lets_dns_through, own)):
            return
        resolving = _resolving(cluster)
        lost = [w for w in subjects(policy, cluster) if id(w.resource) not in resolving]
    except Malformed as error:
        yield Hit(policy, path, str(error), unassessed=True)
        return
    if lost:
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        first = lost[0].resource.ref.local
        yield Hit(policy, path, f"{first}{more} may send, but not to any DNS server on port 53")


@lru_cache(maxsize=2)
def _resolving(cluster: Cluster) -> frozenset[int]:
    """The ids of the resources whose pods some policy lets through to a DNS server. What a policy
    that cannot be read lets through is not known: all that lies in its namespace counts.
    """
    found: set[int] = set()
    seen: set[int] = set()
    for policy in cluster.of_kind(POLICY):
        pods: Sequence[Workload]
        try:
            if EGRESS not in directions(policy):
                continue
            if not any(map(_lets_dns_through, rules(policy, EGRESS))):
                continue
            pods = subjects(policy, cluster)
        except Malformed:
            pods = selection(cluster).of(policy.ref.namespace)
        if id(pods) not in seen:
            seen.add(id(pods))
            found.update(id(w.resource) for w in pods)
    return frozenset(found)


def _lets_dns_through(rule: Rule) -> bool:
    """Whether a rule has room for a DNS server: outside of the policy's own pods, on UDP 53 (or
    5353, where the servers of some platforms listen).
    """
    away = not rule.peers or any("podSelector" not in p or len(p) > 1 for p in rule.peers)
    if not away and rule.policy.ref.namespace not in ("kube-system", "openshift-dns"):
        return False
    return not rule.ports or any(_is_dns(port) for port in rule.ports)


def _is_dns(port: dict[str, Any]) -> bool:
    number, end = port.get("port"), port.get("endPort")
    if protocol_of(port) != "UDP":
        return False
    if not isinstance(number, int):
        return True  # every port, or one that the DNS pods may name
    last = end if isinstance(end, int) else number
    return number <= 53 <= last or number <= 5353 <= last
