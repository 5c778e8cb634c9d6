"""Paths as one page: the graph, then each class with its steps and their evidence."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import IO, Final

from martello.report.network.html import page, section
from martello.report.paths.graph import graph
from martello.report.paths.model import Evidence, Step, Told, Way
from martello.report.paths.text import proof
from martello.report.text import plural

DRAWN: Final = 12  # classes in the picture
_LISTED: Final = 500
_STYLE: Final = (
    "<style>ol.steps{padding-left:1.6rem}ol.steps li{margin:.25rem 0}"
    "ol.steps small{display:block;color:var(--soft);overflow-wrap:anywhere}"
    ".level{font-weight:600}</style>\n"
)


def write(told: Told, title: str, out: IO[str]) -> None:
    """Writes the page."""
    page(title, _parts(told), out)


def _parts(told: Told) -> Iterator[str]:
    yield _STYLE
    if not told.ways:
        yield f"<p>No path from {plural(told.footholds, 'foothold')}.</p>\n"
        return
    shown = told.ways[:DRAWN]
    count = f"the first {DRAWN} of {len(told.ways)} classes of paths"
    yield section(graph(shown, count if len(told.ways) > DRAWN else "from footholds to goals"))
    if told.remedy is not None and told.remedy.edits:
        edits = "".join(
            f"<li>{_text(edit.says)} <small>cost {edit.cost} {_text(edit.where)}</small>\n"
            for edit in told.remedy.edits
        )
        yield f"<section>\n<h2>The cheapest cut</h2>\n<ol class=steps>{edits}</ol>\n"
        yield f"<p>{_text(proof(told, told.remedy))}</p>\n</section>\n"
    for way in told.ways[:_LISTED]:
        yield _way(way)
    if len(told.ways) > _LISTED:
        yield f"<p>{len(told.ways) - _LISTED} more: see the json report.</p>\n"
    for note in (*told.notes, *told.missing):
        yield f"<p>{_text(note)}</p>\n"


def _way(way: Way) -> str:
    head = f"<span class=level>{way.severity}</span> {_text(way.begin)} → {_text(way.goal)}"
    others = ""
    if len(way.footholds) > 1:
        named = ", ".join(way.footholds[:20])
        more = f" and {len(way.footholds) - 20} more" if len(way.footholds) > 20 else ""
        others = f"<p>any of {_text(named)}{more}</p>\n"
    steps = "".join(map(_step, way.steps))
    why = "".join(f"<p>{_text(reason)}</p>\n" for reason in way.why)
    return f"<section>\n<h2>{head}</h2>\n{others}<ol class=steps>{steps}</ol>\n{why}</section>\n"


def _step(step: Step) -> str:
    told = "".join(f"<small>{_text(_evidence(one))}</small>" for one in step.evidence)
    return f"<li>{_text(step.says)}{told}\n"


def _evidence(one: Evidence) -> str:
    said = one.says if one.sure else f"not assessed: {one.because or one.says}"
    return "  ".join(part for part in (said, one.where) if part)


def _text(text: str) -> str:
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return escape(shown)
