"""NET-006: a policy opens a port that none of its pods declares."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.network.lint.policies import INGRESS, POLICY, Malformed, each_rule, subjects
from martello.practices.network.ports import declared, protocol_of, resolves


@check(
    "NET-006",
    severity="low",
    profile="strict",
    kinds=(POLICY,),
    fix="Correct the port, or declare it in the container that listens on it.",
    frameworks={"nsa-cisa": ["network-separation"], "owasp-k8s": ["K07"]},
    examples=(
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {containers: [{name: c, ports: [{containerPort: 80}]}]}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {}, ingress: [{ports: [{port: 80}, {port: 1, endPort: 90}, {}]}]}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {containers: [{name: c}]}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {}, ingress: [{ports: [{port: 80}]}]}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {containers: [{name: c, ports: [{containerPort: 80}]}]}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {}, ingress: [{ports: [{port: 80}, {port: 8080}]}]}}
            """,
            at="spec.ingress[0].ports[1]",
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {containers: [{name: c, ports: [{containerPort: 53, protocol: UDP}]}]}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {}, ingress: [{ports: [{port: 53}]}]}}
            """,
            at="spec.ingress[0].ports[0]",
        ),
    ),
)
def port_nobody_declares(policy: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Policy opens a port that none of its pods declares.

    Either the port is wrong, and the clients that the rule is for do not get through, or it is
    left over from something that no longer runs. Pods that declare no port at all are not
    judged.
    """
    try:
        pods = subjects(policy, cluster)
        silent = _silent(cluster)
        if not pods or any(id(w.resource) in silent for w in pods):
            return
        for rule in each_rule(policy):
            for index, port in enumerate(rule.ports if rule.direction == INGRESS else ()):
                number = port.get("port")
                if not isinstance(number, int) or port.get("endPort") is not None:
                    continue
                if not resolves(pods, number, protocol_of(port)):
                    message = f"no selected pod declares port {number} {protocol_of(port)}"
                    yield Hit(policy, (*rule.path, "ports", index), message)
    except Malformed as error:
        yield Hit(policy, error.path, str(error), unassessed=True)


@lru_cache(maxsize=2)
def _silent(cluster: Cluster) -> frozenset[int]:
    """The ids of the resources whose pods declare no port."""
    return frozenset(id(w.resource) for w in cluster.workloads() if not any(declared(w)))
