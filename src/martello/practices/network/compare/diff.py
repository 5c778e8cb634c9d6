"""What changes between two states of a cluster, in meaning: who may reach whom, on which ports.

Places are matched by name. Workloads that every rule of both states treats alike are compared
once; addresses are cut at the boundaries of both. A pod and its own node are left out where there
are NetworkPolicies only: these never come between them.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import islice, product
from typing import Final, Protocol

import msgspec

from martello.core.reach import NONE, Reachability
from martello.practices.network.addresses import name_of
from martello.practices.network.compare import pairwise
from martello.practices.network.compare.alike import Alike, Celled
from martello.practices.network.model import (
    NETWORK,
    Address,
    Endpoint,
    Node,
    Place,
    Policies,
    Profile,
    World,
)

ADDED: Final = "added"
REMOVED: Final = "removed"
CHANGED: Final = "changed"
DOUBT: Final = "doubt"  # what surely passes is the same, what may pass is not
MOST: Final = 100_000
NOTHING: Final = Reachability(NONE)


class Answers(pairwise.Blocks, Protocol):
    """What answers for one state: a `Reach`."""

    @property
    def world(self) -> World:
        """The places."""
        ...

    @property
    def cells(self) -> Celled:
        """The endpoints that nothing tells apart."""
        ...

    @property
    def policies(self) -> Policies:
        """All policies."""
        ...

    @property
    def profile(self) -> Profile:
        """What the network plugin does."""
        ...

    def verdict(self, source: Place, destination: Place, family: int = 0) -> Reachability:
        """What passes from one place to another."""
        ...

    def addresses(self, version: int) -> tuple[Address, ...]:
        """The intervals outside that rules tell apart."""
        ...


class Change(msgspec.Struct, frozen=True):
    """One pair for which the answer is another. An end outside is a range of addresses, joined
    where neighbours change alike. `new` and `gone` name the ends that only one state has.
    """

    kind: str  # added, removed, changed or doubt
    source: str
    destination: str
    before: Reachability
    after: Reachability
    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    outside: Address | None = None  # the end that is a range


class Difference(msgspec.Struct, frozen=True):
    """All changes, and the places that only one state has. `more`: there are further changes."""

    changes: tuple[Change, ...]
    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    more: bool = False


def diff(before: Answers, after: Answers, *, most: int = MOST) -> Difference:
    """Every pair that changes, up to a number. What passes between two workloads passes between
    some pods of them.
    """
    both = _Both(before, after)
    found = list(islice(both.changes(), most + 1))
    kept = sorted(found[:most], key=lambda c: (c.kind, c.source, c.destination))
    return Difference(tuple(kept), both.new, both.gone, len(found) > most)


def equivalent(before: Answers, after: Answers) -> bool:
    """Whether no answer differs, for certain and in doubt, and the places are the same."""
    both = _Both(before, after)
    return not both.new and not both.gone and next(both.changes(), None) is None


# What a workload is in both states: the kinds of its pods before and after.
_Kinds = tuple[tuple[int, ...], tuple[int, ...]]


class _Both:
    """Two states side by side."""

    __slots__ = ("_after", "_before", "_groups", "gone", "new")

    def __init__(self, before: Answers, after: Answers) -> None:
        self._before, self._after = _Side(before, after), _Side(after, before)
        names = dict.fromkeys((*self._before.kinds, *self._after.kinds))
        self.new = tuple(n[0] for n in names if n not in self._before.kinds)
        self.gone = tuple(n[0] for n in names if n not in self._after.kinds)
        groups: dict[_Kinds, list[str]] = {}
        for name in names:
            kinds = (self._before.kinds.get(name, ()), self._after.kinds.get(name, ()))
            groups.setdefault(kinds, []).append(name[0])
        self._groups = groups

    def changes(self) -> Iterator[Change]:
        """Pairs of places in the cluster, then those with addresses outside."""
        groups = list(self._groups.items())
        plain = [g for g in groups if self._is_plain(g[0])]
        cells = (
            [self._before.cell(kinds[0]) for kinds, _ in plain],
            [self._after.cell(kinds[1]) for kinds, _ in plain],
        )
        states = (self._before.answers(), self._after.answers())

        def changes(one: int, other: int) -> bool | None:
            return self._changes(plain[one][0], plain[other][0])

        for one, other in pairwise.differing(states, cells, changes):
            yield from self._pairs(*plain[one], *plain[other])
        mixed = [g for g in groups if not self._is_plain(g[0])]
        for group in mixed:
            for other_group in groups:
                yield from self._pairs(*group, *other_group)
                if self._is_plain(other_group[0]):
                    yield from self._pairs(*other_group, *group)
        if self._before.is_tiered() or self._after.is_tiered():
            yield from self._near()
        for version in (4, 6):
            yield from self._outside(version)

    def _near(self) -> Iterator[Change]:
        """Pods and their own nodes, between which cluster-wide policies may come; pairs of names of
        which others change are told by these.
        """
        before, after = self._before.near(), self._after.near()
        for ends in before.keys() & after.keys():
            sides = ((self._before, before[ends]), (self._after, after[ends]))
            others = [side.between(*(side.kinds[end] for end in ends)) for side, _ in sides]
            if _kind(*others):
                continue
            was, now = (_merged((o, own)) for o, (_, own) in zip(others, sides, strict=True))
            if kind := _kind(was, now):
                yield Change(kind, ends[0][0], ends[1][0], was, now)

    def _is_plain(self, kinds: _Kinds) -> bool:
        """Whether a workload is of at most one kind of endpoints in each state."""
        return self._before.is_cell(kinds[0]) and self._after.is_cell(kinds[1])

    def _changes(self, source: _Kinds, destination: _Kinds) -> bool | None:
        """None where all pairs are of a place and itself, or its own node."""
        here = [
            side.has_pair(source[at], destination[at])
            for at, side in enumerate((self._before, self._after))
        ]
        if False in here:
            return None
        before = self._before.between(source[0], destination[0])
        return bool(_kind(before, self._after.between(source[1], destination[1])))

    def _pairs(
        self, source: _Kinds, sources: list[str], destination: _Kinds, destinations: list[str]
    ) -> Iterator[Change]:
        before = self._before.between(source[0], destination[0])
        after = self._after.between(source[1], destination[1])
        kind = _kind(before, after)
        if not kind:
            return
        for one in sources:
            for other in destinations:
                if one != other:
                    new = _named((source, one), (destination, other), 0)
                    gone = _named((source, one), (destination, other), 1)
                    yield Change(kind, one, other, before, after, new, gone)

    def _outside(self, version: int) -> Iterator[Change]:
        cells = _common(self._before.addresses(version), self._after.addresses(version))
        for kinds, names in self._groups.items():
            for inwards in (True, False):
                rows = (
                    (
                        cell,
                        self._before.outside(kinds[0], cell, inwards),
                        self._after.outside(kinds[1], cell, inwards),
                    )
                    for cell in cells
                )
                for span, before, after in _joined(rows):
                    for name in names:
                        yield _change_outside(name, kinds, span, inwards, before, after)


def _change_outside(
    name: str,
    kinds: _Kinds,
    span: Address,
    inwards: bool,
    before: Reachability,
    after: Reachability,
) -> Change:
    ends = (name_of(span), name) if inwards else (name, name_of(span))
    new = () if kinds[0] else (name,)
    gone = () if kinds[1] else (name,)
    return Change(_kind(before, after), *ends, before, after, new, gone, span)


def _named(one: tuple[_Kinds, str], other: tuple[_Kinds, str], state: int) -> tuple[str, ...]:
    """The ends that are not there in a state."""
    return tuple(name for kinds, name in (one, other) if not kinds[state])


def _kind(before: Reachability, after: Reachability) -> str:
    if before.yes == after.yes:
        return DOUBT if before.maybe != after.maybe else ""
    if not before.yes and not before.maybe:
        return ADDED
    if not after.yes and not after.maybe:
        return REMOVED
    return CHANGED


def _common(ones: Sequence[Address], others: Sequence[Address]) -> list[Address]:
    """What is outside in both states, cut where either cuts. Both are in order."""
    found: list[Address] = []
    at = 0
    for one in ones:
        while at < len(others) and others[at].last < one.first:
            at += 1
        here = at
        while here < len(others) and others[here].first <= one.last:
            other = others[here]
            first, last = max(one.first, other.first), min(one.last, other.last)
            found.append(Address(one.version, first, last))
            here += 1
    return found


_Row = tuple[Address, Reachability, Reachability]


def _joined(rows: Iterable[_Row]) -> Iterator[_Row]:
    """The rows that change, neighbours of one answer as one."""
    held: _Row | None = None
    for cell, before, after in rows:
        if held is not None and (before, after) == held[1:] and _meet(held[0], cell):
            held = (Address(cell.version, held[0].first, cell.last), before, after)
            continue
        if held is not None and _kind(held[1], held[2]):
            yield held
        held = (cell, before, after)
    if held is not None and _kind(held[1], held[2]):
        yield held


def _meet(one: Address, next_: Address) -> bool:
    return one.last + 1 == next_.first


_Name = tuple[str, str]  # name and kind of a workload, or a node
_Seen = tuple[_Name, int]


def _name(place: Place) -> _Name:
    return name_of(place), place.kind if isinstance(place, Endpoint) else ""


class _Side:
    """One state: its places by name, in kinds that rules treat alike."""

    __slots__ = ("_alike", "_known", "_own", "_reach", "kinds")

    def __init__(self, reach: Answers, beside: Answers) -> None:
        self._reach = reach
        self._alike = Alike(reach, beside)
        self._known: dict[Hashable, Reachability] = {}
        self._own: dict[tuple[int, int], Reachability] = {}
        found: dict[_Name, set[int]] = {}
        places: tuple[Place, ...] = (*reach.world.endpoints, *reach.world.nodes)
        for place in places:
            found.setdefault(_name(place), set()).add(self._alike.number(place))
        self.kinds = {name: tuple(sorted(numbers)) for name, numbers in found.items()}

    def is_tiered(self) -> bool:
        """Whether there are policies that may come between a pod and its own node."""
        return any(policy.tier != NETWORK for policy in self._reach.policies.policies)

    def near(self) -> dict[tuple[_Name, _Name], Reachability]:
        """What passes between pods and their own nodes, or what is on the network of these."""
        here: dict[str, tuple[dict[_Seen, Place], dict[_Seen, Place]]] = {}
        places: tuple[Endpoint | Node, ...] = (
            *self._reach.world.endpoints,
            *self._reach.world.nodes,
        )
        for place in places:
            on_node = isinstance(place, Node) or place.host_network
            node = place.name if isinstance(place, Node) else place.node
            seen = (_name(place), self._alike.number(place))
            here.setdefault(node, ({}, {}))[on_node].setdefault(seen, place)
        here.pop("", None)
        found: dict[tuple[_Name, _Name], list[Reachability]] = {}
        for pods, hosts in here.values():
            for both in product(pods.items(), hosts.items()):
                for (one, source), (other, destination) in (both, both[::-1]):
                    key = (one[1], other[1])
                    if key not in self._own:
                        self._own[key] = self._reach.verdict(source, destination)
                    found.setdefault((one[0], other[0]), []).append(self._own[key])
        return {ends: _merged(answers) for ends, answers in found.items()}

    def addresses(self, version: int) -> tuple[Address, ...]:
        """The intervals outside that this state tells apart."""
        return self._reach.addresses(version)

    def answers(self) -> pairwise.Answers:
        """All answers between cells."""
        return pairwise.Answers(self._reach, max(map(int, self._reach.cells.of), default=-1) + 1)

    def is_cell(self, kinds: tuple[int, ...]) -> bool:
        """Whether these are one cell of endpoints, or nothing."""
        return not kinds or (len(kinds) == 1 and self._alike.cell(kinds[0]) is not None)

    def cell(self, kinds: tuple[int, ...]) -> int:
        """The cell of one kind; -1 for nothing."""
        found = self._alike.cell(kinds[0]) if kinds else None
        return -1 if found is None else found

    def has_pair(self, sources: tuple[int, ...], destinations: tuple[int, ...]) -> bool:
        """Whether some pair shows what the rules say; nothing needs none."""
        if not sources or not destinations:
            return True
        return self._alike.pair(sources[0], destinations[0]) is not None

    def between(self, sources: tuple[int, ...], destinations: tuple[int, ...]) -> Reachability:
        """What passes between some members of two sets of kinds."""
        key = (sources, destinations)
        known = self._known.get(key)
        if known is None:
            known = _merged(self._pair(one, other) for one in sources for other in destinations)
            self._known[key] = known
        return known

    def _pair(self, source: int, destination: int) -> Reachability:
        pair = self._alike.pair(source, destination)
        return self._reach.verdict(*pair) if pair is not None else NOTHING

    def outside(self, kinds: tuple[int, ...], span: Address, inwards: bool) -> Reachability:
        """What passes between some members and an interval outside."""
        places = [self._alike.place(kind) for kind in kinds]
        return _merged(
            self._reach.verdict(span, place) if inwards else self._reach.verdict(place, span)
            for place in places
        )


def _merged(answers: Iterable[Reachability]) -> Reachability:
    """What passes between some of several pairs."""
    yes, maybe, because = NONE, NONE, dict[str, None]()
    for one in answers:
        yes, maybe = yes | one.yes, maybe | one.maybe
        because.update(dict.fromkeys(one.because))
    return Reachability(yes, maybe - yes, tuple(because))
