"""NET-014: a policy that the network plugin of this cluster does not act on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.network.lint.policies import OTHER, POLICY
from martello.practices.network.profiles import PROFILES, detect


@check(
    "NET-014",
    severity="high",
    kinds=(POLICY, *OTHER),
    params={
        "cni": {
            "type": "string",
            "enum": ["", *PROFILES],
            "default": "",
            "doc": "the network plugin; empty: as the objects of the cluster show",
        }
    },
    fix="Run a network plugin that acts on these policies, or write them in its own dialect.",
    frameworks={
        "cis-kubernetes": ["5.3.1"],
        "nsa-cisa": ["network-separation"],
        "owasp-k8s": ["K07"],
    },
    examples=(
        Example(
            True,
            """
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {}}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {}}}
            """,
            params={"cni": "calico"},
        ),
        Example(
            False,
            """
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {}}}
            """,
            at="metadata.name",
            params={"cni": "flannel"},
        ),
        Example(
            False,
            """
            {apiVersion: apps/v1, kind: DaemonSet, metadata: {name: kube-flannel-ds,
              namespace: kube-flannel}, spec: {template: {spec: {containers: []}}}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p},
              spec: {podSelector: {}}}
            """,
            at="metadata.name",
        ),
        Example(
            False,
            """
            {apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: p},
              spec: {endpointSelector: {}}}
            """,
            at="metadata.name",
            params={"cni": "calico"},
        ),
    ),
)
def plugin_enforces_nothing(
    policy: Resource, cluster: Cluster, *, params: Mapping[str, Any]
) -> Iterator[Hit]:
    """Network plugin does not act on a policy.

    The API server stores every policy that it knows the kind of; it is the plugin that drops
    packets. Where none does, the policy protects nobody, and nothing says so.
    """
    profile = PROFILES[params["cni"]] if params["cni"] else detect(cluster)
    kind = policy.ref.group_kind
    if not profile.enforces:
        message = f"{profile.name} stores policies and drops nothing"
    elif profile.dialects is not None and kind not in profile.dialects:
        message = f"{profile.name} does not act on objects of kind {policy.ref.kind}"
    else:
        return
    yield Hit(policy, ("metadata", "name"), message, once=True)
