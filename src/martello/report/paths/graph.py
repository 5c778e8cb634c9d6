"""Paths as one graph: what is gained, in columns, and edges from what each step needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from martello.report.network.model import Edge, Focus, Spot
from martello.report.paths.model import Step, Way

_RUNS: Final = "pod-container"


def graph(ways: Iterable[Way], title: str) -> Focus:
    """The graph of some classes: a place that several paths gain stands once, in the column of its
    longest way. Steps that nobody assessed are not certain.
    """
    layers: dict[str, int] = {}
    begins: set[str] = set()
    groups: dict[str, str] = {}
    notes: dict[str, str] = {}
    edges: dict[tuple[str, str], bool] = {}
    for way in ways:
        begin = called(way)
        begins.add(begin)
        layers.setdefault(begin, 0)
        groups.setdefault(begin, "")
        for needs, step in links(way, brief=True):
            groups.setdefault(step.gives, step.group)
            notes.setdefault(step.gives, step.edge)
            for need in needs:
                edges[need, step.gives] = edges.get((need, step.gives), False) or step.sure
    layers.update({end: 1 for _, end in edges})  # footholds that others gain stand after these
    _lay(layers, edges)
    names = sorted(layers, key=lambda name: (layers[name], groups.get(name, ""), name))
    at = {name: number for number, name in enumerate(names)}
    certain = {end for (_, end), sure in edges.items() if sure}
    spots = tuple(
        Spot(
            name,
            groups.get(name, "") or ("from" if name in begins else "cluster"),
            layers[name],
            notes.get(name, ""),
            kind="outside" if name in begins else "workload",
            certain=name in begins or name in certain,
        )
        for name in names
    )
    drawn = tuple(Edge(at[a], at[b], sure) for (a, b), sure in sorted(edges.items()))
    return Focus(title, spots, drawn)


def called(way: Way) -> str:
    """The footholds of a class as one place."""
    more = len(way.footholds) - 1
    return f"{way.begin} and {more} more" if more > 0 else way.begin


def links(way: Way, brief: bool = False) -> Iterator[tuple[tuple[str, ...], Step]]:
    """Each step with the places that it follows from: what it needs where that is told, else what
    was gained before. `brief` goes without those that only say that a pod runs its containers.
    """
    begin = called(way)
    gained = {way.begin: begin}
    last = begin
    for step in way.steps:
        needs = tuple(dict.fromkeys(gained[one] for one in step.needs if one in gained))
        if brief and step.edge == _RUNS and step.gives != way.goal and not step.evidence:
            gained[step.gives] = last = (needs or (last,))[0]
            continue
        yield needs or (last,), step
        gained[step.gives] = last = step.gives


def _lay(layers: dict[str, int], edges: dict[tuple[str, str], bool]) -> None:
    """The column of each place: one more than that of the last thing it needs; bounded where paths
    run in a circle together.
    """
    places = {name for edge in edges for name in edge}
    for name in places:
        layers.setdefault(name, 1)
    for _ in range(min(len(places), 64)):
        changed = False
        for begin, end in edges:
            if layers[begin] and begin == end:
                continue
            if layers[end] and layers[end] <= layers[begin] < 63:
                layers[end] = layers[begin] + 1
                changed = True
        if not changed:
            break
    _late(layers, edges)


def _late(layers: dict[str, int], edges: dict[tuple[str, str], bool]) -> None:
    """Moves each place up to what it is needed for, so that few edges run behind others."""
    after: dict[str, list[str]] = {}
    for begin, end in edges:
        after.setdefault(begin, []).append(end)
    for name in sorted(after, key=lambda one: -layers[one]):
        layers[name] = max(layers[name], min(layers[end] for end in after[name]) - 1)
