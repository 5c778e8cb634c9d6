"""NET-023: a connection that is tried and that policies deny."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.practices.network.lint.together import hits


@check(
    "NET-023",
    severity="medium",
    profile="opt-in",
    kinds=("cluster",),
    facts=("flows",),
    fix="Allow it by a rule, where it is meant; else find out who tries, and why.",
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
def demand_denied(cluster: Cluster, *, facts: Mapping[str, Any]) -> Iterator[Hit]:
    """Policies deny what somebody tries.

    Either a policy is too narrow and something does not work, or a pod looks around where it has no
    business. Both deserve a look before the next release.
    """
    yield from hits(cluster, facts["flows"], "NET-023")
