"""How policies and traffic have parted: what is allowed and nobody uses, what is asked for and
denied.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.flow import Flow
from martello.core.reach import ALL, NONE, Conn
from martello.practices.network.learn.atlas import Atlas
from martello.practices.network.learn.model import Options
from martello.practices.network.learn.proof import used
from martello.practices.network.learn.replay import (
    ALLOWED,
    Stage,
    analysed,
    lost_by,
    verdict,
)
from martello.practices.network.learn.review import lane
from martello.practices.network.learn.tally import Tally
from martello.practices.network.learn.unused import UnusedRule, unused_rules

_PLAIN: Final = Options()
_FEW: Final = 64  # ports of a pair: more are a range, of which single ports prove nothing


class Unused(msgspec.Struct, frozen=True):
    """NET-022: what policies allow between two workloads and no flow used since then."""

    source: str
    destination: str
    ports: str


class Demand(msgspec.Struct, frozen=True):
    """NET-023: flows that were dropped, and the policy step that says so. Empty `why`: policies
    allow them, so something else drops them.
    """

    source: str
    destination: str
    protocol: str
    port: int
    count: int
    last: float
    why: str
    witnesses: tuple[str, ...] = ()


class Drift(msgspec.Struct, frozen=True):
    """Both, and how many flows since then they rest on; `older` ones are left out."""

    unused: tuple[Unused, ...]
    demand: tuple[Demand, ...]
    flows: int
    rules: tuple[UnusedRule, ...] = ()  # NET-022 by rule, for NetworkPolicies
    older: int = 0


def drift(
    flows: Iterable[Flow], cluster: Cluster, since: float, options: Options = _PLAIN
) -> Drift:
    """Compares the policies of a cluster with the flows since a time (seconds since 1970). Flows
    without a time count as recent.
    """
    atlas = Atlas(cluster, options)
    counted = Tally(atlas, options)
    older = 0
    for flow in flows:
        if not flow.at or flow.at >= since:
            counted.add(flow)
        else:
            older += 1
    edges, dropped = counted.edges(), counted.demand()
    stage = Stage(atlas)
    stage.prepare_all()
    reached = analysed(cluster, options.profile, stage)
    seen = used(edges)
    unused: list[Unused] = []
    known = {str(key): key for key in atlas.shapes if stage.prepared(key)}
    for one, other, found in reached.matrix("workload"):
        source, destination, passing = known.get(one), known.get(other), found.yes
        if source is None or destination is None or source == destination or passing == ALL:
            continue
        taken = seen.get((source, destination), NONE)
        left = Conn((passing - taken).ranges)
        if left and (not taken or _size(passing) <= _FEW):
            unused.append(Unused(str(source), str(destination), str(left)))
    demand: list[Demand] = []
    for edge in dropped:
        why = "" if verdict(reached, stage, edge) == ALLOWED else lost_by(edge, reached, stage)
        demand.append(Demand(*lane(edge), edge.count, edge.last, why, edge.witnesses))
    rules = unused_rules(reached, stage, edges)
    return Drift(tuple(unused), _merged(demand), counted.flows, rules, older)


def _size(passing: Conn) -> int:
    return sum(span.last - span.first + 1 for span in passing.ranges)


def _merged(demand: Iterable[Demand]) -> tuple[Demand, ...]:
    """One line for the pods of one workload."""
    found: dict[tuple[str, str, str, int], Demand] = {}
    for one in demand:
        way = (one.source, one.destination, one.protocol, one.port)
        known = found.get(way)
        if known is not None:
            one = msgspec.structs.replace(
                known, count=known.count + one.count, last=max(known.last, one.last)
            )
        found[way] = one
    return tuple(found[way] for way in sorted(found))
