"""Several clusters: what is exported, what overlaps, and who reaches whom across them.

A plain NetworkPolicy selects pods of its own cluster; pods of another are addresses to it. So a
connection between clusters passes where the egress of the one lets out to the address, and the
ingress of the other lets in from it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from itertools import combinations, permutations
from typing import TYPE_CHECKING, Final

import msgspec

from martello.core.errors import BadInput
from martello.core.reach import NONE, Conn, Ports, Reachability, conn
from martello.practices.network.addresses import cidrs, parse_range
from martello.practices.network.firewall.alike import addresses_of, likeness, told
from martello.practices.network.fleets.file import Export, Member
from martello.practices.network.model import Address, Endpoint, Node, Place
from martello.practices.network.outer.services import targets

if TYPE_CHECKING:
    from martello.practices.network.engine.reach import Reach

_SHOWN: Final = 5
Far = tuple[str, Place]  # cluster, place


class Overlap(msgspec.Struct, frozen=True):
    """Addresses that two clusters both call their own."""

    first: str
    second: str
    version: int
    low: int
    high: int

    def __str__(self) -> str:
        spans = ", ".join(cidrs(self.version, self.low, self.high)[:_SHOWN])
        return f"clusters {self.first} and {self.second} both use {spans}"


class Opened(msgspec.Struct, frozen=True):
    """An exported place: one address of a cluster, what is open on it, and to which clusters."""

    cluster: str
    version: int
    address: int
    ports: Conn
    to: tuple[str, ...]
    service: str


class Crossing(msgspec.Struct, frozen=True, eq=False):
    """What passes from a place of one cluster to a place of another; `pairs` are alike."""

    source: Far
    destination: Far
    family: int
    passes: Reachability
    pairs: int


class Fleet:
    """The clusters of a fleet file, each with its model. Nothing of it changes."""

    __slots__ = ("_exports", "members", "overlaps", "reaches")

    def __init__(self, members: tuple[Member, ...], reaches: Mapping[str, Reach]) -> None:
        missing = [one.name for one in members if one.name not in reaches]
        if missing:
            raise BadInput(f"cluster {missing[0]} was not read")
        self.members = {one.name: one for one in members}
        self.reaches = dict(reaches)
        self.overlaps = overlaps(members)
        self._exports: tuple[Opened, ...] | None = None

    def verdict(self, source: Far, destination: Far, family: int = 0) -> Reachability:
        """What passes between places of two clusters, or of one, in one family or in those that
        both have.
        """
        if source[0] == destination[0]:
            return self.reaches[source[0]].verdict(source[1], destination[1], family)
        families = (family,) if family else (4, 6)
        found = [
            one
            for one in (self._across(source, destination, f) for f in families)
            if one is not None
        ]
        if len(found) < 2:
            return found[0] if found else Reachability(NONE)
        yes = found[0].yes & found[1].yes
        most = found[0].yes | found[0].maybe | found[1].yes | found[1].maybe
        reasons = tuple(dict.fromkeys((*found[0].because, *found[1].because)))
        return Reachability(yes, most - yes, reasons)

    def crossings(self) -> Iterator[Crossing]:
        """All pairs of places across clusters, one for those that nothing tells apart: the rules of
        either side, ranges that overlap, exports.
        """
        for one, other in permutations(self.members, 2):
            for family in (4, 6):
                leaving = self._alike(one, other, family, out=True)
                entering = self._alike(other, one, family, out=False)
                for sources in leaving:
                    for found in entering:
                        source, to = (one, sources[0]), (other, found[0])
                        passes = self.verdict(source, to, family)
                        yield Crossing(source, to, family, passes, len(sources) * len(found))

    def exports(self) -> tuple[Opened, ...]:
        """Every address that some cluster exports. Raises BadInput for a Service that is not there,
        or has nothing behind it that is known.
        """
        if self._exports is None:
            self._exports = tuple(
                opened
                for member in self.members.values()
                for export in member.exports
                for opened in self._opened(member, export)
            )
        return self._exports

    def allowed(self, source: str, destination: str, version: int, address: int) -> Conn:
        """What the exports let pass from one cluster to an address of another."""
        found: Conn = NONE
        for one in self.exports():
            if (one.cluster, one.version, one.address) == (destination, version, address):
                found |= one.ports if not one.to or source in one.to else NONE
        return found

    def _across(self, source: Far, to: Far, family: int) -> Reachability | None:
        theirs, ours = _spans(source, family, self), _spans(to, family, self)
        if not theirs or not ours:
            return None
        leaves, enters = self.reaches[source[0]], self.reaches[to[0]]
        yes: Conn | None = None
        most: Conn = NONE
        for there in ours:
            out = leaves.verdict(source[1], there, family)
            for here in theirs:
                back = enters.verdict(here, to[1], family)
                both = out.yes & back.yes
                yes = both if yes is None else yes & both
                most |= (out.yes | out.maybe) & (back.yes | back.maybe)
        reasons = self._doubts(source[0], to[0], (*theirs, *ours))
        sure = NONE if reasons or yes is None else yes
        return Reachability(sure, most - sure, reasons)

    def _doubts(self, one: str, other: str, spans: tuple[Address, ...]) -> tuple[str, ...]:
        """Why addresses do not tell who is meant."""
        reasons = [
            str(found)
            for found in self.overlaps
            if any(
                s.version == found.version and s.first <= found.high and found.low <= s.last
                for s in spans
            )
        ]
        pair = (self.members[one], self.members[other])
        for member in pair:
            if member.translated:
                reasons.append(f"cluster {member.name} translates addresses on their way out")
        if all(member.mesh for member in pair):
            reasons.append("a mesh may know pods of the other cluster by their labels")
        return tuple(reasons)

    def _alike(self, name: str, other: str, family: int, *, out: bool) -> list[list[Place]]:
        """The places of one cluster in groups that nothing tells apart in connections to (`out`) or
        from another.
        """
        near, far = self._kinds(name, other, family), self._kinds(other, name, family)
        seen = {how: (other, places[0]) for (_, how), places in far.items()}
        spans = [_spans(place, family, self) for place in seen.values()]
        reach = self.reaches[name]
        merged: dict[Hashable, list[Place]] = {}
        for (_, how), places in near.items():
            place = places[0]
            row = tuple(
                reach.verdict(place, span, family) if out else reach.verdict(span, place, family)
                for found in spans
                for span in found
            )
            merged.setdefault((row, how), []).extend(places)
        return list(merged.values())

    def _kinds(
        self, name: str, other: str, family: int
    ) -> dict[tuple[Hashable, Hashable], list[Place]]:
        """Places by how their own cluster's rules see them, and by how all else does."""
        reach = self.reaches[name]
        own, theirs = told(reach.policies), told(self.reaches[other].policies)
        exported = {
            (o.version, o.address): (o.ports, o.to) for o in self.exports() if o.cluster == name
        }
        found: dict[tuple[Hashable, Hashable], list[Place]] = {}
        places: tuple[Endpoint | Node, ...] = (*reach.world.endpoints, *reach.world.nodes)
        for place in places:
            held = addresses_of(place, family)
            if not held and (isinstance(place, Node) or place.addresses):
                continue
            mine = likeness(place, family, own, frozenset())
            atoms = likeness(place, family, theirs, frozenset())[-1]
            host = isinstance(place, Endpoint) and place.host_network
            doubts = tuple(
                n
                for n, one in enumerate(self.overlaps)
                if one.version == family and any(one.low <= at <= one.high for at in held)
            )
            named = tuple(exported[family, at] for at in held if (family, at) in exported)
            # who is on the network of a node is no subject of policies
            how = (atoms, not held, host, isinstance(place, Node), doubts, named)
            found.setdefault((mine, how), []).append(place)
        return found

    def _opened(self, member: Member, export: Export) -> Iterator[Opened]:
        reach = self.reaches[member.name]
        if not export.service:
            for version, first, last in export.ranges:
                for at in range(first, last + 1):
                    yield Opened(member.name, version, at, export.ports, export.to, "")
            return
        if reach.cluster is None:
            raise BadInput(f"the Services of cluster {member.name} are not here")
        space, _, name = export.service.partition("/")
        service = reach.cluster.get("Service", space, name)
        behind = targets(reach.world, reach.cluster, service) if service is not None else None
        if behind is None or not behind.targets:
            why = behind.because if behind is not None else "no such Service"
            raise BadInput(f"{member.name} cannot export {export.service}", why)
        ports: dict[tuple[int, int], list[Ports]] = {}
        for target in behind.targets:
            span = Ports(target.protocol, target.number, target.number)
            place = target.place
            if isinstance(place, Address):
                ports.setdefault((place.version, place.first), []).append(span)
                continue
            for address in place.addresses:
                ports.setdefault(address, []).append(span)
        for (version, at), spans in sorted(ports.items()):
            opened = conn(spans)
            if export.ports:
                opened = opened & export.ports
            yield Opened(member.name, version, at, opened, export.to, export.service)


def overlaps(members: tuple[Member, ...]) -> tuple[Overlap, ...]:
    """The addresses that clusters share, of any two: rules about them mean both."""
    return tuple(
        Overlap(one.name, other.name, a[0], max(a[1], b[1]), min(a[2], b[2]))
        for one, other in combinations(members, 2)
        for a in one.ranges
        for b in other.ranges
        if a[0] == b[0] and a[1] <= b[2] and b[1] <= a[2]
    )


def _spans(far: Far, family: int, fleet: Fleet) -> tuple[Address, ...]:
    """A place as the other cluster sees it; all its cluster's pods where its address is unknown."""
    cluster, place = far
    if isinstance(place, Address):
        return (place,) if place.version == family else ()
    held = addresses_of(place, family)
    if held or place.addresses or isinstance(place, Node):
        return tuple(Address(family, at, at) for at in held)
    if isinstance(place, Endpoint) and place.host_network:
        ranges = fleet.members[cluster].nodes
    else:
        ranges = fleet.members[cluster].pods
    found = [parsed for text in ranges if (parsed := parse_range(text))]
    return tuple(Address(v, first, last) for v, first, last in found if v == family)
