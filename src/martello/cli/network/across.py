"""One question between clusters of a fleet: places are CLUSTER/NAMESPACE/NAME."""

from __future__ import annotations

from typing import Any

from martello.cli.network.asking import split_port
from martello.cli.network.fleets import Fleeted, fleet_of
from martello.cli.progress import Progress
from martello.core.errors import BadInput
from martello.core.reach import NONE, Conn
from martello.practices.network.fleets.fleet import Far
from martello.practices.network.world import find
from martello.report.network.model import Answer, Line

_EXITS = {"yes": 0, "no": 1, "unknown": 3}


def answer_across(begin_text: str, end_text: str, flags: dict[str, Any]) -> Answer:
    """The answer to `can A B --fleet FILE`. Raises what reading raises, and BadInput."""
    place, port, protocol = split_port(end_text)
    if port and not port.isdecimal():
        raise BadInput(f"no port {port}", "between clusters a port is a number", f"{place}:5432")
    number = int(port or 0)
    with Progress() as progress:
        fleeted = fleet_of(flags["fleet"], flags, progress)
    begins, ends = _far(fleeted, begin_text), _far(fleeted, place)
    found = [fleeted.fleet.verdict(a, b) for a in begins for b in ends if a != b]
    yes: Conn = NONE
    maybe: Conn = NONE
    because: dict[str, None] = {}
    for one in found:
        yes, maybe = yes | one.yes, maybe | one.maybe
        because.update(dict.fromkeys(one.because))
    maybe = maybe - yes
    if number:
        passes, perhaps = yes.allows(protocol, number), maybe.allows(protocol, number)
    else:
        passes, perhaps = bool(yes), bool(maybe)
    verdict = "yes" if passes else "unknown" if perhaps else "no"
    what = f" {protocol} {number}" if number else ""
    rest = {
        "yes": "passes" if number else f"passes on {yes}",
        "no": "is dropped",
        "unknown": "is not decided by what is here",
    }[verdict]
    lines = _lines(fleeted, begins[0], ends[0])
    return Answer(
        verdict=verdict,
        sentence=f"{verdict}: {begin_text} → {place}{what} {rest}",
        source=begin_text,
        destination=place,
        protocol=protocol,
        port=number,
        lines=lines,
        passes=yes,
        perhaps=maybe,
        notes=tuple(because) if verdict == "unknown" else (),
        missing=tuple(m for one in fleeted.clusters.values() for m in one.missing),
        exit=_EXITS[verdict],
    )


def _far(fleeted: Fleeted, text: str) -> tuple[Far, ...]:
    """The places of one cluster that a text names."""
    cluster, slash, rest = text.partition("/")
    if not slash or cluster not in fleeted.clusters:
        from martello.cli.errors import nearest

        known = list(fleeted.clusters)
        raise BadInput(
            f"no cluster in {text}",
            f"the nearest is '{nearest(cluster, known)}'",
            f"{known[0]}/NAMESPACE/NAME",
        )
    return tuple((cluster, p) for p in find(fleeted.clusters[cluster].reach.world, rest))


def _lines(fleeted: Fleeted, begin: Far, end: Far) -> tuple[Line, ...]:
    """Between two clusters, what the fleet file exports."""
    if begin[0] == end[0]:
        return ()
    exported = [e for e in fleeted.fleet.exports() if e.cluster == end[0]]
    names = ", ".join(dict.fromkeys(e.service or "addresses" for e in exported)) or "nothing"
    told = f"cluster {end[0]} exports {names}; its pods are addresses to cluster {begin[0]}"
    return (Line("also", "", "", told),)
