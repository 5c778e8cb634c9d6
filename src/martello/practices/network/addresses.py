"""Addresses and ranges as numbers, read and written."""

from __future__ import annotations

from ipaddress import (
    IPv4Address,
    IPv6Address,
    ip_address,
    ip_network,
    summarize_address_range,
)
from typing import Final

from martello.practices.network.model import Endpoint, Node, Place

_OCTETS: Final = {str(number): number for number in range(256)}


def parse_address(text: str) -> tuple[int, int] | None:
    """(version, number) of an address; None where the text is none."""
    parts = text.split(".")
    if len(parts) == 4 and ":" not in text:  # ten times faster, and clusters have many
        first, second, third, last = (_OCTETS.get(part, -1) for part in parts)
        number = first << 24 | second << 16 | third << 8 | last
        return (4, number) if number >= 0 else None
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return found.version, int(found)


def parse_range(text: str) -> tuple[int, int, int] | None:
    """(version, first, last) of a CIDR, host bits tolerated; None where the text is none."""
    try:
        found = ip_network(text, strict=False)
    except ValueError:
        return None
    return found.version, int(found.network_address), int(found.broadcast_address)


def show_address(version: int, number: int) -> str:
    """An address as it is written."""
    return str(IPv4Address(number) if version == 4 else IPv6Address(number))


def cidrs(version: int, first: int, last: int) -> tuple[str, ...]:
    """The fewest CIDRs that cover an interval exactly."""
    if version == 4:
        return tuple(map(str, summarize_address_range(IPv4Address(first), IPv4Address(last))))
    return tuple(map(str, summarize_address_range(IPv6Address(first), IPv6Address(last))))


def name_of(place: Place) -> str:
    """What a place is called in output: `shop/web`, `node/n1`, `10.0.0.0/8`, `a-b`."""
    if isinstance(place, Endpoint):
        return place.name
    if isinstance(place, Node):
        return f"node/{place.name}"
    if place.first == place.last:
        return show_address(place.version, place.first)
    spans = cidrs(place.version, place.first, place.last)
    if len(spans) == 1:
        return spans[0]
    return f"{show_address(place.version, place.first)}-{show_address(place.version, place.last)}"
