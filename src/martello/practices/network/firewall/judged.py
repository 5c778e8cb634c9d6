"""What passes between the pods of a node and every place, asked once for places that are alike."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Final, TypeVar

import msgspec
import numpy as np

from martello.core.errors import Stale
from martello.core.reach import ALL, Conn, Reachability
from martello.practices.network.addresses import name_of, show_address
from martello.practices.network.engine.reach import Reach
from martello.practices.network.firewall.alike import (
    Reaching,
    Told,
    addresses_of,
    apart,
    leaving,
    likeness,
    shared,
    told,
)
from martello.practices.network.firewall.bulk import Bulk
from martello.practices.network.firewall.render import TABLE
from martello.practices.network.model import Endpoint, Node, Place

ALLOW: Final = "allow"
DENY: Final = "deny"
_MARK: Final = 32
_REASONS: Final = 3
OWN_NODE: Final = "what policies deny between a pod and its own node is not enforced"
Shared = dict[tuple[int, int], tuple[str, str]]
_T = TypeVar("_T", bound=Place)


class Options(msgspec.Struct, frozen=True):
    """What the compiler does where the model leaves it a choice.

    `unknown`: what becomes of connections that the model cannot decide; empty: refuse.
    `other`: what becomes of protocols without ports (ping) where rules that name ports leave them
    undecided.
    `mark_bits`: how many of the highest bits of the packet mark are ours while a packet is judged;
    they are zero again when it passes.
    """

    unknown: str = ""
    other: str = DENY
    mark_bits: int = 12
    table: str = TABLE

    @property
    def shift(self) -> int:
        """How far left of the lowest bit our number lies."""
        return _MARK - self.mark_bits

    @property
    def below(self) -> int:
        """The bits of the mark that are not ours."""
        return (1 << self.shift) - 1

    @property
    def ours(self) -> int:
        """The bits of the mark that are."""
        return ((1 << _MARK) - 1) ^ self.below


class Judged(msgspec.Struct, frozen=True):
    """Groups of local pods and groups of peers of one family, and what passes: `out[g][p]` from
    group to peers, `into[g][p]` from peers to group, as places in `conns`, of which the first is
    everything.
    """

    version: int
    local: list[Endpoint]
    groups: list[list[Endpoint]]
    peers: list[list[Place]]
    out: list[list[int]]
    into: list[list[int]]
    conns: list[Conn]
    notes: tuple[str, ...] = ()


def judged(reach: Reaching, local: list[Endpoint], version: int, options: Options) -> Judged:
    """Ask the model for every pair of groups. Raises Stale for what it cannot decide, unless the
    options decide it.
    """
    twice = shared(reach.world.endpoints)
    local = [pod for pod in local if not _gives_way(pod, twice)]
    _refuse_shared(reach, twice)
    looked = told(reach.policies)
    homes = frozenset(pod.node for pod in local)
    groups = _grouped(local, lambda pod: (pod.node, likeness(pod, version, looked, homes)))
    peers = _peers(reach, version, looked, homes, twice)
    settle = _Settle(options, reach.notes)
    asked = _Asked(reach, peers, version, settle)
    out = [asked.row(group, out=True) for group in groups]
    into = [asked.row(group, out=False) for group in groups]
    settle.refuse()
    notes = list(settle.notes)
    homeward = {p.name: at for at, found in enumerate(peers) for p in found if isinstance(p, Node)}
    for group, forth, back in zip(groups, out, into, strict=True):
        at = homeward.get(group[0].node)
        if at is not None and (forth[at] or back[at]):
            notes.append(OWN_NODE)
    return Judged(
        version, local, groups, peers, out, into, settle.conns, tuple(dict.fromkeys(notes))
    )


class _Asked:
    """Rows of answers: all at once where the model is the engine, else pair by pair."""

    def __init__(
        self, reach: Reaching, peers: list[list[Place]], version: int, settle: _Settle
    ) -> None:
        self._reach, self._peers, self._version, self._settle = reach, peers, version, settle
        self._bulk: Bulk | None = None
        self._nodes: dict[str, int] = {}
        self._single: dict[str, int] = {}
        if isinstance(reach, Reach):
            self._bulk = Bulk(reach, [found[0] for found in peers], version)
            for at, found in enumerate(peers):
                for place in found:
                    if isinstance(place, Node):
                        self._nodes[place.name] = at
                    elif isinstance(place, Endpoint) and len(found) == 1:
                        self._single[place.key] = at

    def row(self, group: list[Endpoint], *, out: bool) -> list[int]:
        """What passes between a group and each of its peers, in one direction."""
        if self._bulk is None:
            return [self._one(group, at, out) for at in range(len(self._peers))]
        # what the rules alone do not tell: the pod itself, and its own node
        special = {self._nodes.get(group[0].node, -1), self._single.get(group[0].key, -1)} - {-1}
        codes, first = self._bulk.codes(group[0], sorted(special), out=out)
        answers = np.array([self._one(group, at, out) for at in first], dtype=np.int64)
        row: list[int] = answers[codes].tolist()
        return row

    def _one(self, group: list[Endpoint], at: int, out: bool) -> int:
        pair = apart(group, self._peers[at])
        if pair is None:  # only the pod itself
            return 0
        source, to = pair if out else pair[::-1]
        return self._settle(self._reach.verdict(source, to, self._version), source, to)


def _refuse_shared(reach: Reaching, twice: Shared) -> None:
    if not twice:
        return
    staying = shared(pod for pod in reach.world.endpoints if not _gives_way(pod, twice))
    for (version, number), (one, other) in staying.items():
        raise Stale(
            f"{one} and {other} both have the address {show_address(version, number)}",
            "nobody can tell whose packets these are",
            "read the cluster again",
        )


def _gives_way(pod: Endpoint, twice: Shared) -> bool:
    """Whether a pod that is being deleted holds what another has already."""
    return bool(twice) and leaving(pod) and any(address in twice for address in pod.addresses)


def _peers(
    reach: Reaching, version: int, looked: Told, homes: frozenset[str], twice: Shared
) -> list[list[Place]]:
    nodes = [node for node in reach.world.nodes if addresses_of(node, version)]
    known = {address for node in nodes for address in addresses_of(node, version)}
    places: list[Place] = [*nodes]
    for pod in reach.world.endpoints:
        held = addresses_of(pod, version)
        # a pod on the network of its node is that node
        if held and not ((pod.host_network and known.issuperset(held)) or _gives_way(pod, twice)):
            places.append(pod)
    places += reach.addresses(version)
    return _grouped(places, lambda place: likeness(place, version, looked, homes))


def _grouped(places: Iterable[_T], key: Callable[[_T], Hashable]) -> list[list[_T]]:
    found: dict[Hashable, list[_T]] = {}
    for place in places:
        found.setdefault(key(place), []).append(place)
    return list(found.values())


class _Settle:
    """Makes a plain set of connections of an answer in three values."""

    def __init__(self, options: Options, notes: tuple[str, ...]) -> None:
        self._options = options
        self._notes = "; ".join(notes[:_REASONS]) or "the objects do not decide it"
        self._doubts: dict[str, str] = {}
        self._pings = False
        self.conns = [ALL]
        self._at = {ALL: 0}

    def __call__(self, answer: Reachability, source: Place, to: Place) -> int:
        """Where what passes stands in `conns`."""
        passes = self._settled(answer, source, to)
        if passes not in self._at:
            self._at[passes] = len(self.conns)
            self.conns.append(passes)
        return self._at[passes]

    def _settled(self, answer: Reachability, source: Place, to: Place) -> Conn:
        doubt = answer.maybe
        if not doubt:
            return answer.yes
        if not doubt.ranges:  # rules with ports say nothing of other protocols
            self._pings = True
            return answer.yes | doubt if self._options.other == ALLOW else answer.yes
        reason = "; ".join(answer.because) or self._notes
        self._doubts.setdefault(reason, f"{name_of(source)} → {name_of(to)} {doubt}")
        return answer.yes | doubt if self._options.unknown == ALLOW else answer.yes

    def refuse(self) -> None:
        """Raise what could not be decided, where nothing decides it."""
        if not self._doubts or self._options.unknown in (ALLOW, DENY):
            return
        shown = [f"{pair}: {why}" for why, pair in list(self._doubts.items())[:_REASONS]]
        more = len(self._doubts) - len(shown)
        raise Stale(
            "some connections cannot be decided, so no filter can rest on them",
            "\n  ".join((*shown, f"and {more} more reasons") if more > 0 else shown),
            "settle them (--cni, --pod-cidr), or say what becomes of them: allow or deny",
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What was decided by an option, as words."""
        notes = []
        verb = {ALLOW: "pass", DENY: "are dropped"}
        if self._doubts:
            word = verb[self._options.unknown]
            notes.append(f"connections that cannot be decided {word}: {'; '.join(self._doubts)}")
        if self._pings:
            word = verb.get(self._options.other, "are dropped")
            notes.append(f"protocols without ports {word} where rules name ports (ping)")
        return tuple(notes)
