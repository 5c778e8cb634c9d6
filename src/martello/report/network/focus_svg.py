"""One workload and its neighbours as a drawing: who reaches it on the left, what it reaches on the
right, each hop a column, each namespace a block.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import IO, Final

import msgspec

from martello.report.network.model import Edge, Focus, Spot
from martello.report.network.svg import cut, drawing, element, words
from martello.report.text import plural

MOST: Final = 60  # places drawn; the rest of a block is folded into one
_WIDE: Final = 184.0
_HIGH: Final = 40.0
_GAP: Final = 8.0
_HEAD: Final = 24.0
_BETWEEN: Final = 72.0
_MARGIN: Final = 16.0
_LETTERS: Final = 21  # of a name in its box
_SMALL: Final = 26  # of the note below it

Places = list[tuple[float, float]]


def write(focus: Focus, out: IO[str]) -> None:
    """Writes the drawing as a file of its own."""
    out.write(focus_svg(focus, style=True) + "\n")


def focus_svg(focus: Focus, *, style: bool = False) -> str:
    """The drawing, of at most 60 places."""
    shown = folded(focus)
    layers = sorted({spot.layer for spot in shown.spots})
    order = _ordered(shown, layers)
    heights = [_height(shown, order[layer]) for layer in layers]
    tall = max(heights, default=0.0)
    top = 44.0
    places: Places = [(0.0, 0.0)] * len(shown.spots)
    heads: list[str] = []
    for column, layer in enumerate(layers):
        x = _MARGIN + column * (_WIDE + _BETWEEN)
        y = top + (tall - heights[column]) / 2
        group = None
        for index in order[layer]:
            spot = shown.spots[index]
            if spot.group != group:
                group = spot.group
                text = _text(group, _LETTERS + 2)
                heads.append(element("text", text, class_="label", x=x, y=y + _HEAD - 8))
                y += _HEAD
            places[index] = (x, y)
            y += _HIGH + _GAP
    lines = [_edge(edge, places) for edge in shown.edges]
    boxes = [_box(spot, *places[index]) for index, spot in enumerate(shown.spots)]
    width = 2 * _MARGIN + len(layers) * (_WIDE + _BETWEEN) - _BETWEEN
    title = element("text", _text(shown.title, 60), class_="title", x=_MARGIN, y=24)
    body = "".join((title, *lines, *heads, *boxes))
    width = max(width, _MARGIN * 2 + 8.2 * min(len(shown.title), 60))
    return drawing(body, width, top + tall + _MARGIN, shown.title, style=style)


def folded(focus: Focus, most: int = MOST) -> Focus:
    """The graph with at most `most` places: of each namespace in each column the first are kept,
    the others become one that says how many they are.
    """
    if len(focus.spots) <= most:
        return focus
    blocks: dict[tuple[int, str], list[int]] = {}
    for index, spot in enumerate(focus.spots):
        blocks.setdefault((spot.layer, spot.group), []).append(index)
    room = max(0, most - 2 * len(blocks)) // max(1, len(blocks))
    if len(blocks) * 2 > most:
        return folded(_joined(focus), most)
    kept: list[Spot] = []
    becomes: dict[int, int] = {}
    for members in blocks.values():
        shown = members if len(members) <= room + 2 else members[: room + 1]
        for index in shown:
            becomes[index] = len(kept)
            kept.append(focus.spots[index])
        rest = members[len(shown) :]
        if rest:
            first = focus.spots[rest[0]]
            becomes.update(dict.fromkeys(rest, len(kept)))
            name = f"and {plural(len(rest), 'more', 'more')}"
            kept.append(Spot(name, first.group, first.layer, kind="more"))
    edges = dict.fromkeys(
        Edge(becomes[e.source], becomes[e.destination], e.certain) for e in focus.edges
    )
    return Focus(focus.title, tuple(kept), tuple(edges), focus.notes)


def _joined(focus: Focus) -> Focus:
    """Every namespace but the focus's own becomes one place of its column: there are too many."""
    blocks: dict[tuple[int, str], list[int]] = {}
    for index, spot in enumerate(focus.spots):
        blocks.setdefault((spot.layer, spot.group), []).append(index)
    kept: list[Spot] = []
    becomes: dict[int, int] = {}
    for (layer, group), members in blocks.items():
        becomes.update(dict.fromkeys(members, len(kept)))
        one = focus.spots[members[0]]
        name = group if len(members) > 1 else one.name
        note = plural(len(members), "place") if len(members) > 1 else one.note
        where = "" if layer == 0 else "namespaces"
        kept.append(msgspec.structs.replace(one, name=name, group=where, note=note))
    edges = dict.fromkeys(
        Edge(becomes[e.source], becomes[e.destination], e.certain) for e in focus.edges
    )
    return Focus(focus.title, tuple(kept), tuple(edges), focus.notes)


