"""The addresses outside of a cluster, in the intervals that rules tell apart."""

from __future__ import annotations

from collections.abc import Iterator

from martello.practices.network.addresses import parse_range
from martello.practices.network.engine.spans import Span
from martello.practices.network.engine.state import State
from martello.practices.network.model import Address


def outside(state: State, version: int) -> tuple[Address, ...]:
    """The intervals of a family without the known ranges of pods, Services and nodes."""
    inside = _joined(sorted(_known(state, version)))
    found: list[Address] = []
    at = 0
    for first, last, _ in state.universe.names.lines[version].intervals():
        while at < len(inside) and inside[at][1] < first:
            at += 1
        begin, here = first, at
        while here < len(inside) and inside[here][0] <= last:
            if inside[here][0] > begin:
                found.append(Address(version, begin, inside[here][0] - 1))
            begin = max(begin, inside[here][1] + 1)
            here += 1
        if begin <= last:
            found.append(Address(version, begin, last))
    return tuple(found)


def _known(state: State, version: int) -> Iterator[Span]:
    texts = (*state.profile.pod_ranges, *state.profile.service_ranges)
    ranges = [parse_range(text) for text in texts]
    for node in state.world.nodes:
        ranges.extend(node.pod_ranges)
        ranges.extend((v, address, address) for v, address in node.addresses)
    for one in ranges:
        if one is not None and one[0] == version:
            yield one[1], one[2]


def _joined(spans: list[Span]) -> list[Span]:
    found: list[Span] = []
    for first, last in spans:
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found
