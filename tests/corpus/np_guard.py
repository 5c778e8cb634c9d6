"""Replays np-guard's connection lists, exposures, differences and refusals.

Every edge of a case must agree. Its conventions lie in `np_guard_form`; where we differ on
purpose, docs/decisions/014-peers-network-answers.md says why.
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
from tests.corpus.np_guard_form import (
    CONTROLLER,
    HIDDEN,
    PROFILE,
    Interval,
    by_workload,
    cluster_of,
    hidden_pod,
    named,
    parse_conn,
    parse_external,
    parse_witness,
    ported,
    without_pods,
)

from martello.core.cluster import Cluster
from martello.core.reach import NONE, Conn, Ports
from martello.practices.network.compare.diff import Change, diff
from martello.practices.network.decide.decide import IN, NOTHING_PASSES, OUT, Passing
from martello.practices.network.decide.witness import ANYONE
from martello.practices.network.dialects.read import read
from martello.practices.network.engine.reach import Reach, reach_of
from martello.practices.network.model import Place
from martello.practices.network.outer.exposure import exposure
from martello.practices.network.outer.ingress import edges
from martello.practices.network.world import NAME_LABEL, world

Case = tuple[str, bool, str]
Raw = dict[str, Any]
Edges = dict[tuple[str, str], Conn]
# An end outside and a workload, by direction: what passes on which addresses.
Ranges = dict[tuple[str, str], list[tuple[Interval, Conn]]]


def replay(path: Path) -> Iterator[Case]:
    """One case for each line."""
    for row in _lines(path / "connlist.jsonl.gz"):
        yield f"connlist {row['dir']}", *_verdict(connlist(row))
    for row in _lines(path / "exposure.jsonl.gz"):
        yield f"exposure {row['dir']}", *_verdict(exposed(row))
    for row in _lines(path / "diff.jsonl.gz"):
        yield f"diff {row['dir1']} {row['dir2']}", *_verdict(changed(row))
    for row in _lines(path / "invalid.jsonl"):
        refused = bool(read(cluster_of(row["manifests"]), PROFILE).faults)
        yield f"invalid {row['dir']}", refused, f"taken, though {row['reason']}"


def _lines(path: Path) -> Iterator[Raw]:
    if not path.is_file():
        return
    raw = path.read_bytes()
    for line in (gzip.decompress(raw) if path.suffix == ".gz" else raw).splitlines():
        yield json.loads(line)


def _verdict(wrong: Iterable[str]) -> tuple[bool, str]:
    found = list(wrong)
    return not found, "; ".join(found[:5]) + (f" and {len(found) - 5} more" if found[5:] else "")


class Seen(msgspec.Struct):
    """One side's edges: between workloads, and with addresses outside."""

    edges: Edges
    ranges: Ranges


def connlist(row: Raw) -> Iterator[str]:
    """What differs of a connection list."""
    cluster = cluster_of(row["manifests"])
    yield from _differ(_ours(cluster), _theirs(row["expected"]))


def _theirs(expected: list[Raw]) -> Seen:
    seen = Seen({}, defaultdict(list))
    for edge in expected:
        connections = parse_conn(edge["conn"])[0]
        for end, other in (("src", "dst"), ("dst", "src")):
            ranges = parse_external(edge[end])
            if ranges is not None:
                way = (IN if end == "src" else OUT, edge[other])
                seen.ranges[way].extend((one, connections) for one in ranges)
                break
        else:
            seen.edges[(edge["src"], edge["dst"])] = connections
    return seen


def _reach(cluster: Cluster) -> Reach:
    """With the pod of an ingress controller: without labels, in a namespace without any."""
    places = world(cluster, PROFILE)
    spaces = {**places.namespaces, HIDDEN: {NAME_LABEL: HIDDEN}}
    places = msgspec.structs.replace(
        places, endpoints=(*places.endpoints, hidden_pod()), namespaces=spaces
    )
    return reach_of(places, without_pods(read(cluster, PROFILE)), PROFILE)


