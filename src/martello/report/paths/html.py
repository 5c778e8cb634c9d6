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
    "<style>main{max-width:80rem}section{max-width:68rem}section:has(.scroll){max-width:none}"
    "ol.steps{padding-left:1.6rem}ol.steps li{margin:.25rem 0}"
    "ol.steps small{display:block;color:var(--soft);overflow-wrap:anywhere}"
    "ol.steps .unsure{color:var(--medium);font-weight:600}"
    ".way{padding:.1rem 1.2rem .6rem}.way h2{margin:.8rem 0 .4rem}</style>\n"
)


def write(told: Told, title: str, out: IO[str]) -> None:
    """Writes the page."""
    page(title, _parts(told), out)


def _parts(told: Told) -> Iterator[str]:
    yield _STYLE
    if not told.ways:
        yield f"<p class=verdict>No path from {plural(told.footholds, 'foothold')}.</p>\n"
        yield from _notes(told)
        return
    kind = {0: "", 3: " incomplete"}.get(told.report.exit, " fail")
    classes = plural(len(told.ways), "class", "classes")
    reason = _text(told.report.reason)
    yield f'<p class="verdict{kind}">{classes} of paths: {reason}</p>\n'
    shown = told.ways[:DRAWN]
    count = f"the first {DRAWN} of {len(told.ways)} classes of paths"
    drawn = graph(shown, count if len(told.ways) > DRAWN else "from footholds to goals")
    if len({spot.layer for spot in drawn.spots}) > 4:  # smaller, so that the goals are seen too
        yield "<style>.scroll svg{max-width:100%;min-width:64rem;height:auto}</style>\n"
    yield section(drawn)
    if told.remedy is not None and told.remedy.edits:
        edits = "".join(
            f"<li>{_text(edit.says)} <small>{_text(edit.where)} cost {edit.cost}</small>\n"
            for edit in told.remedy.edits
        )
        yield f"<section>\n<h2>The cheapest cut</h2>\n<ol class=steps>{edits}</ol>\n"
        yield f"<p>{_text(proof(told, told.remedy))}</p>\n</section>\n"
    for way in told.ways[:_LISTED]:
        yield _way(way)
    if len(told.ways) > _LISTED:
        yield f"<p>{len(told.ways) - _LISTED} more: see the json report.</p>\n"
    yield from _notes(told)


def _notes(told: Told) -> Iterator[str]:
    for note in told.notes:
        yield f"<p class=counts>note: {_text(note)}</p>\n"
    for one in told.missing:
        yield f"<p class=counts>unread: {_text(one)}</p>\n"


def _way(way: Way) -> str:
    level = f'<span class="severity {way.severity}">{way.severity}</span>'
    head = f"{level} {_text(way.begin)} → {_text(way.goal)}"
    others = ""
    if len(way.footholds) > 1:
        named = ", ".join(way.footholds[:20])
        more = f" and {len(way.footholds) - 20} more" if len(way.footholds) > 20 else ""
        others = f"<p>any of {_text(named)}{more}</p>\n"
    steps = "".join(map(_step, way.steps))
    why = "".join(f"<p>{_text(reason)}</p>\n" for reason in way.why)
    body = f"<h2>{head}</h2>\n{others}<ol class=steps>{steps}</ol>\n{why}"
    return f'<section class="cause way {way.severity}">\n{body}</section>\n'


def _step(step: Step) -> str:
    told = "".join(f"<small>{_text(_evidence(one))}</small>" for one in step.shown)
    mark = "" if step.sure else "<span class=unsure>?</span> "
    return f"<li>{mark}{_text(step.says)}{told}\n"


def _evidence(one: Evidence) -> str:
    said = one.says if one.sure else f"not assessed: {one.because or one.says}"
    return "  ".join(part for part in (said, one.where) if part)


def _text(text: str) -> str:
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return escape(shown)
