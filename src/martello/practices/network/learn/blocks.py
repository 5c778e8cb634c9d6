"""The least blocks that cover some addresses, without taking in what is inside the cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from martello.practices.network.addresses import cidrs, parse_address, parse_range, show_address
from martello.practices.network.learn.model import OUTSIDE, Edge

Range = tuple[int, int, int]  # version, first, last

# Where clouds serve credentials to their machines.
METADATA_ADDRESSES: Final = frozenset(
    number
    for text in ("169.254.169.254", "fd00:ec2::254", "168.63.129.16", "100.100.100.200")
    if (number := parse_address(text)) is not None
)
_WIDTH: Final = {4: 32, 6: 128}
_WIDEST: Final = {4: 16, 6: 32}  # the shortest prefix that addresses are joined to


class Cover(msgspec.Struct, frozen=True, order=True):
    """One block with its exceptions, as text."""

    cidr: str
    excepts: tuple[str, ...] = ()


def cover(
    version: int, numbers: Iterable[int], most: int, inside: Sequence[Range]
) -> tuple[Cover, ...]:
    """At most `most` blocks over the addresses, by joining the nearest first; more, where it would
    take a block wider than /16 (IPv6: /32). `inside` is excepted from blocks of several addresses.
    Addresses of metadata services stand alone.
    """
    alone = sorted(n for n in set(numbers) if (version, n) in METADATA_ADDRESSES)
    rest = sorted(set(numbers).difference(alone))
    found = [Cover(_host(version, number)) for number in alone]
    for first, bits in _joined(version, rest, max(most, 1)):
        last = first + (1 << bits) - 1
        text = f"{show_address(version, first)}/{_WIDTH[version] - bits}"
        found.append(Cover(text, _excepts(version, first, last, inside) if bits else ()))
    return tuple(found)


def wider(policies: Iterable[dict[str, Any]], edges: Iterable[Edge]) -> Iterator[str]:
    """The blocks of NetworkPolicies that take in outside addresses nobody was seen at: what joining
    addresses cost.
    """
    seen = {
        (party.version, party.address)
        for edge in edges
        for party in (edge.source, edge.destination)
        if party.kind == OUTSIDE
    }
    for policy in policies:
        spec, meta = policy["spec"], policy["metadata"]
        for rule in (*spec.get("ingress", ()), *spec.get("egress", ())):
            for peer in (*rule.get("from", ()), *rule.get("to", ())):
                block = parse_range(peer.get("ipBlock", {}).get("cidr", ""))
                if block is None or block[1] in (0, block[2]):
                    continue
                version, first, last = block
                held = sum(v == version and first <= n <= last for v, n in seen)
                if held <= last - first:
                    name = f"{meta['namespace']}/{meta['name']}"
                    cidr = peer["ipBlock"]["cidr"]
                    yield f"{name}: {cidr} stands for {held} of {last - first + 1} addresses"


def everything(version: int, inside: Sequence[Range]) -> Cover:
    """Every address of a family but those inside the cluster and of metadata services."""
    width = _WIDTH[version]
    text = f"{show_address(version, 0)}/0"
    return Cover(text, _excepts(version, 0, (1 << width) - 1, inside))


def _host(version: int, number: int) -> str:
    return f"{show_address(version, number)}/{_WIDTH[version]}"


def _joined(version: int, numbers: list[int], most: int) -> list[tuple[int, int]]:
    """(first, bits below the prefix) of each block. Neighbours in order that differ in the fewest
    low bits join first; that is the order in which a binary trie closes.
    """
    gaps = sorted((numbers[i] ^ numbers[i + 1]).bit_length() for i in range(len(numbers) - 1))
    free = _WIDTH[version] - _WIDEST[version]
    # The bits at which few enough blocks are left; exact joins (two halves) come by themselves.
    bits = 0
    if len(numbers) > most:
        bits = min(gaps[len(numbers) - most - 1], free)
    found: list[tuple[int, int]] = []
    run: list[int] = []
    for number in numbers:
        if run and (run[-1] ^ number).bit_length() > bits:
            found.append(_block(run))
            run = []
        run.append(number)
    if run:
        found.append(_block(run))
    return _halves(found)


def _block(run: list[int]) -> tuple[int, int]:
    bits = (run[0] ^ run[-1]).bit_length()
    return run[0] >> bits << bits, bits


def _halves(blocks: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Joins blocks that are the two halves of a larger one: it covers nothing more."""
    stack: list[tuple[int, int]] = []
    for first, bits in blocks:
        stack.append((first, bits))
        while len(stack) > 1:
            (low, a), (high, b) = stack[-2:]
            if a != b or low ^ high != 1 << a or low > high:
                break
            stack[-2:] = [(low, a + 1)]
    return stack


def _excepts(version: int, first: int, last: int, inside: Sequence[Range]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    special = [(v, n, n) for v, n in METADATA_ADDRESSES]
    parts = sorted(
        (low, high)
        for v, low, high in (*inside, *special)
        if v == version and first <= low and high <= last and (low, high) != (first, last)
    )
    end = -1
    for low, high in parts:
        if low > end:
            found.update(dict.fromkeys(cidrs(version, low, high)))
            end = high
    return tuple(found)