def _ours(cluster: Cluster) -> Seen:
    reach = _reach(cluster)
    ends = by_workload(e for e in reach.world.endpoints if e.namespace != HIDDEN)
    seen = Seen({}, defaultdict(list))
    for source, from_ in ends.items():
        for destination, to in ends.items():
            if source != destination and (passes := _passes(reach, from_, to)):
                seen.edges[(source, destination)] = passes
    for address in reach.addresses(4):
        span = (address.first, address.last)
        for name, end in ends.items():
            for way, pair in ((IN, (address, end)), (OUT, (end, address))):
                if passes := _passes(reach, *pair):
                    seen.ranges[(way, name)].append((span, passes))
    seen.edges.update(controller(reach, cluster))
    return seen


def _passes(reach: Reach, source: Place, destination: Place) -> Conn:
    return ported(reach.verdict(source, destination, 4).yes)


def controller(reach: Reach, cluster: Cluster) -> Edges:
    """What Ingresses and Routes open, by the policies of the target."""
    pod = next(e for e in reach.world.endpoints if e.name == f"{HIDDEN}/{HIDDEN}")
    found: Edges = {}
    for edge in edges(reach.world, cluster):
        asked = Conn((Ports(edge.protocol, edge.target, edge.target),))
        for endpoint in by_workload(edge.endpoints).values():
            key = (CONTROLLER, named(endpoint))
            # Only ports that containers declare count.
            if all(port.number != edge.target for port in endpoint.ports):
                continue
            if passes := _passes(reach, pod, endpoint) & asked:
                found[key] = found.get(key, NONE) | passes
    return found


def _differ(ours: Seen, theirs: Seen) -> Iterator[str]:
    for key in sorted(ours.edges.keys() | theirs.edges.keys()):
        passes, right = ours.edges.get(key, NONE), theirs.edges.get(key, NONE)
        if passes != right:
            yield f"{key[0]} → {key[1]}: {passes}, wanted {right}"
    for way in sorted(ours.ranges.keys() | theirs.ranges.keys()):
        mine, wanted = _split(ours.ranges.get(way, []), theirs.ranges.get(way, []))
        if mine != wanted:
            odd = [
                span
                for span in sorted(mine.keys() | wanted.keys())
                if mine.get(span) != wanted.get(span)
            ]
            yield f"{way}: {odd[0]} {mine.get(odd[0], NONE)}, wanted {wanted.get(odd[0], NONE)}"


def _split(*sides: list[tuple[Interval, Any]]) -> tuple[dict[Interval, Any], ...]:
    """All sides cut at all boundaries."""
    cuts = sorted({cut for side in sides for (low, high), _ in side for cut in (low, high + 1)})
    after = dict(pairwise(cuts))
    found: list[dict[Interval, Any]] = []
    for side in sides:
        cells: dict[Interval, Any] = {}
        for (low, high), passes in side:
            while low <= high:
                cell = (low, after[low] - 1)
                cells[cell] = cells[cell] | passes if cell in cells else passes
                low = after[low]
        found.append(cells)
    return tuple(found)


def exposed(row: Raw) -> Iterator[str]:
    """What differs of an exposure and of the connection list beside it."""
    expected = row["expected"]
    cluster = cluster_of(row["manifests"])
    ours = _ours(cluster)
    yield from _differ(ours, _theirs(expected["connlist"]))
    reach = _reach(cluster)
    found = exposure(reach, written=True)
    kinds = {e.name: named(e) for e in reach.world.endpoints}
    hidden = f"{HIDDEN}/{HIDDEN}"
    free = {(kinds[name], way) for name, way in found.unprotected if name != hidden}
    ways = {"Ingress": IN, "Egress": OUT}
    wanted_free = {(e["workload"], ways[e["direction"]]) for e in expected["not_protected"]}
    for name, direction in sorted(free ^ wanted_free):
        yield f"{name} {direction}: unprotected {(name, direction) in free}"
    anyone = {(r.workload, r.direction): r.admitted for r in found.rows if r.witness == ANYONE}
    mine: dict[Any, Any] = {}
    for one in (row for row in found.rows if row.workload != hidden):
        base = _shown(anyone.get((one.workload, one.direction), NOTHING_PASSES))
        shown = base if one.witness == ANYONE else _shown(one.passing)
        if one.witness == ANYONE or shown != base:
            at = (kinds[one.workload], one.direction, one.witness.namespaces, one.witness.pods)
            mine[at] = shown
    theirs: dict[Any, Any] = {}
    outside: Ranges = defaultdict(list)
    for key, way in (("ingress", IN), ("egress", OUT)):
        for edge in expected[key]:
            ranges = parse_external(edge["peer"])
            connections = parse_conn(edge["conn"])
            if ranges is not None:
                outside[(way, edge["workload"])].extend((one, connections[0]) for one in ranges)
                continue
            witness = parse_witness(edge["peer"])
            theirs[(edge["workload"], way, witness.namespaces, witness.pods)] = connections
    for at in mine.keys() | theirs.keys():
        if mine.get(at) != theirs.get(at):
            yield f"{at}: {mine.get(at)}, wanted {theirs.get(at)}"
    # Addresses outside are repeated for the workloads that have any row.
    listed = {at[0] for at in mine} | {name for name, _ in free}
    repeated = {way: spans for way, spans in ours.ranges.items() if way[1] in listed}
    yield from _differ(Seen({}, repeated), Seen({}, outside))


