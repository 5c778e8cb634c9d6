"""NET-022: a connection that policies allow and nobody makes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.practices.network.lint.together import hits


@check(
    "NET-022",
    severity="low",
    profile="opt-in",
    kinds=("cluster",),
    facts=("flows",),
    fix="Take the rule away, or run `martello network learn` again over a longer time.",
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
def allowed_but_unseen(cluster: Cluster, *, facts: Mapping[str, Any]) -> Iterator[Hit]:
    """Policies allow what nobody has used.

    What no workload needs only helps an attacker to move on. Flows over a long enough time, with
    monthly jobs in them, show which rules are left over.
    """
    yield from hits(cluster, facts["flows"], "NET-022")
