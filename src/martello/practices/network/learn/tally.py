"""Flows added up to edges, in one pass and in memory that grows with distinct edges only."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Final

from martello.core.errors import BadInput
from martello.core.flow import Flow
from martello.practices.network.learn.atlas import Atlas
from martello.practices.network.learn.model import Edge, Options, Party, Unresolved
from martello.practices.network.learn.normalise import (
    ICMP,
    INITIATOR_FIRST,
    ITSELF,
    LOCAL,
    OWN_NODE,
    UNRESOLVED,
    Aside,
    Seen,
    normalise,
)

DROPPED: Final = "dropped"
_WITNESSES: Final = 3
_NAMES: Final = 16
_LISTED: Final = 1000
_MEMORY: Final = 65_536

EdgeKey = tuple[Party, Party, str, int]


class _Count:
    """What is known of one edge so far."""

    __slots__ = ("answered", "count", "first", "last", "names", "service", "witnesses")

    def __init__(self) -> None:
        self.count = 0
        self.first = inf
        self.last = 0.0
        self.witnesses: list[str] = []
        self.names: set[str] = set()
        self.service = ""
        self.answered = False

    def add(self, flow: Flow, service: str) -> None:
        """One more flow."""
        self.count += max(flow.count, 1)
        self.first = min(self.first, flow.at)
        self.last = max(self.last, flow.at)
        self.answered = self.answered or flow.verdict == "forwarded"
        self.service = self.service or service
        if flow.witness and len(self.witnesses) < _WITNESSES:
            self.witnesses.append(flow.witness)
        if flow.names and len(self.names) < _NAMES:
            self.names.update(flow.names)

    def edge(self, key: EdgeKey) -> Edge:
        """What was counted, as an edge."""
        return Edge(
            *key,
            count=self.count,
            first=0.0 if self.first == inf else self.first,
            last=self.last,
            witnesses=tuple(self.witnesses),
            names=tuple(sorted(self.names))[:_NAMES],
            service=self.service,
            answered=self.answered,
        )


class Tally:
    """What a stream of flows came to. Flows, not lines: a record that counts for many adds many."""

    def __init__(self, atlas: Atlas, options: Options) -> None:
        self.atlas = atlas
        self.options = options
        self.flows = 0
        self.aside: dict[str, int] = dict.fromkeys((ICMP, ITSELF, OWN_NODE, LOCAL, UNRESOLVED), 0)
        self.dropped = 0
        self.replayed = 0
        self.begin, self.end = inf, 0.0
        self._edges: dict[EdgeKey, _Count] = {}
        self._demand: dict[EdgeKey, _Count] = {}
        self._unresolved: dict[tuple[str, str, str, int, str], list[int | str]] = {}
        self._memory: dict[tuple[object, ...], tuple[Seen, ...] | Aside] = {}

    def add(self, flow: Flow) -> tuple[Seen, ...] | Aside:
        """Counts one flow, and says what it was."""
        times = max(flow.count, 1)
        self.flows += times
        seen = self.normal(flow)
        if isinstance(seen, Aside):
            self.aside[seen.kind] += times
            if seen.kind == UNRESOLVED:
                self._note(flow, seen.reason, times)
            return seen
        into = self._edges
        if flow.verdict == DROPPED:
            self.dropped += times
            into = self._demand
        else:
            self.replayed += times
            if flow.at:
                self.begin, self.end = min(self.begin, flow.at), max(self.end, flow.at)
        for one in seen:
            key = (one.source, one.destination, one.protocol, one.port)
            count = into.get(key)
            if count is None:
                self._room(one)
                count = into[key] = _Count()
            count.add(flow, one.service)
        return seen

    def edges(self) -> tuple[Edge, ...]:
        """The evidence, in a stable order."""
        return tuple(self._edges[key].edge(key) for key in sorted(self._edges))

    def demand(self) -> tuple[Edge, ...]:
        """What was asked for and dropped."""
        return tuple(self._demand[key].edge(key) for key in sorted(self._demand))

    def unresolved(self) -> tuple[Unresolved, ...]:
        """What could not be resolved, the most frequent first, and no more than a page of it."""
        found = [
            Unresolved(*key, count=int(count), witness=str(witness))
            for key, (count, witness) in self._unresolved.items()
        ]
        return tuple(sorted(found, key=lambda u: (-u.count, u.source, u.destination, u.port)))

    def normal(self, flow: Flow) -> tuple[Seen, ...] | Aside:
        """Flows that differ in nothing that matters are resolved once. Source ports matter where
        the direction must be guessed: such flows are not kept.
        """
        if flow.reply is None and flow.source_port and flow.reader not in INITIATOR_FIRST:
            return normalise(flow, self.atlas)
        key = (
            flow.source,
            flow.destination,
            flow.protocol,
            flow.source_port if flow.reply else flow.port,
            flow.reply,
            flow.translated,
            flow.reader in INITIATOR_FIRST,
            self.atlas.epoch(flow.source.ip, flow.at),
            self.atlas.epoch(flow.destination.ip, flow.at),
        )
        found = self._memory.get(key)
        if found is None:
            found = normalise(flow, self.atlas)
            if len(self._memory) >= _MEMORY:
                self._memory.clear()
            self._memory[key] = found
        return found

    def _room(self, seen: Seen) -> None:
        if len(self._edges) + len(self._demand) < self.options.most_edges:
            return
        busiest: dict[str, int] = {}
        for _, destination, _, _ in self._edges:
            name = str(destination.workload or destination.node or "outside")
            busiest[name] = busiest.get(name, 0) + 1
        name = max(busiest, key=lambda n: busiest[n], default="")
        raise BadInput(
            f"the flows hold more than {self.options.most_edges:,} distinct edges",
            f"most of them lead to {name}",
            "say that the internet may reach it, or learn fewer namespaces at a time",
        )

    def _note(self, flow: Flow, reason: str, times: int) -> None:
        key = (_who(flow, True), _who(flow, False), flow.protocol, flow.port, reason)
        held = self._unresolved.get(key)
        if held is not None:
            held[0] = int(held[0]) + times
        elif len(self._unresolved) < _LISTED:
            self._unresolved[key] = [times, flow.witness]


def tally(flows: Iterable[Flow], atlas: Atlas, options: Options) -> Tally:
    """All flows, added up."""
    found = Tally(atlas, options)
    for flow in flows:
        found.add(flow)
    return found


def _who(flow: Flow, source: bool) -> str:
    peer = flow.source if source else flow.destination
    name = peer.pod or peer.workload
    if name:
        return f"{peer.namespace}/{name}" if peer.namespace else name
    return peer.ip or peer.kind
