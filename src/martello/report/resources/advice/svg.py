"""Use over time as a drawing: memory peaks and processor time by hour, what is set today, what is
advised, and where the backtest began. Every line is named where it ends; colour only helps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from martello.core.sizing import Advice, Picture, bytes_text, cores_text
from martello.report.network.svg import drawing, element, words
from martello.report.resources.advice.model import name

_LEFT: Final = 70.0
_WIDE: Final = 560.0
_RIGHT: Final = 190.0
_HIGH: Final = 120.0
_POINTS: Final = 360  # of a line; the greatest of the hours in between
STYLE: Final = """
.net .use { fill: none; stroke: var(--accent); stroke-width: 1.4; stroke-linejoin: round; }
.net .now { stroke: var(--part); stroke-width: 1.4; stroke-dasharray: 6 4; }
.net .advised { stroke: var(--shut); stroke-width: 1.8; }
.net .tried { fill: var(--line); fill-opacity: .55; }
.net .cut { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 2 3; }
.net .kill { fill: var(--open); } .net text.now { fill: var(--part); stroke: none; }
.net text.advised { fill: var(--shut); stroke: none; font-weight: 600; }
"""


def picture_svg(advice: Advice) -> str:
    """Memory above, processor time below; nothing where there is no picture."""
    seen, sizes = advice.picture, advice.sizes
    if seen is None or sizes is None:
        return ""
    learned = advice.backtest.of("advice") if advice.backtest else None
    memory = [("now", "limit now", advice.now.memory_limit), ("advised", "advised", sizes.memory)]
    if learned is not None and learned.sizes.memory != sizes.memory:
        memory.append(("edge", "backtest tried", learned.sizes.memory))
    cores = [("now", "request now", advice.now.cores), ("advised", "advised", sizes.cores)]
    top = _panel(
        "Memory: the peak of any pod", seen, seen.memory.astype(np.float64), memory, bytes_text
    )
    below = _panel(
        "Processor time: the 95th percentile of each hour", seen, seen.cores, cores, cores_text
    )
    body = element("g", "".join(top), transform="translate(0 8)")
    body += element("g", "".join(below), transform=f"translate(0 {_HIGH + 66:.0f})")
    height = 2 * _HIGH + 112
    return drawing(body, _LEFT + _WIDE + _RIGHT, height, f"Use of {name(advice)}")


def _panel(
    head: str,
    seen: Picture,
    values: NDArray[np.float64],
    lines: Sequence[tuple[str, str, float | None]],
    show: Callable[[float | None], str],
) -> Iterator[str]:
    levels = [value for _, _, value in lines if value is not None]
    most = max([float(np.nanmax(values)) if not np.isnan(values).all() else 0.0, *levels, 1e-9])
    most *= 1.08
    hours = len(values)
    yield element("text", words(head), class_="title", x=_LEFT, y=14)
    yield element("rect", class_="sheet", x=_LEFT, y=24, width=_WIDE, height=_HIGH)
    if seen.middle < hours:
        x = _LEFT + _WIDE * seen.middle / hours
        yield element("rect", class_="tried", x=x, y=24, width=_LEFT + _WIDE - x, height=_HIGH)
        yield element("text", "tried", class_="label", x=x + 4, y=20 + _HIGH)
    for share in (0.0, 0.5, 1.0):
        y = 24 + _HIGH * (1 - share)
        yield element("text", words(show(most * share)), class_="soft end", x=_LEFT - 6, y=y + 4)
    for time, why in seen.cuts:
        x = _LEFT + _WIDE * (time - seen.begin) / 3600 / hours
        told = element("title", words(why))
        yield element("line", told, class_="cut", x1=x, x2=x, y1=24, y2=24 + _HIGH)
    yield element("path", class_="use", d=_path(values, most))
    for time in seen.kills:
        x = _LEFT + _WIDE * (time - seen.begin) / 3600 / hours
        yield element("circle", element("title", "killed"), class_="kill", cx=x, cy=28, r=3)
    labels = sorted(((v, c, t) for c, t, v in lines if v is not None), reverse=True)
    bottom = 0.0
    for value, kind, text in labels:
        y = 24 + _HIGH * (1 - value / most)
        yield element("line", class_=kind, x1=_LEFT, x2=_LEFT + _WIDE, y1=y, y2=y)
        bottom = max(y + 4, bottom + 15)
        label = f"{text} {show(value)}"
        kinds = kind if kind != "edge" else "soft"
        yield element("text", words(label), class_=kinds, x=_LEFT + _WIDE + 8, y=bottom)
    for share, anchor in ((0.0, ""), (1.0, "end")):
        at = datetime.fromtimestamp(seen.begin + share * hours * 3600, UTC)
        day = at.date().isoformat()
        place = _LEFT + _WIDE * share
        yield element("text", day, class_=f"label {anchor}".strip(), x=place, y=_HIGH + 38)


def _path(values: NDArray[np.float64], most: float) -> str:
    """The line of the greatest values of equal parts of time, interrupted where nothing was
    measured.
    """
    edges = np.unique(np.linspace(0, len(values), min(_POINTS, len(values)) + 1).astype(int))
    parts, drawn = [], False
    for first, end in pairwise(edges.tolist()):
        part = values[first:end]
        part = part[~np.isnan(part)]
        if not len(part):
            drawn = False
            continue
        x = _LEFT + _WIDE * (first + end) / 2 / len(values)
        y = 24 + _HIGH * (1 - float(part.max()) / most)
        parts.append(f"{'L' if drawn else 'M'}{x:.1f} {y:.1f}")
        drawn = True
    return "".join(parts)