def _ordered(focus: Focus, layers: Sequence[int]) -> dict[int, list[int]]:
    """The places of each column from top to bottom: blocks and members by the mean position of
    their neighbours nearer to the focus, then by name.
    """
    position: dict[int, float] = {}
    order: dict[int, list[int]] = {}
    near = {index: [] for index in range(len(focus.spots))}  # type: dict[int, list[int]]
    for edge in focus.edges:
        near[edge.source].append(edge.destination)
        near[edge.destination].append(edge.source)
    for layer in sorted(layers, key=abs):
        members = [i for i, spot in enumerate(focus.spots) if spot.layer == layer]
        mean = {i: _mean(position[n] for n in near[i] if n in position) for i in members}
        block: dict[str, float] = {}
        for group in dict.fromkeys(focus.spots[i].group for i in members):
            block[group] = _mean(mean[i] for i in members if focus.spots[i].group == group)
        order[layer] = sorted(members, key=lambda i: _rank(focus.spots[i], block, mean[i]))
        position.update({i: float(at) for at, i in enumerate(order[layer])})
    return order


def _rank(spot: Spot, block: dict[str, float], mean: float) -> tuple[float, str, bool, float, str]:
    return (block[spot.group], spot.group, spot.kind == "more", mean, spot.name)


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed) if listed else 0.0


def _height(focus: Focus, members: Sequence[int]) -> float:
    groups = len(dict.fromkeys(focus.spots[i].group for i in members))
    return len(members) * (_HIGH + _GAP) + groups * _HEAD


def _box(spot: Spot, x: float, y: float) -> str:
    kind = "focus" if spot.layer == 0 else spot.kind
    told = f"{spot.name}: {spot.note}" if spot.note else spot.name
    parts = [
        element("title", words(told)),
        element("rect", class_=f"spot {kind}", x=x, y=y, width=_WIDE, height=_HIGH, rx=5),
    ]
    middle = y + (17 if spot.note else 24.5)
    parts.append(element("text", words(cut(spot.name, _LETTERS)), x=x + 10, y=middle))
    if spot.note:
        mark = "label" if spot.certain else "label unsure"
        small = words(cut(spot.note, _SMALL))
        parts.append(element("text", small, class_=mark, x=x + 10, y=y + 32))
    return element("g", "".join(parts))


def _edge(edge: Edge, places: Places) -> str:
    (x1, y1), (x2, y2) = places[edge.source], places[edge.destination]
    x1, y1, y2 = x1 + _WIDE, y1 + _HIGH / 2, y2 + _HIGH / 2
    mark = "" if edge.certain else " unsure"
    bend = (x1 + x2) / 2
    curve = f"C{bend:.1f} {y1:.1f} {bend:.1f} {y2:.1f} {x2 - 6:.1f} {y2:.1f}"
    line = element("path", class_=f"edge{mark}", d=f"M{x1:.1f} {y1:.1f}{curve}")
    return line + element("path", class_=f"tip{mark}", d=f"M{x2:.1f} {y2:.1f}l-7 -3.5v7Z")


def _text(text: str, most: int) -> str:
    return words(cut(text, most))
