"""NET-004: a network policy that selects no pod."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.core.selection import selection
from martello.core.selector import MalformedSelector
from martello.practices.network.lint.policies import (
    POLICY,
    pod_selector,
    selects_all,
    written_labels,
)


@check(
    "NET-004",
    severity="medium",
    profile="strict",
    kinds=(POLICY,),
    fix="Correct the labels of the podSelector, or delete the policy.",
    frameworks={"nsa-cisa": ["network-separation"], "owasp-k8s": ["K07"]},
    aliases={"kube-linter": ("dangling-networkpolicy",), "kubescape": ("C-0299",)},
    examples=(
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {containers: []}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {matchExpressions: [{key: app, operator: In, values: [a, b]}]}}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: deny},
              spec: {podSelector: {}}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: other, labels: {app: a}},
              spec: {containers: []}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy,
              metadata: {name: p, namespace: shop}, spec: {podSelector: {matchLabels: {app: a}}}}
            """,
            at="spec.podSelector",
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {containers: []}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {matchLabels: {app: a},
                matchExpressions: [{key: app, operator: NotIn, values: [a]}]}}}
            """,
            at="spec.podSelector",
        ),
    ),
)
def policy_selects_nothing(policy: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Policy selects no pod.

    The pods that its author had in mind are not protected by it, mostly because a label was
    renamed or mistyped. It looks like a wall and is none.
    """
    path = ("spec", "podSelector")
    selector = pod_selector(policy)
    if selects_all(selector):
        return
    reason = cluster.hidden_workloads
    try:
        found = selection(cluster).selected(policy.ref.namespace, written_labels(selector))
    except MalformedSelector as error:
        reason = str(error)
        found = ()
    if found:
        return
    if reason:
        yield Hit(policy, path, f"cannot tell whom it selects: {reason}", unassessed=True)
        return
    where = "its namespace" if cluster.complete else "these files"
    severity = "" if cluster.complete else "low"
    yield Hit(policy, path, f"no workload of {where} has these labels", severity=severity)
