"""What checks share that look at policies together: conflicts of rank, and what others found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

from martello.core.check import Hit
from martello.core.cluster import Cluster
from martello.core.path import Path
from martello.core.reach import Ports
from martello.core.resource import Ref, Resource
from martello.practices.network.decide.decide import rules_of
from martello.practices.network.decide.takes import place_takes, pods_hold
from martello.practices.network.decide.witness import Reading
from martello.practices.network.dialects.read import read
from martello.practices.network.intents.promises import Intent
from martello.practices.network.model import (
    DENY,
    NETWORK,
    Endpoint,
    NamedPort,
    Policies,
    Policy,
    Profile,
    Rule,
    World,
)
from martello.practices.network.selectors import selects
from martello.practices.network.world import world

if TYPE_CHECKING:
    from martello.practices.network.engine.reach import Reach

DIRECTIONS: Final = ("in", "out")
_PLAIN: Final = Profile()


class Noted(msgspec.Struct, frozen=True):
    """What another engine found (flows against policies, several clusters): the check that it is
    for, the object (empty name: none), and why.
    """

    check: str
    ref: Ref
    message: str
    path: Path = ()


class Conflict(msgspec.Struct, frozen=True, eq=False):
    """Two rules of equal rank whose actions differ for a pod that both policies select."""

    policy: Policy
    rule: Rule
    other: Policy
    other_rule: Rule
    subject: Endpoint


class Promises(msgspec.Struct, frozen=True):
    """The intents that must hold, the plugin's ways, and what this cluster is called."""

    intents: tuple[Intent, ...]
    profile: Profile = _PLAIN
    cluster: str = ""


@lru_cache(maxsize=2)
def policies_of(cluster: Cluster) -> Policies:
    """All policies of a cluster, read once: a Cluster never changes."""
    return read(cluster, _PLAIN)


@lru_cache(maxsize=2)
def reach_of_cluster(cluster: Cluster, profile: Profile = _PLAIN) -> Reach:
    """Who reaches whom in a cluster, computed once for each plugin."""
    from martello.practices.network.engine.reach import reach

    return reach(cluster, profile)


def resource_of(cluster: Cluster, ref: Ref) -> Resource | None:
    """The object that a note speaks of."""
    return cluster.get(ref.group_kind, ref.namespace, ref.name)


def conflicts(cluster: Cluster) -> tuple[Conflict, ...]:
    """One conflict for each two policies of equal tier and priority that say different things of
    the same pods, peers and ports.
    """
    return _conflicts(cluster)


@lru_cache(maxsize=2)
def _conflicts(cluster: Cluster) -> tuple[Conflict, ...]:
    places = world(cluster, _PLAIN)
    reading = Reading(places, _PLAIN)
    ranks: dict[tuple[str, int], list[Policy]] = {}
    for policy in policies_of(cluster).policies:
        if policy.tier != NETWORK and not policy.doubt:
            ranks.setdefault((policy.tier, policy.priority), []).append(policy)
    found = []
    for members in ranks.values():
        members.sort(key=lambda policy: policy.resource.ref)
        for at, one in enumerate(members):
            for other in members[at + 1 :]:
                conflict = _between(one, other, places, reading)
                if conflict is not None:
                    found.append(conflict)
    return tuple(found)


def _between(one: Policy, other: Policy, places: World, reading: Reading) -> Conflict | None:
    both = [e for e in places.endpoints if _selects(one, e, places) and _selects(other, e, places)]
    if not both:
        return None
    for direction in DIRECTIONS:
        for rule in rules_of(one, direction) or ():
            for against in rules_of(other, direction) or ():
                if rule.action != against.action and _meet(rule, against, places, reading):
                    return Conflict(one, rule, other, against, min(both, key=lambda e: e.key))
    return None


def _selects(policy: Policy, endpoint: Endpoint, places: World) -> bool:
    held = pods_hold(policy.subject, endpoint, places)
    return not endpoint.host_network and held is True


def _meet(rule: Rule, other: Rule, places: World, reading: Reading) -> bool:
    """Whether two rules speak of a common peer and a common port, as far as pods show it."""
    if not any(_common(a, b) for a in _ports(rule) for b in _ports(other)):
        return False
    if rule.peers is None or other.peers is None:
        return rule.peers != () and other.peers != ()
    return any(
        place_takes(rule, e, reading) and place_takes(other, e, reading) for e in places.endpoints
    )


def _ports(rule: Rule) -> Sequence[Ports | NamedPort | None]:
    return (None,) if rule.ports is None else rule.ports


def _common(one: Ports | NamedPort | None, other: Ports | NamedPort | None) -> bool:
    if one is None or other is None:
        return True
    if one.protocol and other.protocol and one.protocol != other.protocol:
        return False
    if isinstance(one, NamedPort) or isinstance(other, NamedPort):
        same = isinstance(one, NamedPort) and isinstance(other, NamedPort)
        return same and one.name == other.name  # type: ignore[union-attr]
    return one.first <= other.last and other.first <= one.last


def hits(cluster: Cluster, notes: Iterable[Noted], check: str) -> Iterator[Hit]:
    """The notes for one check as its hits, each at the object that it speaks of, else at the first
    of the cluster.
    """
    for note in notes:
        if note.check != check:
            continue
        resource = resource_of(cluster, note.ref)
        if resource is not None:
            yield Hit(resource, note.path, note.message)
        elif not note.ref.name and cluster.resources:
            yield Hit(cluster.resources[0], (), note.message)


def isolated_otherwise(cluster: Cluster, resource: Resource, direction: str) -> tuple[bool, str]:
    """Whether policies of other dialects isolate the pods of a workload, or deny them something in
    a direction (in or out); and why that cannot be told, where some may.
    """
    places = world(cluster, _PLAIN)
    mine = [e for e in places.endpoints if e.resource is resource]
    mine = mine or [e for e in places.endpoints if cluster.root(e.resource) is resource]
    doubt = ""
    for policy in policies_of(cluster).policies:
        held = {pods_hold(policy.subject, endpoint, places) for endpoint in mine}
        if held <= {False}:
            continue
        rules = rules_of(policy, direction)
        if policy.doubt or None in held:
            reason = policy.doubt or "labels of its namespace are not known"
            doubt = doubt or f"{policy.resource.ref.local}: {reason}"
            continue
        isolates = policy.tier == NETWORK and rules is not None
        if isolates or any(rule.action == DENY for rule in rules or ()):
            return True, ""
    return False, doubt


def guarded_otherwise(cluster: Cluster, namespace: str) -> tuple[bool, str]:
    """Whether a cluster-wide policy denies something to every pod of a namespace on the way in, and
    why that cannot be told, where one may.
    """
    places = world(cluster, _PLAIN)
    doubt = ""
    for policy in policies_of(cluster).policies:
        subject = policy.subject
        labels = places.namespaces.get(namespace) or {}
        meant = subject.namespace == namespace or (
            not subject.namespace and selects(subject.namespaces, labels)
        )
        if not meant:
            continue
        if policy.doubt:
            doubt = doubt or f"{policy.resource.ref.local}: {policy.doubt}"
        elif subject.pods.requirements or policy.tier == NETWORK:
            continue
        elif any(rule.action == DENY for rule in policy.ingress or ()):
            return True, ""
    return False, doubt
