"""NET-008: a policy names a port that no pod behind it has."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.core.workload import Workload
from martello.practices.network.lint.policies import (
    INGRESS,
    POLICY,
    Malformed,
    Rule,
    each_rule,
    peer_workloads,
    subjects,
)
from martello.practices.network.ports import protocol_of, resolves


@check(
    "NET-008",
    severity="medium",
    kinds=(POLICY,),
    fix="Use the name that a container gives its port, or the number of the port.",
    frameworks={"nsa-cisa": ["network-separation"], "owasp-k8s": ["K07"]},
    examples=(
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {containers: [{name: c, ports: [{name: http, containerPort: 80}]}]}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {}, ingress: [{ports: [{port: http}, {port: 99}]}]}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {containers: [{name: c}]}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {matchLabels: {app: b}}, ingress: [{ports: [{port: http}]}],
                egress: [{to: [{podSelector: {matchLabels: {app: b}}}], ports: [{port: http}]},
                  {to: [{ipBlock: {cidr: 10.0.0.0/8}}], ports: [{port: 80}]}]}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {containers: [{name: c, ports: [{name: http, containerPort: 80}]}]}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {}, ingress: [{ports: [{port: http, protocol: UDP}]}]}}
            """,
            at="spec.ingress[0].ports[0]",
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {containers: [{name: c, ports: [{name: http, containerPort: 80}]}]}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {}, egress: [{to: [{podSelector: {matchLabels: {app: a}}}],
                ports: [{port: http}, {port: web}]}]}}
            """,
            at="spec.egress[0].ports[1]",
        ),
        Example(
            False,
            """
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {}, egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}}],
                ports: [{port: https}]}]}}
            """,
            at="spec.egress[0].ports[0]",
        ),
    ),
)
def named_port_unresolved(policy: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Policy names a port that no pod behind it has.

    A named port is looked up in the pod that is reached. Where no container gives a port that
    name, with the same protocol, the rule lets nothing through; towards addresses outside of
    the cluster it never does.
    """
    try:
        for rule in each_rule(policy):
            for index, port in enumerate(rule.ports):
                name = port.get("port")
                if not isinstance(name, str):
                    continue
                pods, foreign = _destinations(rule, policy, cluster)
                protocol = protocol_of(port)
                path = (*rule.path, "ports", index)
                if foreign:
                    yield Hit(policy, path, f"{name} has no meaning for addresses outside")
                elif pods and not resolves(pods, name, protocol):
                    yield Hit(policy, path, f"no pod there names a {protocol} port {name}")
    except Malformed as error:
        yield Hit(policy, error.path, str(error), unassessed=True)


def _destinations(
    rule: Rule, policy: Resource, cluster: Cluster
) -> tuple[tuple[Workload, ...], bool]:
    """The pods whose ports a rule speaks of, and whether it speaks of addresses alone."""
    if rule.direction == INGRESS:
        return subjects(policy, cluster), False
    if rule.peers and all(peer.get("ipBlock") is not None for peer in rule.peers):
        return (), True
    found: tuple[Workload, ...] = ()
    for peer in rule.peers:
        pods = peer_workloads(peer, policy, cluster)
        if pods is None:
            return (), False
        found += pods
    return found, False
