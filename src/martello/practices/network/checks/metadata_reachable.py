"""NET-017: pods that reach the metadata address of their cloud."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.workload import workload_of
from martello.practices.network.lint.together import reach_of_cluster
from martello.practices.network.model import Address

METADATA: Final = Address(4, 0xA9FEA9FE, 0xA9FEA9FE)  # 169.254.169.254


@check(
    "NET-017",
    severity="medium",
    profile="strict",
    kinds=("cluster",),
    fix="Allow egress only where it is needed, and take 169.254.169.254/32 out of wide blocks.",
    frameworks={
        "nsa-cisa": ["network-separation"],
        "mitre-attack": ["T1552.005"],
        "owasp-k8s": ["K07"],
    },
    aliases={"kubescape": ("C-0052",)},
    examples=(
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: []}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {}, egress: [{to: [{podSelector: {}}]}]}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: []}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {}, egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0,
                except: [169.254.169.254/32]}}]}]}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {containers: []}}
            """,
            at="metadata.labels",
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {containers: []}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {}, egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0}}]}]}}
            """,
            at="metadata.labels",
        ),
    ),
)
def metadata_reachable(cluster: Cluster) -> Iterator[Hit]:
    """Pods reach the metadata address of their cloud.

    The server at 169.254.169.254 hands out the credentials of the node to whoever asks. A hole in
    one web application is then a key to the account of the cloud.
    """
    reach = reach_of_cluster(cluster)
    seen: set[int] = set()
    for endpoint in reach.world.endpoints:
        if endpoint.host_network or id(endpoint.resource) in seen:
            continue
        seen.add(id(endpoint.resource))
        verdict = reach.verdict(endpoint, METADATA).verdict("TCP", 80)
        workload = workload_of(endpoint.resource)
        if verdict == "denied" or workload is None:
            continue
        path = (*workload.metadata_path, "labels")
        if verdict == "unknown":
            yield Hit(
                endpoint.resource, path, "it is not known what its policies do", unassessed=True
            )
        else:
            yield Hit(endpoint.resource, path, "no policy keeps these pods from 169.254.169.254")
