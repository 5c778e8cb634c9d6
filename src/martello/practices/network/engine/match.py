"""Which columns the peers of a rule take in: surely, and perhaps."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from martello.practices.network.addresses import parse_range
from martello.practices.network.engine.asked import (
    resolved,
    spans_of_block,
    takes_pods,
    undecided,
)
from martello.practices.network.engine.classes import Universe
from martello.practices.network.engine.columns import (
    ADDRESS,
    HIDDEN,
    KNOWN,
    NODE,
    POD,
    Columns,
    Numbers,
)
from martello.practices.network.engine.selectors import Index
from martello.practices.network.model import (
    EVERYTHING,
    Block,
    Domains,
    Nodes,
    Pods,
    Profile,
    Who,
)

Taken = tuple[Index, Index]  # surely and perhaps; one object where both are the same
_NONE: Final = np.zeros(0, dtype=np.intp)
NOBODY: Final[Taken] = (_NONE, _NONE)


class PodIndex:
    """Things with a class of namespaces and a class of labels, found by `Pods`."""

    __slots__ = ("_ends", "_label", "_marks", "_order", "_space", "_universe", "all")

    def __init__(self, universe: Universe, space: Numbers, label: Numbers) -> None:
        self._universe = universe
        self._space = space
        self._label = label
        self._order = np.argsort(space, kind="stable")
        self._ends = np.searchsorted(space[self._order], np.arange(universe.spaces.count + 1))
        self._marks: NDArray[np.bool_] = np.zeros(universe.pods.count, dtype=bool)
        self.all: Index = np.arange(len(space))

    def find(self, who: Pods) -> Taken:
        """What `who` takes."""
        if who.namespace:
            space = self._universe.space_of.get(who.namespace)
            if space is None:
                return NOBODY
            found = self._order[self._ends[space] : self._ends[space + 1]]
            found = self._labelled(found, who)
            return found, found
        sure, perhaps = self._universe.spaces.select(who.namespaces)
        least = self._labelled(self._in(sure), who)
        return least, least if sure is perhaps else self._labelled(self._in(perhaps), who)

    def _in(self, spaces: Index) -> Index:
        if len(spaces) == self._universe.spaces.count:
            return self.all
        marks = np.zeros(self._universe.spaces.count, dtype=bool)
        marks[spaces] = True
        return np.flatnonzero(marks[self._space])

    def _labelled(self, found: Index, who: Pods) -> Index:
        if who.pods == EVERYTHING or not len(found):
            return found
        taken = self._universe.pods.select(who.pods)[0]
        self._marks[taken] = True
        found = found[self._marks[self._label[found]]]
        self._marks[taken] = False
        return found


class Matcher:
    """The columns of a universe, or some of them, asked by peers. Each peer is asked once."""

    __slots__ = ("_known", "_pods", "_profile", "_ranges", "_taken", "_universe", "columns")

    def __init__(self, universe: Universe, profile: Profile, columns: Columns) -> None:
        self._universe = universe
        self._profile = profile
        self.columns = columns
        pods = np.flatnonzero(columns.kind == POD)
        if len(pods) and pods[-1] != len(pods) - 1:
            raise ValueError("columns of pods come first")
        self._pods = PodIndex(universe, columns.space[: len(pods)], columns.label[: len(pods)])
        self._known = {
            v: np.flatnonzero((columns.version == v) & (columns.atom >= 0)) for v in HIDDEN
        }
        self._taken: dict[object, Taken] = {}
        parsed = [parse_range(text) for text in profile.pod_ranges]
        self._ranges = [one for one in parsed if one is not None]

    def columns_of(self, peers: tuple[Who, ...]) -> Taken:
        """The columns that one of some peers takes in, each once."""
        found = [self._one(who) for who in peers]
        if not found:
            return NOBODY
        if len(found) == 1:
            return found[0]
        least = _union([sure for sure, _ in found])
        if all(sure is perhaps for sure, perhaps in found):
            return least, least
        return least, _union([perhaps for _, perhaps in found])

    def _one(self, who: Who) -> Taken:
        key = _key(who, self._profile)
        found = self._taken.get(key)
        if found is None:
            found = self._taken[key] = self._find(who)
        return found

    def _find(self, who: Who) -> Taken:
        columns = self.columns
        if isinstance(who, Pods):
            return self._pods.find(who)
        if isinstance(who, Block):
            return self._block(who)
        if isinstance(who, Nodes):
            sure, perhaps = self._universe.nodes.select(who.nodes)
            nodes = np.flatnonzero(columns.kind == NODE)
            least = nodes[np.isin(columns.label[nodes], sure)]
            most = nodes[np.isin(columns.label[nodes], perhaps)]
            return least, least if sure is perhaps else most
        if isinstance(who, Domains):
            return self._domains(who)
        return _NONE, np.arange(columns.count)

    def _block(self, block: Block) -> Taken:
        columns = self.columns
        line = self._universe.names.lines[block.version]
        atoms = line.of(spans_of_block(block))
        inside = np.zeros(line.count, dtype=bool)
        inside[atoms] = True
        known = self._known[block.version]
        hit = known[inside[columns.atom[known]]]
        takes = takes_pods(block, self._profile)
        others = hit[columns.kind[hit] != POD]
        sure = [hit if takes else others]
        perhaps = [others if takes is False else hit]
        for column, (version, held) in columns.several.items():
            if version == block.version and inside[list(held)].any():
                perhaps.append(np.array([column]))
                if inside[list(held)].all():
                    sure.append(np.array([column]))
        for hidden in np.unique(columns.hidden[columns.hidden != KNOWN]).tolist():
            alike = columns.hidden == hidden
            perhaps.append(np.flatnonzero(alike & (columns.kind == NODE)))
            within = self._within(block, hidden)
            if takes is not False and within is not False:
                pods = np.flatnonzero(alike & (columns.kind == POD))
                perhaps.append(pods)
                if takes and within:
                    sure.append(pods)
        least, most = _union(sure), _union(perhaps)
        return least, least if len(least) == len(most) else most

    def _within(self, block: Block, hidden: int) -> bool | None:
        """Whether unknown addresses of pods lie in a block, by the ranges of the profile."""
        if hidden in HIDDEN.values() and hidden != HIDDEN[block.version]:
            return False
        ranges = [(a, b) for version, a, b in self._ranges if version == block.version]
        if not ranges:
            return None
        spans = spans_of_block(block)
        if all(any(first <= a and b <= last for first, last in spans) for a, b in ranges):
            return True
        if any(first <= b and a <= last for first, last in spans for a, b in ranges):
            return None
        return False

    def _domains(self, domains: Domains) -> Taken:
        lines = self._universe.names.lines
        columns = self.columns
        outside = np.flatnonzero(columns.kind == ADDRESS)
        given = {(v, lines[v].at(address)) for v, address in resolved(domains, self._profile)}
        least = _union(
            [
                outside[(columns.version[outside] == v) & (columns.atom[outside] == atom)]
                for v, atom in given
            ]
        )
        return least, outside if undecided(domains, self._profile) else least


def _union(parts: list[Index]) -> Index:
    parts = [part for part in parts if len(part)]
    if len(parts) < 2:
        return parts[0] if parts else _NONE
    return np.unique(np.concatenate(parts))


def _key(who: Who, profile: Profile) -> object:
    """What peers of the same meaning have in common, wherever they are written."""
    if isinstance(who, Pods):
        return who.pods, who.namespace, who.namespaces
    if isinstance(who, Block):
        return who.version, who.first, who.last, who.excepts, takes_pods(who, profile)
    if isinstance(who, Nodes):
        return (who.nodes,)
    return (Domains, who.names) if isinstance(who, Domains) else None
