"""From evidence to a proposal: who is isolated, what they need, the policies that say so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

import msgspec

from martello.core.errors import BadInput
from martello.practices.network.addresses import show_address
from martello.practices.network.engine.reach import Reach
from martello.practices.network.learn.atlas import Atlas
from martello.practices.network.learn.declared import declared
from martello.practices.network.learn.emit import surroundings
from martello.practices.network.learn.emitted import emitted
from martello.practices.network.learn.generalise import generalise
from martello.practices.network.learn.infrastructure import Infrastructure
from martello.practices.network.learn.lift import lift
from martello.practices.network.learn.model import (
    NETWORK_POLICY,
    OUTSIDE,
    SYSTEM,
    Edge,
    Key,
    Options,
)
from martello.practices.network.learn.plan import INGRESS, Everyone, plan, settled
from martello.practices.network.learn.replay import Stage, analysed, with_proposal

Raw = dict[str, Any]


class Course:
    """One learning: what is fixed for the whole of it."""

    def __init__(self, atlas: Atlas, found: Infrastructure, options: Options) -> None:
        self.atlas = atlas
        self.found = found
        self.options = options
        self.lifted = lift(atlas)
        self.namespaces = chosen(atlas, options)
        self.stage = Stage(atlas)
        self.declared = list(declared(atlas))
        self.hooks = tuple(found.hooks()) if options.infrastructure else ()

    def learned(self, key: Key | None) -> bool:
        """Whether a workload is one that policies may be written for."""
        return key is not None and key.namespace in self.namespaces and key in self.lifted

    def concerns(self, edge: Edge) -> bool:
        """Whether a policy that may be written bears on an edge."""
        return self.learned(edge.source.workload) or self.learned(edge.destination.workload)

    def seen(self, edges: Iterable[Edge]) -> frozenset[Key]:
        """The workloads that some evidence speaks of, and that labels can select."""
        found = {
            party.workload
            for edge in edges
            for party in (edge.source, edge.destination)
            if party.workload is not None and self.learned(party.workload)
        }
        return frozenset(key for key in found if self.lifted[key].selector is not None)

    def subjects(self, edges: Iterable[Edge]) -> tuple[frozenset[Key], tuple[Key, ...]]:
        """The workloads that are isolated, and those left free in the same namespaces."""
        seen = self.seen(edges)
        spaces = {key.namespace for key in seen}
        if self.options.isolate_unseen:
            named = {
                key
                for key, lifted in self.lifted.items()
                if self.learned(key) and lifted.selector is not None
            }
            return seen | named, ()
        rest = {k for k in self.lifted if k.namespace in spaces} - seen
        return self._tied(seen, rest)

    def _tied(self, seen: frozenset[Key], rest: set[Key]) -> tuple[frozenset[Key], tuple[Key, ...]]:
        """Workloads that labels do not tell from a seen one cannot be left free: what lets them
        through would let that one through.
        """
        isolated = set(seen)
        while True:
            more = {
                key
                for key in rest
                if isolated.intersection(self.lifted[key].also)
                and self.lifted[key].selector is not None
            }
            if not more:
                return frozenset(isolated), tuple(sorted(rest))
            isolated |= more
            rest -= more

    def extended(self, edges: Sequence[Edge], subjects: frozenset[Key]) -> list[Edge]:
        """The evidence with what infrastructure and, where asked, configuration adds to it."""
        more = list(edges)
        more += self.found.widened(edges)
        if self.options.dns:
            more += self.found.asks(sorted(subjects))
        more += self.hooks
        if self.options.include_declared:
            more += [edge for edge, _ in self.declared]
        return more

    def propose(self, edges: Sequence[Edge]) -> tuple[tuple[Raw, ...], frozenset[Key]]:
        """Policies for some evidence, and the workloads they isolate."""
        subjects, free = self.subjects(edges)
        draft = plan(self.extended(edges, subjects), subjects, self.options)
        for party, port in self.found.dns:
            if party.workload in subjects and party.workload is not None and self.options.dns:
                for protocol in ("TCP", "UDP"):
                    draft.allow(INGRESS, party.workload, Everyone(), (protocol, port))
        if self.options.merge_labels:
            generalise(draft, self.atlas)
        spaces = {key.namespace for key in subjects}
        around = surroundings(self.atlas, self.lifted, self.options.most_blocks)
        return emitted(settled(draft, spaces, free), around, self.options.dialect), subjects

    def analysed(self, policies: Sequence[Raw], edges: Iterable[Edge]) -> Reach:
        """The analyser over the cluster with a proposal. Rules by name mean the addresses that the
        evidence had under that name.
        """
        cluster = with_proposal(self.atlas.cluster, policies, self.namespaces)
        profile = self.options.profile
        if self.options.dialect != NETWORK_POLICY:
            profile = msgspec.structs.replace(profile, names=(*profile.names, *_names(edges)))
        return analysed(cluster, profile, self.stage)


def _names(edges: Iterable[Edge]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found: dict[str, set[str]] = {}
    for edge in edges:
        if edge.destination.kind == OUTSIDE:
            text = show_address(edge.destination.version, edge.destination.address)
            for name in edge.names:
                found.setdefault(name, set()).add(text)
    return tuple((name, tuple(sorted(found[name]))) for name in sorted(found))


def chosen(atlas: Atlas, options: Options) -> frozenset[str]:
    """The namespaces that are learned. Raises BadInput for one that is not here."""
    known = atlas.world.namespaces
    for name in options.namespaces:
        if name not in known:
            near = get_close_matches(name, known, n=3)
            hint = f"did you mean {', '.join(near)}?" if near else ""
            raise BadInput(f"there is no namespace {name!r} here", next=hint)
    return frozenset(options.namespaces) or frozenset(known) - SYSTEM
