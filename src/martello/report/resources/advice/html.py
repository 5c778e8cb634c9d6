"""Advice as one page: for each container use over time, today's and the advised sizes, and what the
backtest tried.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import IO, Final

from martello.core.sizing import Advice, Backtest, bytes_text, cores_text
from martello.report.network.html import page
from martello.report.resources.advice.model import Told, called, name
from martello.report.resources.advice.svg import STYLE, picture_svg
from martello.report.resources.advice.text import labelled, summary

_DRAWN: Final = 60  # containers with a picture
_LISTED: Final = 500
_NONE: Final = "\N{EN DASH}"
_STYLE: Final = (
    f"<style>{STYLE}"
    ".advice{padding:.2rem 1.2rem 1rem}.advice h2{margin:.8rem 0 .2rem;font-size:1.1rem;"
    "overflow-wrap:anywhere}.advice p{margin:.3rem 0}.advice td,.advice th{text-align:right;"
    "white-space:nowrap}"
    ".advice td:first-child,.advice th:first-child{text-align:left}"
    ".care{color:var(--medium);font-weight:600}</style>\n"
)


def write(told: Told, out: IO[str]) -> None:
    """Writes one self-contained page without script."""
    page("What containers should ask for", _parts(told), out)


def _parts(told: Told) -> Iterator[str]:
    yield _STYLE
    kind = {0: "", 3: " incomplete"}.get(told.exit, " fail")
    yield f'<p class="verdict{kind}">{_text(" · ".join(summary(told)))}</p>\n'
    if told.reason:
        yield f"<p class=counts>exit {told.exit}: {_text(told.reason)}</p>\n"
    for number, one in enumerate(told.advised[:_LISTED]):
        yield from _section(one, drawn=number < _DRAWN)
    if len(told.advised) > _LISTED:
        yield f"<p class=counts>{len(told.advised) - _LISTED:,} containers more: -o json</p>\n"
    if told.unassessed:
        yield "<section class=advice>\n<h2>Unassessed</h2>\n<ul>\n"
        for one in told.unassessed[:_LISTED]:
            yield f"<li>{_text(name(one))}: {_text(one.unassessed)}</li>\n"
        yield "</ul>\n</section>\n"
    for label, group in labelled(told):
        for line in group:
            yield f"<p class=counts>{label}: {_text(line)}</p>\n"


def _section(one: Advice, *, drawn: bool) -> Iterator[str]:
    yield f'<section class="cause advice">\n<h2>{_text(name(one))}</h2>\n'
    yield f"<p>{_text('; '.join(one.reasons))}.</p>\n"
    because = f": {'; '.join(one.because)}" if one.because else ""
    yield f"<p>Confidence <b>{one.level}</b>{_text(because)} ({one.days:.0f} days measured).</p>\n"
    for caution in one.cautions:
        yield f"<p class=care>{_text(caution)}</p>\n"
    if drawn:
        label = _text(f"Use of {name(one)}")
        yield f'<div class=scroll tabindex=0 role=region aria-label="{label}">'
        yield f"{picture_svg(one)}</div>\n"
    if one.backtest is not None:
        yield _table(one.backtest)
    yield "</section>\n"


def _table(test: Backtest) -> str:
    rows = "".join(
        "<tr>"
        + f"<td>{called(c)}"
        + f"<td>{cores_text(c.sizes.cores)} / {cores_text(c.sizes.cores_limit)}"
        + f"<td>{bytes_text(c.sizes.memory)} / {bytes_text(c.sizes.memory_limit)}"
        + f"<td>{f'{c.tried.kills:,}' if c.sizes.memory_limit is not None else 'no limit'}"
        + f"<td>{_share(c.tried.above)}<td>{_share(c.tried.throttled)}"
        + f"<td>{_number(c.tried.core_hours)}<td>{_number(c.tried.gib_hours)}\n"
        for c in test.contenders
    )
    head = "".join(
        f"<th>{word}"
        for word in (
            f"{test.learned:.0f} days learned, {test.tried:.0f} tried",
            "cpu",
            "memory",
            "kills",
            "above request",
            "held back",
            "unused core-h",
            "unused GiB-h",
        )
    )
    return (
        "<div class=scroll tabindex=0 role=region aria-label=Backtest><table>"
        f"<thead><tr>{head}</thead>\n<tbody>\n{rows}</tbody></table></div>\n"
    )


def _share(value: float | None) -> str:
    return _NONE if value is None else f"{value * 100:.1f} %"


def _number(value: float | None) -> str:
    return _NONE if value is None else f"{value:,.0f}"


def _text(text: str) -> str:
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return escape(shown)
