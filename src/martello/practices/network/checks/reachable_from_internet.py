"""NET-020: what strangers reach, by the Service and policies that let them in."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.practices.network.lint.together import reach_of_cluster
from martello.practices.network.outer.internet import ALLOWED, INGRESS, UNKNOWN, internet


@check(
    "NET-020",
    severity="medium",
    profile="strict",
    kinds=("cluster",),
    fix="List who may come in: source ranges of the Service, or an ipBlock of a policy.",
    frameworks={
        "nsa-cisa": ["network-separation"],
        "mitre-attack": ["T1133"],
        "owasp-k8s": ["K07"],
    },
    examples=(
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {containers: []}}
            ---
            {apiVersion: v1, kind: Service, metadata: {name: s}, spec: {selector: {app: a},
              ports: [{port: 80}]}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {containers: []}}
            ---
            {apiVersion: v1, kind: Service, metadata: {name: s}, spec: {selector: {app: a},
              type: LoadBalancer, externalTrafficPolicy: Local,
              allocateLoadBalancerNodePorts: false, ports: [{port: 80}]}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}]}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {containers: []}}
            ---
            {apiVersion: v1, kind: Service, metadata: {name: s}, spec: {selector: {app: a},
              type: LoadBalancer, ports: [{port: 80, targetPort: 8080}]}}
            """,
            at="spec.type",
        ),
        Example(
            False,
            """
            {apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {
              template: {metadata: {labels: {app: a}}, spec: {containers: []}}}}
            ---
            {apiVersion: v1, kind: Service, metadata: {name: s}, spec: {selector: {app: a},
              type: NodePort, ports: [{port: 80}]}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {}, ingress: [{}]}}
            """,
            at="spec.type",
        ),
    ),
)
def reachable_from_internet(cluster: Cluster) -> Iterator[Hit]:
    """Strangers reach these pods.

    A Service or a port of the node leads here from outside of the cluster, and no policy keeps
    anybody out. Whatever is wrong with the program behind it can be tried by everybody.
    """
    for entry in internet(reach_of_cluster(cluster), cluster):
        if entry.internal or entry.kind == INGRESS:
            continue
        port = f"port {entry.target} ({entry.protocol}) of {entry.workload}"
        path, element = entry.path, ""
        if entry.resource.ref.kind == "Service":
            # what a port of a Service holds changes when the server chooses its node port
            path, element = ("spec", "type"), f"{entry.protocol} {entry.target}"
        if entry.verdict == ALLOWED:
            yield Hit(entry.resource, path, f"{port} is open to everybody outside", element)
        elif entry.verdict == UNKNOWN:
            reason = f"whether strangers reach {port} is not known: {entry.reason}"
            yield Hit(entry.resource, path, reason, unassessed=True)
