"""Addresses outside of the cluster: the internet, and ranges cut into what rules tell apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Protocol

from martello.practices.network.addresses import parse_range
from martello.practices.network.model import Address, Place

# What is routed nowhere outside, or means something else (IANA's special-purpose registries).
_SPECIAL: Final = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
    "::/3",
    "4000::/2",
    "8000::/1",
    "2001:db8::/32",
)


class Splitting(Protocol):
    """What knows the intervals of addresses that the rules tell apart."""

    def addresses(self, version: int) -> tuple[Address, ...]:
        """Disjoint intervals, in order."""
        ...


def parts(reach: Splitting, place: Place) -> tuple[Place, ...]:
    """A range of addresses as the intervals that all rules treat alike; any other place itself.
    The whole of a family stands for the internet: its public addresses.
    """
    if not isinstance(place, Address) or place.first == place.last:
        return (place,)
    whole = place.first == 0 and place.last == (1 << (32 if place.version == 4 else 128)) - 1
    wanted = public(place.version) if whole else (place,)
    return tuple(_common(reach.addresses(place.version), wanted))


def public(version: int) -> tuple[Address, ...]:
    """The intervals of a family that strangers may have."""
    last = (1 << (32 if version == 4 else 128)) - 1
    special = sorted(r for r in map(parse_range, _SPECIAL) if r is not None and r[0] == version)
    found: list[Address] = []
    at = 0
    for _, first, end in special:
        if at < first:
            found.append(Address(version, at, first - 1))
        at = max(at, end + 1)
    if at <= last:
        found.append(Address(version, at, last))
    return tuple(found)


def _common(known: Iterable[Address], wanted: Iterable[Address]) -> Iterator[Address]:
    """What lies in both lists, an interval for each interval of the first: its first common part
    stands for all, since rules treat it alike.
    """
    listed = list(wanted)
    for one in known:
        for other in listed:
            first, last = max(one.first, other.first), min(one.last, other.last)
            if first <= last:
                yield Address(one.version, first, last)
                break


def less(held: Iterable[Address], gone: Iterable[Address]) -> Iterator[Address]:
    """The intervals without those of another list of the same family."""
    listed = sorted(gone)
    for one in held:
        at = one.first
        for other in listed:
            if other.last < at or other.first > one.last:
                continue
            if at < other.first:
                yield Address(one.version, at, other.first - 1)
            at = other.last + 1
        if at <= one.last:
            yield Address(one.version, at, one.last)
