"""What may pass between two places: protocols and ports, and what of them is undecided."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

PROTOCOLS: Final = ("TCP", "UDP", "SCTP")
FIRST_PORT: Final = 1
LAST_PORT: Final = 65535


class Ports(msgspec.Struct, frozen=True, order=True):
    """One closed interval of ports of a protocol (`TCP`, `UDP`, `SCTP`)."""

    protocol: str
    first: int
    last: int


class Conn(msgspec.Struct, frozen=True):
    """A set of connections. `ranges` are sorted, disjoint and joined, so equal sets are equal;
    `other` stands for what has no ports (ICMP and every other protocol).
    """

    ranges: tuple[Ports, ...] = ()
    other: bool = False

    def __bool__(self) -> bool:
        return bool(self.ranges) or self.other

    def __or__(self, more: Conn) -> Conn:
        return conn((*self.ranges, *more.ranges), other=self.other or more.other)

    def __and__(self, with_: Conn) -> Conn:
        both = [
            Ports(a.protocol, max(a.first, b.first), min(a.last, b.last))
            for a in self.ranges
            for b in with_.ranges
            if a.protocol == b.protocol and a.first <= b.last and b.first <= a.last
        ]
        return conn(both, other=self.other and with_.other)

    def __sub__(self, less: Conn) -> Conn:
        left = list(self.ranges)
        for gone in less.ranges:
            left = [part for held in left for part in _without(held, gone)]
        return conn(left, other=self.other and not less.other)

    def allows(self, protocol: str, port: int) -> bool:
        """Whether one port of a protocol is in the set; a protocol without ports is `other`."""
        if protocol not in PROTOCOLS:
            return self.other
        return any(r.protocol == protocol and r.first <= port <= r.last for r in self.ranges)

    def __str__(self) -> str:
        """`all`, `none`, or `TCP 80,443 UDP 53`."""
        if self == ALL:
            return "all"
        if not self:
            return "none"
        words = []
        for protocol in PROTOCOLS:
            spans = [r for r in self.ranges if r.protocol == protocol]
            if len(spans) == 1 and (spans[0].first, spans[0].last) == (FIRST_PORT, LAST_PORT):
                words.append(protocol)
            elif spans:
                words.append(f"{protocol} {','.join(_span(r) for r in spans)}")
        return " ".join((*words, "other protocols") if self.other else words)


def conn(ranges: Iterable[Ports], *, other: bool = False) -> Conn:
    """The set of some intervals in any order, overlapping or not."""
    joined: list[Ports] = []
    for one in sorted(ranges, key=lambda r: (PROTOCOLS.index(r.protocol), r.first)):
        last = joined[-1] if joined else None
        if last is not None and last.protocol == one.protocol and one.first <= last.last + 1:
            joined[-1] = Ports(one.protocol, last.first, max(last.last, one.last))
        else:
            joined.append(one)
    return Conn(tuple(joined), other)


def _without(held: Ports, gone: Ports) -> list[Ports]:
    if held.protocol != gone.protocol or gone.last < held.first or held.last < gone.first:
        return [held]
    left = [
        (held.first, gone.first - 1),
        (gone.last + 1, held.last),
    ]
    return [Ports(held.protocol, first, last) for first, last in left if first <= last]


def _span(ports: Ports) -> str:
    return str(ports.first) if ports.first == ports.last else f"{ports.first}-{ports.last}"


NONE: Final = Conn()
ALL: Final = Conn(tuple(Ports(p, FIRST_PORT, LAST_PORT) for p in PROTOCOLS), True)


class Reachability(msgspec.Struct, frozen=True):
    """What passes from one place to another: surely, and only perhaps (`maybe` holds nothing of
    `yes`), with the reasons of the doubt.
    """

    yes: Conn
    maybe: Conn = NONE
    because: tuple[str, ...] = ()

    def verdict(self, protocol: str, port: int) -> str:
        """`allowed`, `denied` or `unknown` for one port."""
        if self.yes.allows(protocol, port):
            return "allowed"
        return "unknown" if self.maybe.allows(protocol, port) else "denied"
