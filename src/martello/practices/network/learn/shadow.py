"""Live flows against a proposal: what it would drop if it were enforced. Nothing is enforced."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.flow import Flow
from martello.practices.network.learn.atlas import Atlas
from martello.practices.network.learn.model import Edge, Options
from martello.practices.network.learn.normalise import Aside, Seen
from martello.practices.network.learn.replay import (
    ALLOWED,
    Stage,
    analysed,
    lost_by,
    verdict,
    with_proposal,
)
from martello.practices.network.learn.review import Lane, lane
from martello.practices.network.learn.tally import DROPPED, Tally

_PLAIN: Final = Options()
_MEMORY: Final = 100_000  # distinct edges whose answers are kept


class Drop(msgspec.Struct, frozen=True):
    """A flow that the proposal would drop (`denied`), or might (`unknown`). `times` counts the
    flows of this edge so far, this one too: 1 is news.
    """

    source: str
    destination: str
    protocol: str
    port: int
    verdict: str
    why: str
    times: int
    at: float = 0.0
    witness: str = ""


def shadow(
    flows: Iterable[Flow],
    cluster: Cluster,
    proposal: Iterable[dict[str, Any]],
    options: Options = _PLAIN,
) -> Iterator[Drop]:
    """The would-be drops, as the flows come; flows that were dropped already are none. The proposal
    replaces policies of the same names; `options` names what else is learned of (profile, history).
    """
    policies = tuple(proposal)
    atlas = Atlas(cluster, options)
    stage = Stage(atlas)
    stage.prepare_all()
    spaces = {str(raw.get("metadata", {}).get("namespace", "")) for raw in policies}
    reached = analysed(with_proposal(cluster, policies, spaces), options.profile, stage)
    counted = Tally(atlas, options)
    answers: dict[Seen, tuple[str, str]] = {}
    times: dict[Lane, int] = {}
    for flow in flows:
        if flow.verdict == DROPPED:
            continue
        seen = counted.normal(flow)
        if isinstance(seen, Aside):
            continue
        for one in seen:
            edge = Edge(one.source, one.destination, one.protocol, one.port)
            found = answers.get(one)
            if found is None:
                said = verdict(reached, stage, edge)
                found = said, "" if said == ALLOWED else lost_by(edge, reached, stage)
                if len(answers) >= _MEMORY:
                    answers.clear()
                    times.clear()
                answers[one] = found
            if found[0] != ALLOWED:
                way = lane(edge)
                times[way] = times.get(way, 0) + max(flow.count, 1)
                yield Drop(*way, *found, times[way], flow.at, flow.witness)
