"""Every distinct edge asked of the analyser: what the proposal would deny, and by which step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.errors import Refused
from martello.core.resource import Nowhere, Resource, resource_of
from martello.practices.network.answers.explain import explain
from martello.practices.network.engine.reach import Reach, reach
from martello.practices.network.learn.atlas import Atlas
from martello.practices.network.learn.emit import MANAGED
from martello.practices.network.learn.model import NODE, WORKLOAD, Edge, Key, Party
from martello.practices.network.learn.review import lane
from martello.practices.network.model import Address, Endpoint, Node, Place, Profile

ALLOWED: Final = "allowed"
DENIED: Final = "denied"
UNKNOWN: Final = "unknown"
_SHOWN: Final = 5


class Stage:
    """The places that stand for parties, the same in every run of the analyser. Pods that are over
    are added to the world; of pods that are alike, one stands for all and a second for its peer.
    """

    def __init__(self, atlas: Atlas) -> None:
        self.atlas = atlas
        self.nodes = {node.name: node for node in atlas.world.nodes}
        self.extra: list[Endpoint] = []
        self._first: dict[tuple[Key, int], Endpoint] = {}
        self._second: dict[tuple[Key, int], Endpoint] = {}

    def prepare(self, edges: Iterable[Edge]) -> None:
        """Makes a place for every end of some edges."""
        for edge in edges:
            for party in (edge.source, edge.destination):
                if party.kind == WORKLOAD:
                    self.first(party)
                    if edge.source == edge.destination or _at_node(edge):
                        self._twin(party)

    def prepare_all(self) -> None:
        """Makes places for all workloads, so that any edge can be asked for later."""
        for key, shapes in self.atlas.shapes.items():
            for form in range(len(shapes)):
                self._twin(Party(WORKLOAD, key, form))

    def prepare_live(self, subjects: frozenset[Key]) -> None:
        """Makes places for the workloads that are there, and for those that are isolated."""
        for key, shapes in self.atlas.shapes.items():
            for form, shape in enumerate(shapes):
                if key in subjects or any(id(e) in self.atlas.live for e in shape):
                    self.first(Party(WORKLOAD, key, form))

    def first(self, party: Party) -> Endpoint:
        """The pod that stands for a party."""
        assert party.workload is not None
        key = (party.workload, party.form)
        found = self._first.get(key)
        if found is None:
            shape = self.atlas.shapes[party.workload][party.form]
            found = next((e for e in shape if id(e) in self.atlas.live), None)
            if found is None:
                found = self._added(shape[0])
            self._first[key] = found
        return found

    def prepared(self, key: Key) -> tuple[Endpoint, ...]:
        """The pods that stand for a workload: those that are there, and those evidence speaks of.
        None where it is on the network of its node.
        """
        forms = range(len(self.atlas.shapes[key]))
        found = (self._first.get((key, form)) for form in forms)
        return tuple(e for e in found if e is not None and not e.host_network)

    def places(self, edge: Edge) -> tuple[Place, Place]:
        """Source and destination of an edge. Replicas of one workload are two different pods; what
        talks to a node runs elsewhere, since a pod and its own node always reach each other.
        """
        if edge.source == edge.destination and edge.source.kind == WORKLOAD:
            return self._twin(edge.source), self.first(edge.destination)
        if _at_node(edge):
            source, destination = (
                self._twin(party) if party.kind == WORKLOAD else self._place(party)
                for party in (edge.source, edge.destination)
            )
            return source, destination
        return self._place(edge.source), self._place(edge.destination)

    def at_home(self, edge: Edge) -> tuple[Place, Place] | None:
        """The places of an edge between a node and a pod of that very node, where there is one."""
        ends = (edge.source, edge.destination)
        node = next((p.node for p in ends if p.kind == NODE), "")
        if node not in self.nodes:
            return None
        found: list[Place] = []
        for party in ends:
            if party.workload is None:
                found.append(self.nodes[node])
                continue
            shape = self.atlas.shapes[party.workload][party.form]
            found += [e for e in shape if id(e) in self.atlas.live and e.node == node][:1]
        return (found[0], found[1]) if len(found) == 2 else None

    def _place(self, party: Party) -> Place:
        if party.kind == WORKLOAD:
            return self.first(party)
        if party.kind == NODE:
            node: Node | None = self.nodes.get(party.node)
            if node is not None and node.addresses:
                return node
            known = self.atlas.nodes[party.node].addresses
            more = sorted(self.atlas.more_addresses.get(party.node, ()))
            version, number = (*known, *more)[0]
            return Address(version, number, number)
        return Address(party.version, party.address, party.address)

    def _twin(self, party: Party) -> Endpoint:
        assert party.workload is not None
        key = (party.workload, party.form)
        found = self._second.get(key)
        if found is None:
            found = self._second[key] = self._added(self.first(party))
        return found

    def _added(self, endpoint: Endpoint) -> Endpoint:
        name = f"{endpoint.pod or endpoint.workload}~{len(self.extra)}"
        found = msgspec.structs.replace(endpoint, pod=name, node="")
        self.extra.append(found)
        return found


def _at_node(edge: Edge) -> bool:
    return NODE in (edge.source.kind, edge.destination.kind)


def with_proposal(
    cluster: Cluster, policies: Iterable[dict[str, Any]], namespaces: Iterable[str]
) -> Cluster:
    """The cluster as it would be: what an earlier run proposed for these namespaces is replaced."""
    changed = [resource_of(raw, Nowhere()) for raw in policies]
    kept = {resource.ref for resource in changed}
    spaces = set(namespaces)
    removed = [
        resource.ref
        for resource in cluster.resources
        if resource.ref.namespace in spaces and _ours(resource) and resource.ref not in kept
    ]
    return cluster.apply(changed=changed, removed=removed)


def _ours(resource: Resource) -> bool:
    labels = resource.labels
    return resource.ref.name.startswith("learned-") and all(
        labels.get(key) == value for key, value in MANAGED.items()
    )


def analysed(cluster: Cluster, profile: Profile, stage: Stage) -> Reach:
    """The analyser over a cluster, with the places that evidence adds."""
    return reach(cluster, profile, extra=tuple(stage.extra))


def verdict(reached: Reach, stage: Stage, edge: Edge) -> str:
    """allowed, denied or unknown."""
    found = reached.verdict(*stage.places(edge)).verdict(edge.protocol, edge.port)
    home = stage.at_home(edge) if found != ALLOWED and _at_node(edge) else None
    if home is not None:
        return reached.verdict(*home).verdict(edge.protocol, edge.port)
    return found


class Replay(msgspec.Struct, frozen=True):
    """The edges that the proposal denies, and those nobody can tell of, before as after."""

    denied: tuple[Edge, ...]
    undecided: tuple[Edge, ...]


def replay(edges: Sequence[Edge], after: Reach, before: Reach, stage: Stage) -> Replay:
    """Asks every edge. What was certain and is not any more counts as denied."""
    denied: list[Edge] = []
    undecided: list[Edge] = []
    for edge in edges:
        found = verdict(after, stage, edge)
        if found == ALLOWED:
            continue
        if found == UNKNOWN and verdict(before, stage, edge) == UNKNOWN:
            undecided.append(edge)
        else:
            denied.append(edge)
    return Replay(tuple(denied), tuple(undecided))


def refuse(denied: Sequence[Edge], after: Reach, stage: Stage) -> None:
    """Raises Refused where an observed edge is denied: nothing of the proposal may be used."""
    if not denied:
        return
    lines = [_lost(edge, after, stage) for edge in denied[:_SHOWN]]
    flows = sum(edge.count for edge in denied)
    more = f" and {len(denied) - _SHOWN} more" if len(denied) > _SHOWN else ""
    raise Refused(
        f"the proposal would deny {flows} observed flows; nothing is written",
        "\n        ".join(lines) + more,
        "correct the policy that is named, or say why the flow should be lost with --withhold",
    )


def _lost(edge: Edge, after: Reach, stage: Stage) -> str:
    source, destination, protocol, port = lane(edge)
    text = f"{source} → {destination} {protocol} {port}"
    if edge.witnesses:
        text += f" ({edge.witnesses[0]})"
    why = lost_by(edge, after, stage)
    return f"{text} is {why}" if why else text


def lost_by(edge: Edge, after: Reach, stage: Stage) -> str:
    """The first step that does not let an edge pass, in words."""
    steps = explain(after, *stage.places(edge), edge.protocol, edge.port)
    for step in steps:
        if step.verdict != ALLOWED:
            by = f" by {step.policy.ref.local}" if step.policy is not None else ""
            return f"{step.verdict} on the way {step.direction}{by}: {step.why}"
    return ""
