"""Whose an address was, and when: pods by the time they held it, nodes, Services, the outside."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import datetime
from math import inf
from typing import Any, Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.path import look_up
from martello.core.resource import Resource
from martello.practices.network.addresses import parse_address, parse_range
from martello.practices.network.learn.departed import departed
from martello.practices.network.learn.model import WORKLOAD, Key, Options, Party, Snapshot
from martello.practices.network.learn.services import Target, mappings, service_numbers
from martello.practices.network.model import Endpoint, Node
from martello.practices.network.world import world

Number = tuple[int, int]  # version and address

# What controllers put on pods when they make them: no two replicas, or no two revisions, share it.
VOLATILE: Final = frozenset(
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
# Annotations in which network plugins note addresses that a node also has.
_TUNNELS: Final = (
    "projectcalico.org/IPv4IPIPTunnelAddr",
    "projectcalico.org/IPv4VXLANTunnelAddr",
    "projectcalico.org/IPv6VXLANTunnelAddr",
    "network.cilium.io/ipv4-cilium-host",
    "network.cilium.io/ipv6-cilium-host",
)
_REMEMBERED: Final = 65_536
_TRUNCATED: Final = 1.0  # Kubernetes writes whole seconds


class Held(msgspec.Struct, frozen=True, eq=False):
    """A pod's hold on an address, from `start` to before `end` (seconds since 1970)."""

    start: float
    end: float
    endpoint: Endpoint


class Atlas:
    """Every address of a cluster over time. Built once; look-ups cost a dictionary and a bisection.

    `groups` are the workloads with all their endpoints, past ones too; `shapes` the distinct kinds
    of pods of each (labels without volatile ones, ports, network).
    """

    def __init__(self, cluster: Cluster, options: Options) -> None:
        self.cluster = cluster
        self.world = world(cluster, options.profile)
        self.groups: dict[Key, list[Endpoint]] = {}
        self.shapes: dict[Key, list[list[Endpoint]]] = {}
        self.live: set[int] = {id(e) for e in self.world.endpoints}
        self.nodes: dict[str, Node] = {node.name: node for node in self.world.nodes}
        self.node_addresses: dict[Number, str] = {}
        self.more_addresses: dict[str, set[Number]] = {}
        self.by_name: dict[tuple[str, str], list[Key]] = {}
        self.behind: dict[tuple[int, int, str, int, str], tuple[Target, ...]] = {}  # Services asked
        self.by_pod: dict[tuple[str, str], Party] = {}
        self._held: dict[Number, list[Held]] = {}
        self._starts: dict[Number, list[float]] = {}
        self._forms: dict[tuple[Key, object], int] = {}
        self._parties: dict[int, Party] = {}
        self._bounds: dict[str, list[float]] = {}
        snapshots = sorted(options.history, key=lambda s: s.at)
        self.states = [*snapshots, Snapshot(inf, cluster)]
        self._times = [snapshot.at for snapshot in snapshots]
        for endpoint in self.world.endpoints:
            self._take(endpoint)
        self._add_pods()
        self._add_nodes()
        self.pod_ranges = _ranges(
            options.profile.pod_ranges,
            (r for n in self.nodes.values() for r in n.pod_ranges),
            self._held,
        )
        self.service_ranges = _ranges(
            options.profile.service_ranges,
            (),
            (n for s in self.states for n in service_numbers(s.cluster)),
        )

    def party_of(self, endpoint: Endpoint) -> Party:
        """The party that stands for an endpoint of the atlas."""
        return self._parties[id(endpoint)]

    def holder(self, number: Number, at: float) -> Endpoint | None:
        """The pod that held an address at a time; time 0 asks for the present holder."""
        held = self._held.get(number)
        if held is None:
            return None
        if not at:
            last = held[-1]
            return last.endpoint if id(last.endpoint) in self.live else None
        index = bisect_right(self._starts[number], at) - 1
        if index < 0 or at >= held[index].end:
            return None
        return held[index].endpoint

    def epoch(self, text: str, at: float) -> int:
        """Which of the stretches of time, within which an address means one thing, a time is in."""
        bounds = self._bounds.get(text)
        if bounds is None:
            number = parse_address(text)
            held = self._held.get(number, ()) if number is not None else ()
            times = {t for h in held for t in (h.start, h.end)} | {s.at for s in self.states}
            bounds = sorted(times)
            if len(self._bounds) < _REMEMBERED:
                self._bounds[text] = bounds
        return bisect_right(bounds, at) if at else -1

    def ever_pod(self, number: Number) -> bool:
        """Whether an address belongs to pods, now or ever."""
        return number in self._held or _inside(number, self.pod_ranges)

    def in_services(self, number: Number) -> bool:
        """Whether an address lies in the ranges of Services."""
        return _inside(number, self.service_ranges)

    def state(self, at: float) -> Cluster:
        """The cluster as it was at a time: the last state known by then, else the first."""
        if not at or len(self.states) == 1:
            return self.cluster
        index = bisect_right(self._times, at) - 1
        return self.states[max(index, 0)].cluster

    def _take(self, endpoint: Endpoint) -> Party:
        key = Key(endpoint.namespace, endpoint.workload, endpoint.kind)
        labels = frozenset((k, v) for k, v in endpoint.labels.items() if k not in VOLATILE)
        shape = (key, (labels, endpoint.ports, endpoint.host_network))
        if key not in self.groups:
            self.by_name.setdefault((key.namespace, key.name), []).append(key)
        group = self.groups.setdefault(key, [])
        shapes = self.shapes.setdefault(key, [])
        form = self._forms.get(shape)
        if form is None:
            form = self._forms[shape] = len(shapes)
            shapes.append([])
        group.append(endpoint)
        shapes[form].append(endpoint)
        party = Party(WORKLOAD, key, form)
        self._parties[id(endpoint)] = party
        if endpoint.pod:
            self.by_pod[(endpoint.namespace, endpoint.pod)] = party
        return party

    def _add_pods(self) -> None:
        """Holds of all pods of all states; where two claim one address, the later start wins."""
        present = {(e.namespace, e.pod): e for e in self.world.endpoints if e.pod}
        found: dict[str, tuple[float, float, Endpoint]] = {}
        for index, snapshot in enumerate(self.states):
            after = self.states[index + 1].at if index + 1 < len(self.states) else inf
            for pod in snapshot.cluster.of_kind("Pod"):
                ref = pod.ref
                name = f"{ref.namespace}/{ref.name}/{pod.metadata.get('uid', '')}"
                endpoint = None
                if snapshot.cluster is self.cluster:
                    endpoint = present.get((ref.namespace or "default", ref.name))
                    if endpoint is not None and endpoint.resource is not pod:
                        continue
                start, end = _life(pod, after)
                if endpoint is None:
                    known = found.get(name)
                    endpoint = known[2] if known else departed(pod, snapshot.cluster)
                found[name] = (start, end, endpoint)
        for start, end, endpoint in found.values():
            if id(endpoint) not in self._parties:
                self._take(endpoint)
            if not endpoint.host_network:
                for number in endpoint.addresses:
                    self._held.setdefault(number, []).append(Held(start, end, endpoint))
        for number, held in self._held.items():
            held.sort(key=lambda h: (h.start, id(h.endpoint) in self.live))
            self._held[number] = [
                msgspec.structs.replace(h, end=min(h.end, held[i + 1].start))
                if i + 1 < len(held)
                else h
                for i, h in enumerate(held)
            ]
            self._starts[number] = [h.start for h in held]

    def _add_nodes(self) -> None:
        for node in self.world.nodes:
            self.node_addresses.update(dict.fromkeys(node.addresses, node.name))
            for version, first, last in node.pod_ranges:
                # The bridge of a node, and its end of a tunnel, take the first addresses.
                for number in ((version, first), (version, first + 1)):
                    if first + 1 < last and number not in self._held:
                        self.node_addresses.setdefault(number, node.name)
            for key in _TUNNELS:
                text = node.resource.annotations.get(key) if node.resource else None
                number_ = parse_address(text) if text else None
                if number_ is not None:
                    self.node_addresses.setdefault(number_, node.name)
        for pod in self.cluster.of_kind("Pod"):
            host, name = look_up(pod.raw, ("status", "hostIP")), pod.spec.get("nodeName")
            number_ = parse_address(host) if isinstance(host, str) else None
            if number_ is None or not isinstance(name, str) or number_ in self.node_addresses:
                continue
            self.node_addresses[number_] = name
            known = self.nodes.get(name) or Node(name, {}, ())
            self.nodes[name] = Node(
                name, known.labels, (*known.addresses, number_), known.pod_ranges, known.resource
            )


