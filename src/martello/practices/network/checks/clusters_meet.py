"""NET-021: clusters whose addresses overlap, or that reach each other unintended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.practices.network.lint.together import hits


@check(
    "NET-021",
    severity="medium",
    profile="opt-in",
    kinds=("cluster",),
    facts=("fleet",),
    fix="Give the clusters ranges of their own, or write between them who may reach what.",
    frameworks={"nsa-cisa": ["network-separation"]},
    examples=(
        Example(True, "{apiVersion: v1, kind: Pod, metadata: {name: other}}"),
        Example(
            True,
            """
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: other},
              spec: {podSelector: {}}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy,
              metadata: {name: db, namespace: shop}, spec: {podSelector: {}, ingress: [{}]}}
            """,
            at="spec.ingress[0]",
        ),
        Example(
            False,
            """
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy,
              metadata: {name: db, namespace: shop}, spec: {podSelector: {}, ingress: [{}, {}]}}
            """,
        ),
    ),
)
def clusters_meet(cluster: Cluster, *, facts: Mapping[str, Any]) -> Iterator[Hit]:
    """Clusters overlap, or reach each other unintended.

    Where two clusters use the same addresses, a rule about addresses means pods of both, and nobody
    can tell which. Where nothing stands between them, a foothold in one is one in the other.
    """
    yield from hits(cluster, facts["fleet"], "NET-021")
