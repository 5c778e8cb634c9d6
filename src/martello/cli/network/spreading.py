"""`network matrix --from A --hops N`: how far one gets from a place, hop by hop."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import IO, Any, Final

import msgspec

from martello.cli.network.opening import Opened
from martello.cli.network.picturing import INTERNET, Outside, focus, representatives
from martello.cli.network.showing import only
from martello.cli.outputs import write_each
from martello.cli.reports import Output
from martello.practices.network.answers.spread import HOPS, Spread, spread
from martello.practices.network.world import find
from martello.report.model import Screen
from martello.report.network.model import Edge, Focus, Spot

_NAMED: Final = 6


def show_spread(opened: Opened, outputs: Sequence[Output], flags: dict[str, Any]) -> bool:
    """Writes the hops: as a list, a picture or data. Returns whether some are not known."""
    only(outputs, ("table", "json", "svg", "html", "dot"), "the way from a place")
    begin = flags["begin"]
    found = spread(opened.reach, find(opened.reach.world, begin), flags["hops"] or HOPS)
    picture = msgspec.structs.replace(picture_of(found, begin), notes=_out(opened, found, begin))
    around = focus(opened, begin) if any(o.format == "html" for o in outputs) else None

    def write(format: str, screen: Screen, out: IO[str]) -> None:
        if format == "table":
            import_module("martello.report.network.hops").write(
                picture, summary(found), screen, out
            )
        elif format == "json":
            import_module("martello.report.network.json").write_focus(picture, out)
        elif format == "html":
            shown = (picture,) if around is None else (picture, around)
            import_module("martello.report.network.html").write(shown, picture.title, out)
        elif format == "svg":
            import_module("martello.report.network.focus_svg").write(picture, out)
        else:
            import_module("martello.report.network.dot").write_focus(picture, out)

    write_each(outputs, write)
    return bool(found.maybe)


def _out(opened: Opened, found: Spread, begin: str) -> tuple[str, ...]:
    """Which of the places reached get out to the internet: it is no place of the cluster, and is
    not counted.
    """
    if begin.lower() == INTERNET:
        return ("that is what policies say; what leads in from outside: --exposure",)
    outside, places = Outside(opened), representatives(opened)
    sure = [
        *found.source.split(", "),
        *(row.place for hop in found.hops for row in hop.reached if row.sure),
    ]
    names = [
        name
        for name in dict.fromkeys(sure)
        if name.startswith("node/") or outside.out(places.get(name, ())).yes
    ]
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    if not names:
        return ("none of these surely reaches the internet",)
    return (f"the internet is reached from {', '.join(names[:_NAMED])}{more}",)


def summary(found: Spread) -> str:
    """How much is reached."""
    unsure = f", {found.maybe:,} more perhaps" if found.maybe else ""
    return f"{found.sure:,} of {found.total:,} places reached{unsure}"


def picture_of(found: Spread, begin: str) -> Focus:
    """The hops as a graph, each place after the one that it was reached from."""
    spots = [Spot(begin, _group(begin))]
    at = {begin: 0, found.source: 0}
    edges: list[Edge] = []
    for hop in found.hops:
        for reached in hop.reached:
            note = str(reached.by) if reached.sure else f"perhaps {reached.by}"
            spots.append(
                Spot(
                    reached.place,
                    _group(reached.place),
                    hop.number,
                    note,
                    "workload",
                    reached.sure,
                )
            )
            at.setdefault(reached.place, len(spots) - 1)
            edges.append(Edge(at.get(reached.via, 0), len(spots) - 1, reached.sure))
    hops = max((hop.number for hop in found.hops), default=0)
    title = f"How far {begin} gets in {hops} hop{'s' if hops != 1 else ''}"
    return Focus(title, tuple(spots), tuple(edges))


def _group(name: str) -> str:
    return name.partition("/")[0] if "/" in name else "outside"
