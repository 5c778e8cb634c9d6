"""NetworkPolicy as it is written, for checks: whom it selects among workloads, its raw rules."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.labels import Labelled
from martello.core.path import Path
from martello.core.resource import Resource
from martello.core.selection import Selection, selection
from martello.core.selector import MalformedSelector
from martello.core.workload import Workload
from martello.practices.network.dialects import networkpolicy
from martello.practices.network.dialects.read import KINDS, is_policy

POLICY: Final = networkpolicy.KIND
INGRESS: Final = networkpolicy.INGRESS
EGRESS: Final = networkpolicy.EGRESS
# Objects that also decide who is reached, in other dialects.
OTHER: Final = tuple(kind for kind in KINDS if kind != POLICY)
_MADE: Final = frozenset(
    (
        "apps.kubernetes.io/pod-index",
        "batch.kubernetes.io/controller-uid",
        "batch.kubernetes.io/job-completion-index",
        "batch.kubernetes.io/job-name",
        "controller-revision-hash",
        "controller-uid",
        "job-name",
        "pod-template-generation",
        "pod-template-hash",
        "statefulset.kubernetes.io/pod-name",
    )
)
_DIRECTIONS: Final = {INGRESS: ("ingress", "from"), EGRESS: ("egress", "to")}


class Malformed(ValueError):
    """A part of a policy that the API server would refuse; `path` is where it lies."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(reason)
        self.path = path


class Rule(msgspec.Struct, frozen=True):
    """One rule of a direction. No peers means everyone, no ports means every protocol and port."""

    policy: Resource
    direction: str
    path: Path
    peers: tuple[dict[str, Any], ...]
    ports: tuple[dict[str, Any], ...]

    @property
    def peers_path(self) -> Path:
        """Where the list of peers lies."""
        return (*self.path, _DIRECTIONS[self.direction][1])


def directions(policy: Resource) -> tuple[str, ...]:
    """The directions in which a policy isolates. Raises Malformed."""
    written = policy.spec.get("policyTypes")
    if written and not isinstance(written, list):
        raise Malformed(("spec", "policyTypes"), "policyTypes is no list")
    return networkpolicy.directions(policy.spec)


def pod_selector(policy: Resource) -> Any:
    """The selector of the pods a policy is about; absent means all of the namespace."""
    return policy.spec.get("podSelector") or {}


def written_labels(selector: Any) -> Any:
    """A selector or plain map without the labels that controllers put on pods when they make them:
    no template holds these.
    """
    if not isinstance(selector, dict):
        return selector
    kept = {k: v for k, v in selector.items() if k not in _MADE}
    labels = kept.get("matchLabels")
    if isinstance(labels, dict):
        kept["matchLabels"] = {k: v for k, v in labels.items() if k not in _MADE}
    return kept


def selects_all(selector: Any) -> bool:
    """Whether a selector is empty, so that it takes every pod."""
    return isinstance(selector, dict) and not any(selector.values())


def rules(policy: Resource, direction: str) -> tuple[Rule, ...]:
    """The rules of a direction, whether it is in force or not. Raises Malformed."""
    field, peer_field = _DIRECTIONS[direction]
    found: list[Rule] = []
    for index, raw in enumerate(_mappings(policy.spec.get(field), ("spec", field))):
        path: Path = ("spec", field, index)
        peers = _mappings(raw.get(peer_field), (*path, peer_field))
        ports = _mappings(raw.get("ports"), (*path, "ports"))
        found.append(Rule(policy, direction, path, peers, ports))
    return tuple(found)


def _mappings(value: Any, path: Path) -> tuple[dict[str, Any], ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise Malformed(path, f"{path[-1]} is no list")
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            raise Malformed((*path, index), f"an element of {path[-1]} is no mapping")
    return tuple(value)


def subjects(policy: Resource, cluster: Cluster) -> tuple[Workload, ...]:
    """The workloads whose pods a policy selects. Pods on the network of their node are out of its
    reach. Raises Malformed. Policies that select the same give the same tuple.
    """
    try:
        return _reachable(cluster).selected(policy.ref.namespace, pod_selector(policy))
    except MalformedSelector as error:
        raise Malformed(("spec", "podSelector"), str(error)) from None


@lru_cache(maxsize=2)
def _reachable(cluster: Cluster) -> Selection:
    return Selection(w for w in cluster.workloads() if not on_host_network(w))


def on_host_network(workload: Workload) -> bool:
    """Whether the pods share the network of their node."""
    return workload.pod.get("hostNetwork") is True


class Isolation:
    """Which workloads some policy isolates, and which policies could not be read."""

    __slots__ = ("_isolated", "broken")

    def __init__(self, cluster: Cluster) -> None:
        self._isolated: dict[str, set[int]] = {INGRESS: set(), EGRESS: set()}
        self.broken: dict[str, str] = {}
        seen: set[tuple[str, int]] = set()
        for policy in cluster.of_kind(POLICY):
            try:
                ways = directions(policy)
                selected = subjects(policy, cluster)
            except Malformed as error:
                self.broken[policy.ref.namespace] = f"{policy.ref.name}: {error}"
                continue
            for way in ways:
                if (way, id(selected)) not in seen:
                    seen.add((way, id(selected)))
                    self._isolated[way].update(id(w.resource) for w in selected)

    def isolates(self, workload: Workload, direction: str) -> bool:
        """Whether some policy isolates a workload in a direction."""
        return id(workload.resource) in self._isolated[direction]


@lru_cache(maxsize=2)
def isolation(cluster: Cluster) -> Isolation:
    """The isolation of a cluster, computed once: a Cluster never changes."""
    return Isolation(cluster)


def peer_workloads(
    peer: dict[str, Any], policy: Resource, cluster: Cluster
) -> tuple[Workload, ...] | None:
    """The workloads that a peer takes in; None where that cannot be known from the objects here:
    address blocks, and namespaces that are not here with their labels.
    """
    if peer.get("ipBlock") is not None:
        return None
    pods = peer.get("podSelector")
    spaces = peer.get("namespaceSelector")
    if pods is None and spaces is None:
        return None
    try:
        if spaces is None:
            return selection(cluster).selected(policy.ref.namespace, pods)
        matched = _namespaces(cluster).selected(spaces)
        if not matched:
            return None
        everywhere = selection(cluster)
        if pods is not None and not selects_all(pods):
            return everywhere.across(frozenset(matched), pods)
    except MalformedSelector as error:
        raise Malformed(("spec",), str(error)) from None
    return tuple(w for namespace in matched for w in everywhere.of(namespace))


@lru_cache(maxsize=2)
def _namespaces(cluster: Cluster) -> Labelled[str]:
    """The names of the namespaces whose labels are known."""
    names = dict.fromkeys(resource.ref.name for resource in cluster.of_kind("Namespace"))
    return Labelled((cluster.namespace_labels(name) or {}, name) for name in names)


def unread(cluster: Cluster) -> str:
    """Why these policies do not decide alone: another dialect, or a refused list; empty where they
    do.
    """
    if POLICY in cluster.unlisted:
        return f"network policies could not be read: {cluster.unlisted[POLICY]}"
    other = next((k for k in sorted(cluster.kinds) if k != POLICY and is_policy(k)), "")
    return f"{other} objects are here too, and decide with them" if other else ""


def each_rule(policy: Resource) -> Iterator[Rule]:
    """The rules that are in force, of all directions."""
    for direction in directions(policy):
        yield from rules(policy, direction)
