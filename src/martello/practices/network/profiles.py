"""What each network plugin does where Kubernetes leaves it open, and which plugin a cluster runs.

Sources, by profile:
in-tree: NetworkPolicy's end-to-end tests and kube-network-policies match ipBlocks on pod addresses;
    a pod by way of its own Service is not defined (network-policy-api #343).
calico: issues calico #6634 (ipBlock takes in pods), ClusterNetworkPolicy since 3.32
    (network-policy-api #376), AdminNetworkPolicy since 3.29.
cilium: its documentation lists "ipBlock set with a pod IP" as missing (cilium #9209, #35212); a pod
    by way of its Service passes (#22107, #27709, fixed); ClusterNetworkPolicy since 1.20 (#47227);
    nodes are not addresses to an ipBlock unless `policy-cidr-match-mode` says so (#20550).
antrea: ipBlocks become flows on addresses (antrea #1764); a pod by way of its Service always passes
    with AntreaProxy (#5687, #5743); AdminNetworkPolicy since 1.13.
ovn: "an IP network that can be either internal or external"; its rule for hairpin addresses lets a
    pod through its Service whatever the policies are.
kindnet: built on kube-network-policies.
aws-vpc: selectors and blocks become prefixes of one trie, and an address inherits the ports of the
    blocks around it (aws-network-policy-agent); the guide of EKS says that policies are not applied
    to pods without ownerReferences, and act on one family; they act only where the agent runs with
    `--enable-network-policy=true`.
flannel: has no policies.
martello: our own filter matches addresses; a pod by way of its Service is masqueraded by the proxy.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.errors import BadInput
from martello.core.path import look_up
from martello.core.resource import Resource, strings
from martello.practices.network.addresses import cidrs, parse_range
from martello.practices.network.dialects import (
    adminnetworkpolicy,
    clusternetworkpolicy,
    networkpolicy,
)
from martello.practices.network.model import Profile

_PLAIN: Final = frozenset((networkpolicy.KIND,))
_CLUSTER: Final = frozenset((clusternetworkpolicy.KIND,))
_ADMIN: Final = frozenset((adminnetworkpolicy.KIND, adminnetworkpolicy.BASELINE_KIND))
_CILIUM: Final = frozenset(
    ("CiliumNetworkPolicy.cilium.io", "CiliumClusterwideNetworkPolicy.cilium.io")
)
_CALICO: Final = frozenset(
    f"{kind}.{group}"
    for group in ("crd.projectcalico.org", "projectcalico.org")
    for kind in ("NetworkPolicy", "GlobalNetworkPolicy")
)
_ANTREA: Final = frozenset(
    f"{kind}.crd.antrea.io" for kind in ("NetworkPolicy", "ClusterNetworkPolicy")
)
_AWS: Final = frozenset(
    f"{kind}.networking.k8s.aws" for kind in ("ClusterNetworkPolicy", "ApplicationNetworkPolicy")
)

PROFILES: Final[dict[str, Profile]] = {
    one.name: one
    for one in (
        Profile("in-tree", True, None, dialects=_PLAIN | _CLUSTER | _ADMIN),
        Profile("calico", True, None, dialects=_PLAIN | _CLUSTER | _ADMIN | _CALICO),
        Profile(
            "cilium", False, True, dialects=_PLAIN | _CLUSTER | _CILIUM, blocks_match_nodes=False
        ),
        Profile("antrea", True, True, dialects=_PLAIN | _ADMIN | _ANTREA),
        Profile("ovn", True, True, dialects=_PLAIN | _ADMIN),
        Profile("kindnet", True, None, dialects=_PLAIN | _ADMIN),
        Profile("aws-vpc", True, None, dialects=_PLAIN | _AWS, needs_owner=True),
        Profile("flannel", True, True, enforces=False, dialects=frozenset()),
        Profile("martello", True, None, dialects=_PLAIN | _CLUSTER | _ADMIN),
    )
}
# What runs on every node, in the order in which it decides: a plugin may be chained to another.
_DAEMONS: Final = (
    ("cilium", "cilium"),
    ("anetd", "cilium"),
    ("calico-node", "calico"),
    ("canal", "calico"),
    ("antrea-agent", "antrea"),
    ("ovnkube-node", "ovn"),
    ("kube-network-policies", "in-tree"),
    ("aws-node", "aws-vpc"),
    ("kindnet", "kindnet"),
    ("kube-flannel-ds", "flannel"),
    ("kube-flannel", "flannel"),
)
_AGENTS: Final = frozenset(("aws-eks-nodeagent", "aws-network-policy-agent"))
_POOLS: Final = ("IPPool.crd.projectcalico.org", "IPPool.projectcalico.org")
_POD_FLAG: Final = "--cluster-cidr="
_SERVICE_FLAG: Final = "--service-cluster-ip-range="


def profile(
    name: str, pod_ranges: tuple[str, ...] = (), service_ranges: tuple[str, ...] = ()
) -> Profile:
    """The profile of a plugin with the ranges of a cluster; an empty name leaves all open. Raises
    BadInput for a name or a range that is none.
    """
    for text in (*pod_ranges, *service_ranges):
        if parse_range(text) is None:
            raise BadInput(f"{text!r} is no range of addresses", "", "write it as 10.0.0.0/16")
    found = PROFILES.get(name) if name else Profile()
    if found is None:
        near = get_close_matches(name, PROFILES, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}?" if near else ""
        raise BadInput(f"there is no profile {name!r}", f"known: {', '.join(PROFILES)}", hint)
    return msgspec.structs.replace(found, pod_ranges=pod_ranges, service_ranges=service_ranges)


def detect(cluster: Cluster) -> Profile:
    """The profile of the plugin that the objects show, with the ranges of pods and Services; one
    that leaves all open where none is recognised.
    """
    running = _running(cluster)
    name = next((plugin for daemon, plugin in _DAEMONS if daemon in running), "")
    found = profile(name, _pod_ranges(cluster), _service_ranges(cluster))
    if name == "cilium" and _matches_nodes(cluster):
        return msgspec.structs.replace(found, blocks_match_nodes=True)
    if name == "aws-vpc" and not _agent_enabled(running["aws-node"]):
        return msgspec.structs.replace(found, enforces=False, dialects=frozenset())
    return found


def _running(cluster: Cluster) -> dict[str, Resource]:
    """DaemonSets by name, and by the label that their pods carry."""
    found: dict[str, Resource] = {}
    for resource in cluster.of_kind("DaemonSet.apps"):
        labels = strings(look_up(resource.raw, ("spec", "template", "metadata", "labels")))
        for name in (resource.ref.name, labels.get("k8s-app"), labels.get("app")):
            if name:
                found.setdefault(name, resource)
    return found


def _matches_nodes(cluster: Cluster) -> bool:
    """Whether Cilium is told to take nodes for addresses."""
    found = cluster.get("ConfigMap", "kube-system", "cilium-config")
    mode = look_up(found.raw, ("data", "policy-cidr-match-mode")) if found is not None else None
    return isinstance(mode, str) and "nodes" in mode.split()


def _agent_enabled(daemon: Resource) -> bool:
    containers = look_up(daemon.raw, ("spec", "template", "spec", "containers"))
    for container in containers if isinstance(containers, list) else ():
        if isinstance(container, dict) and container.get("name") in _AGENTS:
            return "--enable-network-policy=true" in _arguments(container)
    return False


def _arguments(container: dict[str, object]) -> list[str]:
    words: list[str] = []
    for key in ("command", "args"):
        listed = container.get(key)
        words.extend(w for w in (listed if isinstance(listed, list) else ()) if isinstance(w, str))
    return words


def _pod_ranges(cluster: Cluster) -> tuple[str, ...]:
    """From the pools of the plugin and the flags of the control plane, which cover what is to come;
    else from the nodes.
    """
    texts = [pool.spec.get("cidr") for kind in _POOLS for pool in cluster.of_kind(kind)]
    texts.extend(_flags(cluster, _POD_FLAG))
    if not _ranges(texts):
        for node in cluster.of_kind("Node"):
            listed = node.spec.get("podCIDRs")
            texts.extend(listed if isinstance(listed, list) else [node.spec.get("podCIDR")])
    return _ranges(texts)


def _service_ranges(cluster: Cluster) -> tuple[str, ...]:
    texts: list[object] = []
    for resource in cluster.of_kind("ServiceCIDR.networking.k8s.io"):
        listed = resource.spec.get("cidrs")
        texts.extend(listed if isinstance(listed, list) else ())
    return _ranges([*texts, *_flags(cluster, _SERVICE_FLAG)])


def _flags(cluster: Cluster, flag: str) -> list[object]:
    """The values of a flag of the control plane's static pods."""
    found: list[object] = []
    for pod in cluster.of_kind("Pod", "kube-system"):
        if pod.labels.get("tier") != "control-plane":
            continue
        containers = pod.spec.get("containers")
        for container in containers if isinstance(containers, list) else ():
            for word in _arguments(container) if isinstance(container, dict) else ():
                if word.startswith(flag):
                    found.extend(word.removeprefix(flag).split(","))
    return found


def _ranges(texts: list[object]) -> tuple[str, ...]:
    """The fewest CIDRs that cover these, sorted."""
    found = [parse_range(text) for text in texts if isinstance(text, str)]
    joined: list[tuple[int, int, int]] = []
    for version, first, last in sorted(one for one in found if one is not None):
        before = joined[-1] if joined else None
        if before is not None and before[0] == version and first <= before[2] + 1:
            joined[-1] = (version, before[1], max(before[2], last))
        else:
            joined.append((version, first, last))
    return tuple(text for one in joined for text in cidrs(*one))
