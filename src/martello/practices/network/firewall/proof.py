"""The perimeter replayed through the model: every pair across clusters, with the policies added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from martello.core.errors import BadInput
from martello.core.reach import NONE, Conn
from martello.core.resource import Resource
from martello.practices.network.addresses import name_of
from martello.practices.network.firewall.alike import addresses_of
from martello.practices.network.fleets.fleet import Crossing, Fleet
from martello.practices.network.model import Address, Endpoint, Node


class Proof(msgspec.Struct, frozen=True):
    """What the replay found: pairs asked, pairs that exports open, and each case in which more
    passes than is exported, less, or nobody can tell.

    Only counted are pairs that begin on the network of a node (`ungoverned`), which policies do not
    govern, and those with an export whose rules leave protocols without ports open (`portless`).
    """

    pairs: int
    opened: int
    wrong: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()  # exported, but another policy denies it
    unknown: tuple[str, ...] = ()
    ungoverned: int = 0
    portless: int = 0

    @property
    def holds(self) -> bool:
        """Whether nothing passes but exports, without a doubt."""
        return not self.wrong and not self.unknown


def with_policies(fleet: Fleet, policies: Mapping[str, Sequence[Resource]]) -> Fleet:
    """The fleet after policies were added to its clusters."""
    from martello.practices.network.engine.reach import reach

    added = dict(fleet.reaches)
    for name, resources in policies.items():
        cluster = added[name].cluster
        if cluster is None:
            raise BadInput(f"the objects of cluster {name} are not here")
        added[name] = reach(cluster.apply(resources), added[name].profile)
    return Fleet(tuple(fleet.members.values()), added)


def proved(fleet: Fleet) -> Proof:
    """Ask every pair of places across clusters what passes, and hold it against the exports."""
    pairs = opened = ungoverned = portless = 0
    wrong: list[str] = []
    closed: list[str] = []
    unknown: list[str] = []
    for one in fleet.crossings():
        source = one.source[1]
        if isinstance(source, Node) or (isinstance(source, Endpoint) and source.host_network):
            ungoverned += one.pairs
            continue
        pairs += one.pairs
        wanted = _exported(fleet, one)
        opened += one.pairs if one.passes.yes else 0
        said = f"{_said(one)}: {{}}" + (f" ({one.pairs} pairs)" if one.pairs > 1 else "")
        if more := one.passes.yes - wanted:
            wrong.append(said.format(f"{more} passes and is not exported"))
        doubt = one.passes.maybe - wanted
        if wanted and doubt and not doubt.ranges:
            portless += one.pairs
        elif doubt:
            unknown.append(said.format(f"{doubt}: {'; '.join(one.passes.because) or 'undecided'}"))
        if less := wanted - (one.passes.yes | one.passes.maybe):
            closed.append(said.format(f"{less} is exported and does not pass"))
    return Proof(pairs, opened, tuple(wrong), tuple(closed), tuple(unknown), ungoverned, portless)


def _exported(fleet: Fleet, one: Crossing) -> Conn:
    cluster, place = one.destination
    if isinstance(place, Address):
        return NONE
    found: Conn | None = None
    for at in addresses_of(place, one.family):
        opened = fleet.allowed(one.source[0], cluster, one.family, at)
        found = opened if found is None else found & opened
    return found or NONE


def _said(one: Crossing) -> str:
    (a, source), (b, target) = one.source, one.destination
    return f"{a}/{name_of(source)} → {b}/{name_of(target)}"
