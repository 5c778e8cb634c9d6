"""NET-005: a peer of a network policy that no pod is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.network.lint.policies import (
    POLICY,
    Malformed,
    each_rule,
    peer_workloads,
    selects_all,
)


@check(
    "NET-005",
    severity="low",
    profile="strict",
    kinds=(POLICY,),
    fix="Correct the labels of the peer, or remove it.",
    frameworks={"nsa-cisa": ["network-separation"], "owasp-k8s": ["K07"]},
    aliases={"kube-linter": ("dangling-networkpolicypeer-podselector",)},
    examples=(
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {containers: []}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: a}}},
                {podSelector: {}}, {ipBlock: {cidr: 10.0.0.0/8}}]}]}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {a: b}},
                podSelector: {matchLabels: {app: elsewhere}}}]}]}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {containers: []}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {}, egress: [{to: [{podSelector: {matchLabels: {app: a}}},
                {podSelector: {matchLabels: {app: b}}}]}]}}
            """,
            at="spec.egress[0].to[1]",
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Namespace, metadata: {name: ops, labels: {team: ops}}}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: dev, labels: {app: a}},
              spec: {containers: []}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy,
              metadata: {name: p, namespace: dev}, spec: {podSelector: {},
                ingress: [{from: [{namespaceSelector: {matchLabels: {team: ops}},
                  podSelector: {matchLabels: {app: a}}}]}]}}
            """,
            at="spec.ingress[0].from[0]",
        ),
    ),
)
def peer_selects_nothing(policy: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Policy names a peer that no pod is.

    The rule was written for somebody who is not let through, because the labels are not theirs.
    Where it is left over from an old workload, a pod with its labels gets in one day.
    """
    hidden = cluster.hidden_workloads
    try:
        for rule in each_rule(policy):
            for index, peer in enumerate(rule.peers):
                if peer.get("podSelector") is None or selects_all(peer["podSelector"]):
                    continue
                if peer_workloads(peer, policy, cluster) == ():
                    severity = "" if cluster.complete else "low"
                    path = (*rule.peers_path, index)
                    message = "no workload has these labels"
                    unseen = hidden or _unread(peer, cluster)
                    if unseen:
                        message = f"cannot tell whom it selects: {unseen}"
                    yield Hit(policy, path, message, severity=severity, unassessed=bool(unseen))
    except Malformed as error:
        yield Hit(policy, error.path, str(error), unassessed=True)


def _unread(peer: dict[str, Any], cluster: Cluster) -> str:
    elsewhere = cluster.read and peer.get("namespaceSelector") is not None
    return "not all namespaces were read" if elsewhere else ""
