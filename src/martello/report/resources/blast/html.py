"""The blast radius as one page: the map, the worst workloads, and the nodes they stand on."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import IO, Final

from martello.report.network.html import page
from martello.report.resources.blast.model import Line, Row, Told
from martello.report.resources.blast.svg import NODES, STYLE, map_svg, stand_svg, title
from martello.report.resources.blast.text import advice
from martello.report.text import plural

_LISTED: Final = 100
_HURT: Final = 30
_STYLE: Final = (
    f"<style>{STYLE}"
    ".row{padding:.1rem 1.2rem .8rem}.row h2{margin:.8rem 0 .2rem;font-size:1.05rem;"
    "overflow-wrap:anywhere}.row td:first-child{width:7rem}.row td:nth-child(2){width:13rem}"
    ".row p{margin:.3rem 0}.unsure{color:var(--medium);font-weight:600}"
    "td small{display:block;color:var(--soft);overflow-wrap:anywhere}</style>\n"
)


def write(told: Told, out: IO[str]) -> None:
    """Writes one self-contained page without script."""
    page(title(told), _parts(told), out)


def _parts(told: Told) -> Iterator[str]:
    yield _STYLE
    hurting = sum(1 for row in told.rows if row.severity)
    kind = {0: "", 3: " incomplete"}.get(told.exit, " fail")
    count = plural(len(told.rows), "workload")
    if told.nothing:
        yield f'<p class="verdict{kind}">Nothing to judge: {_text(told.nothing)}.</p>\n'
    else:
        yield f'<p class="verdict{kind}">{hurting:,} of {count} can hurt others '
        yield f"({told.pods:,} pods, fail-on {_text(told.fail_on)}).</p>\n"
    if told.shared is not None:
        once = told.shared
        yield f"<p><b>{_text(once.who)}, {_text(once.resource)}: no guard; {_text(once.says)}.</b> "
        yield f"One fix: {_text(once.fix)}.</p>\n"
    if told.rows:
        yield _drawn(map_svg(told), title(told))
    for row in told.rows[:_LISTED]:
        yield _row(row)
    if len(told.rows) > _LISTED:
        yield f"<p>{len(told.rows) - _LISTED:,} workloads more: see the json report.</p>\n"
    if told.nodes:
        yield "<section>\n<h2>Nodes</h2>\n"
        for stand in told.nodes[:NODES]:
            yield _drawn(stand_svg(stand), f"Node {stand.node}")
        if len(told.nodes) > NODES:
            yield f"<p class=counts>{len(told.nodes) - NODES:,} nodes more.</p>\n"
        yield "</section>\n"
    for note in told.notes:
        yield f"<p class=counts>note: {_text(note)}</p>\n"
    for one in told.missing:
        yield f"<p class=counts>unread: {_text(one)}</p>\n"


def _drawn(svg: str, label: str) -> str:
    name = _text(label)
    return f'<div class=scroll tabindex=0 role=region aria-label="{name}">{svg}</div>\n'


def _row(row: Row) -> str:
    level = row.severity or "none"
    shown = f'<span class="severity {level}">{level}</span> ' if row.severity else ""
    head = f"<h2>{shown}{_text(row.attacker)}, score {row.score:.1f}</h2>\n"
    where = f" <small>{_text(row.where)}</small>" if row.where else ""
    about = f"<p>{_text(row.about)}{where}</p>\n"
    worst = f"<p><b>Worst: {_text(row.worst)}.</b></p>\n" if row.worst else ""
    lines = "".join(map(_line, row.lines))
    table = (
        "<table><thead><tr><th>Resource<th>Guard<th>What comes of it</thead>\n"
        f"<tbody>\n{lines}</tbody></table>\n"
    )
    fix = f"<p class=fix><b>{_text(advice(row))}</b></p>\n" if row.advice is not None else ""
    return f'<section class="cause row {level}">\n{head}{about}{worst}{table}{fix}</section>\n'


def _line(line: Line) -> str:
    guard = _text(line.guard or ("none" if line.resource == "unenforced" else "no guard"))
    if line.guard_where:
        guard += f"<small>{_text(line.guard_where)}</small>"
    doubt = "<span class=unsure>?</span> " if line.exact == "unassessed" else ""
    says = _text(line.says)
    if line.hurt:
        names = ", ".join(hurt.name for hurt in line.hurt[:_HURT])
        more = len(line.hurt) - _HURT
        says += f"<small>{_text(names)}{f' and {more:,} more' if more > 0 else ''}</small>"
    return f"<tr><td>{_text(line.resource)}<td>{guard}<td>{doubt}{says}\n"


def _text(text: str) -> str:
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return escape(shown)