def _shown(passing: Passing) -> Any:
    return ported(passing.conn), frozenset(passing.shown)


def changed(row: Raw) -> Iterator[str]:
    """What differs of a difference."""
    clusters = [cluster_of(row["manifests1"]), cluster_of(row["manifests2"])]
    before, after = (_reach(cluster) for cluster in clusters)
    found = diff(before, after)
    kinds = {e.name: named(e) for reach in (before, after) for e in reach.world.endpoints}
    kinds.pop(f"{HIDDEN}/{HIDDEN}")
    edges: dict[Any, Any] = {}
    ranges: dict[Any, list[tuple[Interval, Any]]] = defaultdict(list)
    for change in found.changes:
        ends = [kinds.get(end, "") for end in (change.source, change.destination)]
        passes = (ported(change.before.yes), ported(change.after.yes))
        info = _info(change.kind, [kinds[n] for n in ends_of(change) if n in kinds])
        if not any(ends) or passes[0] == passes[1]:
            continue
        if change.outside is None and all(ends):
            edges[tuple(ends)] = (change.kind, passes, info)
        elif change.outside is not None and change.outside.version == 4:
            way = (OUT, ends[0]) if ends[0] else (IN, ends[1])
            span = (change.outside.first, change.outside.last)
            ranges[way].append((span, (change.kind, passes, info)))
    opened = [controller(*pair) for pair in zip((before, after), clusters, strict=True)]
    for key in opened[0].keys() | opened[1].keys():
        passes = opened[0].get(key, NONE), opened[1].get(key, NONE)
        if passes[0] != passes[1]:
            kind = "added" if not passes[0] else "changed" if passes[1] else "removed"
            odd = [key[1] for name in (*found.new, *found.gone) if kinds.get(name) == key[1]]
            edges[key] = (kind, passes, _info(kind, odd))
    yield from _compared(edges, ranges, row["expected"])


def ends_of(change: Change) -> list[str]:
    """The ends that only one state has, the source first."""
    odd = (*change.new, *change.gone)
    return [end for end in (change.source, change.destination) if end in odd]


def _info(kind: str, odd: list[str]) -> str:
    return f"workload {' and '.join(odd)} {kind}" if odd else ""


def _compared(
    edges: dict[Any, Any], ranges: dict[Any, list[tuple[Interval, Any]]], expected: list[Raw]
) -> Iterator[str]:
    wanted: dict[Any, Any] = {}
    outside: dict[Any, list[tuple[Interval, Any]]] = defaultdict(list)
    for edge in expected:
        passes = (parse_conn(edge["dir1"])[0], parse_conn(edge["dir2"])[0])
        value = (edge["type"], passes, edge["info"])
        for end, other, way in (("src", "dst", IN), ("dst", "src", OUT)):
            spans = parse_external(edge[end])
            if spans is not None:
                outside[(way, edge[other])].extend((span, value) for span in spans)
                break
        else:
            wanted[(edge["src"], edge["dst"])] = value
    for key in edges.keys() | wanted.keys():
        if edges.get(key) != wanted.get(key):
            yield f"{key}: {edges.get(key)}, wanted {wanted.get(key)}"
    for way in ranges.keys() | outside.keys():
        mine, theirs = _split(ranges.get(way, []), outside.get(way, []))
        if mine != theirs:
            odd = min(s for s in mine.keys() | theirs.keys() if mine.get(s) != theirs.get(s))
            yield f"{way} {odd}: {mine.get(odd)}, wanted {theirs.get(odd)}"
