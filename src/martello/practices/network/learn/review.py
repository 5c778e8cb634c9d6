"""Odd edges: what a person should look at before it becomes law."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from martello.practices.network.addresses import show_address
from martello.practices.network.learn.atlas import Atlas
from martello.practices.network.learn.blocks import METADATA_ADDRESSES
from martello.practices.network.learn.infrastructure import Infrastructure
from martello.practices.network.learn.model import (
    API_SERVER,
    CHURNING,
    FOREIGN,
    FROM_OUTSIDE,
    KUBELET,
    METADATA,
    NETWORK_POLICY,
    NODE,
    OUTSIDE,
    SINGLE,
    TENANT,
    UNANSWERED,
    UNDECLARED,
    WORKLOAD,
    Edge,
    Options,
    Party,
    Reviewed,
)

_KUBELET: Final = frozenset((10250, 10255))
# Labels by which clusters tell tenants apart.
_TENANTS: Final = (
    "capsule.clastix.io/tenant",
    "kubernetes.io/tenant",
    "toolkit.fluxcd.io/tenant",
    "tenant",
    "team",
)
_SCRAPE: Final = "prometheus.io/port"
_MANY: Final = 16

Lane = tuple[str, str, str, int]


def name_of(party: Party) -> str:
    """What a party is called."""
    if party.kind == WORKLOAD:
        return str(party.workload)
    if party.kind == NODE:
        return f"node/{party.node}"
    return show_address(party.version, party.address)


def lane(edge: Edge) -> Lane:
    """An edge by the names of its ends: pods of one workload are one."""
    return name_of(edge.source), name_of(edge.destination), edge.protocol, edge.port


def review(
    edges: Iterable[Edge], atlas: Atlas, found: Infrastructure, options: Options
) -> tuple[tuple[Reviewed, ...], frozenset[Lane]]:
    """The odd edges by name, and the lanes that are withheld for their reasons. Crowds of outside
    addresses are one line.
    """
    merged: dict[Lane, list[Edge]] = {}
    for edge in edges:
        merged.setdefault(lane(edge), []).append(edge)
    held = frozenset(options.withhold)
    by_address = options.dialect == NETWORK_POLICY
    crowds = _crowds(merged)
    shown: list[Reviewed] = []
    gone: set[Lane] = set()
    for way, members in sorted(merged.items()):
        reasons = tuple(dict.fromkeys(_reasons(members, atlas, found, crowds, by_address)))
        if not reasons:
            continue
        withheld = bool(held.intersection(reasons))
        if withheld:
            gone.add(way)
        witnesses = tuple(w for one in members for w in one.witnesses)[:3]
        count = sum(one.count for one in members)
        shown.append(Reviewed(*way, reasons, count, witnesses, withheld))
    ends = {way: (held[0].source, held[0].destination) for way, held in merged.items()}
    folded = _folded(shown, ends)
    folded.sort(key=lambda r: -_weight(r))
    return tuple(folded), frozenset(gone)


def _folded(shown: list[Reviewed], ends: dict[Lane, tuple[Party, Party]]) -> list[Reviewed]:
    """Many outside addresses with the same reasons at one end become one line."""
    alike: dict[tuple[object, ...], list[Reviewed]] = {}
    for one in shown:
        source, destination = ends[(one.source, one.destination, one.protocol, one.port)]
        here = "" if source.kind == OUTSIDE else one.source
        there = "" if destination.kind == OUTSIDE else one.destination
        key = (here, there, one.protocol, one.port, one.reasons, one.withheld)
        alike.setdefault(key, []).append(one)
    found: list[Reviewed] = []
    for (known_source, known_destination, *_), members in alike.items():
        if len(members) <= _MANY or (known_source and known_destination):
            found += members
            continue
        crowd = f"{len(members)} outside addresses"
        first = members[0]
        found.append(
            msgspec.structs.replace(
                first,
                source=first.source if known_source else crowd,
                destination=first.destination if known_destination else crowd,
                count=sum(one.count for one in members),
            )
        )
    return found


def _weight(reviewed: Reviewed) -> int:
    order = (FOREIGN, UNDECLARED, SINGLE, FROM_OUTSIDE, UNANSWERED, KUBELET, API_SERVER)
    heavy = (*order, TENANT, METADATA)
    return max((heavy.index(r) + 1 for r in reviewed.reasons if r in heavy), default=0)


def _crowds(merged: dict[Lane, list[Edge]]) -> dict[tuple[str, str, int], int]:
    """How many outside addresses each workload sends to on a port."""
    found: dict[tuple[str, str, int], int] = {}
    for members in merged.values():
        if members[0].destination.kind == OUTSIDE:
            key = (name_of(members[0].source), members[0].protocol, members[0].port)
            found[key] = found.get(key, 0) + 1
    return found


def _reasons(
    members: list[Edge],
    atlas: Atlas,
    found: Infrastructure,
    crowds: dict[tuple[str, str, int], int],
    by_address: bool,
) -> Iterator[str]:
    edge = members[0]
    source, destination = edge.source, edge.destination
    if destination.kind == OUTSIDE:
        if (destination.version, destination.address) in METADATA_ADDRESSES:
            yield METADATA
        elif _churns(members, crowds, by_address):
            yield CHURNING
    if source.kind == OUTSIDE:
        yield FROM_OUTSIDE
    if found.is_api(edge):
        yield API_SERVER
    if destination.kind == NODE and edge.port in _KUBELET:
        yield KUBELET
    if found.is_dns(edge):
        return
    if sum(one.count for one in members) == 1:
        yield SINGLE
    if not any(one.answered for one in members):
        yield UNANSWERED
    if destination.kind == WORKLOAD:
        if not any(_declares(one, atlas) for one in members):
            yield UNDECLARED
        if source.kind == WORKLOAD and not _scrapes(edge, atlas):
            yield from _apart(edge, atlas)


def _churns(members: list[Edge], crowds: dict[tuple[str, str, int], int], by_address: bool) -> bool:
    edge = members[0]
    if crowds.get((name_of(edge.source), edge.protocol, edge.port), 0) > _MANY:
        return True
    return by_address and any(one.names for one in members)


def _declares(edge: Edge, atlas: Atlas) -> bool:
    party = edge.destination
    assert party.workload is not None
    declared = atlas.shapes[party.workload][party.form][0].ports
    return any(p.number == edge.port and p.protocol == edge.protocol for p in declared)


def _scrapes(edge: Edge, atlas: Atlas) -> bool:
    """Whether the destination says itself that this port is there to be scraped."""
    party = edge.destination
    assert party.workload is not None
    endpoint = atlas.shapes[party.workload][party.form][0]
    return endpoint.resource.annotations.get(_SCRAPE) == str(edge.port) or any(
        p.number == edge.port and p.name in ("metrics", "http-metrics") for p in endpoint.ports
    )


def _apart(edge: Edge, atlas: Atlas) -> Iterator[str]:
    assert edge.source.workload is not None
    assert edge.destination.workload is not None
    here, there = edge.source.workload.namespace, edge.destination.workload.namespace
    if here == there:
        return
    mine = atlas.world.namespaces.get(here) or {}
    theirs = atlas.world.namespaces.get(there) or {}
    differ = (k in mine and k in theirs and mine[k] != theirs[k] for k in _TENANTS)
    yield TENANT if any(differ) else FOREIGN


def demanded(edges: Iterable[Edge]) -> tuple[Reviewed, ...]:
    """Dropped flows by name: what was asked for."""
    merged: dict[Lane, Reviewed] = {}
    for edge in edges:
        way = lane(edge)
        known = merged.get(way)
        if known is None:
            merged[way] = Reviewed(*way, ("was dropped",), edge.count, edge.witnesses, True)
        else:
            merged[way] = msgspec.structs.replace(known, count=known.count + edge.count)
    return tuple(merged[way] for way in sorted(merged))
