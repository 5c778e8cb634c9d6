"""NET-013: a rule without which nothing changes."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.practices.network.lint.shadowed import shadowed
from martello.practices.network.lint.together import reach_of_cluster


@check(
    "NET-013",
    severity="low",
    profile="strict",
    kinds=("cluster",),
    fix="Take the rule away, or correct it, if it was meant to let somebody else through.",
    frameworks={"nsa-cisa": ["network-separation"], "owasp-k8s": ["K07"]},
    examples=(
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {containers: []}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {}, ingress: [{ports: [{port: 80}]}, {ports: [{port: 81}]}]}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {containers: []}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: a}}}]},
                {from: [{ipBlock: {cidr: 10.0.0.0/8}}]}]}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {containers: []}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {}, ingress: [{}, {ports: [{port: 81}]}]}}
            """,
            at="spec.ingress[1]",
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {containers: []}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {matchLabels: {app: a}}, ingress: [{from: [{podSelector: {}}]}]}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: q},
              spec: {podSelector: {matchLabels: {app: a}}, ingress: [{from: [{podSelector: {}}]}]}}
            """,
        ),
    ),
)
def shadowed_rule(cluster: Cluster) -> Iterator[Hit]:
    """Rule changes nothing.

    Whatever it allows or denies, other rules do already, for every pod here and for those that it
    waits for. Such rules hide what really holds, and get in the way of the next change.
    """
    for shadow in shadowed(reach_of_cluster(cluster)).found:
        message = "nothing changes without it: other rules say the same already"
        yield Hit(shadow.policy.resource, shadow.rule.path, message)