def _life(pod: Resource, after: float) -> tuple[float, float]:
    """From when to when a pod held its addresses, as far as its object tells."""
    status = pod.raw.get("status")
    status = status if isinstance(status, dict) else {}
    start = _when(status.get("startTime")) or _when(pod.metadata.get("creationTimestamp")) or 0.0
    end = after
    if status.get("phase") in ("Succeeded", "Failed"):
        ends = [
            _when(look_up(one, ("state", "terminated", "finishedAt")))
            for one in mappings(status.get("containerStatuses"))
        ]
        known = [one for one in ends if one]
        if known:
            end = min(end, max(known) + _TRUNCATED)
    return start, end


def _when(text: Any) -> float | None:
    """Seconds since 1970 of an RFC 3339 time."""
    if not isinstance(text, str):
        return None
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return None


def _ranges(
    texts: Iterable[str], known: Iterable[tuple[int, int, int]], held: Iterable[Number]
) -> tuple[tuple[int, int, int], ...]:
    """Ranges as given or read; else the least block around the addresses that are held."""
    found = [one for one in map(parse_range, texts) if one is not None]
    found += known
    for version, width, widest in ((4, 32, 8), (6, 128, 32)):
        numbers = [n for v, n in held if v == version and not _inside((v, n), found)]
        if numbers:
            bits = (min(numbers) ^ max(numbers)).bit_length()
            bits = min(max(bits, 8), width - widest)
            for base in sorted({n >> bits for n in numbers})[:64]:
                found.append((version, base << bits, ((base + 1) << bits) - 1))
    return tuple(sorted(set(found)))


def _inside(number: Number, ranges: Iterable[tuple[int, int, int]]) -> bool:
    version, value = number
    return any(v == version and first <= value <= last for v, first, last in ranges)
