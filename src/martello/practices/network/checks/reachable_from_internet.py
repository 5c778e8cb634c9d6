"""NET-020: what strangers reach, by the Service and policies that let them in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.workload import workload_of
from martello.practices.network.lint import reach_of_cluster
from martello.practices.network.openings import Opening, openings
from martello.practices.network.outside import public

STRANGERS: Final = (public(4), public(6))


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
              type: LoadBalancer, externalTrafficPolicy: Local, ports: [{port: 80}]}}
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
            at="metadata.labels",
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
            at="spec.template.metadata.labels",
        ),
    ),
)
def reachable_from_internet(cluster: Cluster) -> Iterator[Hit]:
    """Strangers reach these pods.

    A Service or a port of the node leads here from outside of the cluster, and no policy keeps
    anybody out. Whatever is wrong with the program behind it can be tried by everybody.
    """
    reach = reach_of_cluster(cluster)
    for opening in openings(reach.world, cluster):
        if opening.internal or not _strangers(opening):
            continue
        seen: set[int] = set()
        for endpoint in opening.endpoints:
            workload = workload_of(endpoint.resource)
            if workload is None or id(endpoint.resource) in seen or endpoint.host_network:
                continue
            seen.add(id(endpoint.resource))
            verdicts = {
                reach.verdict(part, endpoint).verdict(opening.protocol, opening.target)
                for family in STRANGERS
                for part in family
            }
            path = (*workload.metadata_path, "labels")
            port = f"port {opening.target} ({opening.protocol})"
            if "allowed" in verdicts:
                message = f"{port} is open to everybody by {opening.resource.ref.local}"
                yield Hit(endpoint.resource, path, message)
            elif "unknown" in verdicts:
                reason = f"whether strangers reach {port} is not known"
                yield Hit(endpoint.resource, path, reason, unassessed=True)


def _strangers(opening: Opening) -> bool:
    """Whether public addresses may come in."""
    if opening.sources is None:
        return True
    known = [a for family in STRANGERS for a in family]
    return any(
        s.version == a.version and s.first <= a.last and a.first <= s.last
        for s in opening.sources
        for a in known
    )
