"""Pictures and tables of the network as one page, or as a part of the report of a scan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from importlib.resources import files
from typing import IO

from martello.report.network.focus_svg import focus_svg
from martello.report.network.matrix_svg import matrix_svg
from martello.report.network.model import SELF, SHUT, Focus, Matrix
from martello.report.network.svg import STYLE
from martello.report.text import plural

_MOST = 2_000  # lines of the table
_EXTRA = """
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: .4rem;
  background: var(--sheet); padding: .4rem; margin: .6rem 0; }
.scroll svg { display: block; }
@media (max-width: 36rem) {
  .passes td { display: inline; margin-right: .4rem; }
  .passes td:nth-child(2)::before { content: "→ "; }
  .passes td:nth-child(3) { color: var(--soft); }
}
@media print { .scroll { overflow: visible; } .scroll svg { max-width: 100%; height: auto; } }
"""


def write(pictures: tuple[Matrix | Focus, ...], title: str, out: IO[str]) -> None:
    """Writes one self-contained page without script."""
    page(title, _parts(pictures), out)


def _parts(pictures: tuple[Matrix | Focus, ...]) -> Iterator[str]:
    for picture in pictures:
        yield section(picture)
        if isinstance(picture, Matrix):
            yield _table(picture)


def page(title: str, parts: Iterable[str], out: IO[str]) -> None:
    """Writes a page of these parts: its style within, no script, nothing from elsewhere."""
    css = files("martello.report").joinpath("html.css").read_text(encoding="utf-8")
    out.write(
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\';'
        " style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
        f"<title>Martello: {_text(title)}</title>\n<style>\n{css}{style()}</style>\n</head>\n"
    )
    out.write("<body>\n<main>\n<header>\n<p class=brand>Martello</p>\n")
    out.write(f"<h1>{_text(title)}</h1>\n</header>\n")
    for part in parts:
        out.write(part)
    out.write("</main>\n</body>\n</html>\n")


def style() -> str:
    """What the pictures need besides the style of every page."""
    return STYLE + _EXTRA


def section(picture: Matrix | Focus) -> str:
    """One picture with its counts and notes."""
    drawn = matrix_svg(picture) if isinstance(picture, Matrix) else focus_svg(picture)
    counts = ""
    if isinstance(picture, Matrix):
        unknown = f" · {picture.doubtful:,} not known" if picture.doubtful else ""
        told = f"{picture.open:,} of {plural(picture.pairs, 'pair')} open{unknown}"
        counts = f"<p class=counts>{told}</p>\n"
    notes = "".join(f"<p class=counts>{_text(note)}</p>\n" for note in picture.notes)
    label = _text(picture.title)
    box = f'<div class=scroll tabindex=0 role=region aria-label="{label}">{drawn}</div>'
    return f"<section>\n{box}\n{counts}{notes}</section>\n"


def _table(matrix: Matrix) -> str:
    """What the picture shows, for whoever reads or searches it."""
    entries = [(at, c) for at, c in sorted(matrix.cells.items()) if c.verdict not in (SELF, SHUT)]
    rows = "".join(
        f"<tr><td>{_text(matrix.rows[row])}<td>{_text(matrix.columns[column])}"
        f"<td>{_text(str(cell.passes) if cell.passes else f'perhaps {cell.perhaps}')}\n"
        for (row, column), cell in entries[:_MOST]
    )
    more = len(entries) - _MOST
    rest = f"<p>{plural(more, 'pair')} more: see the json report.</p>" if more > 0 else ""
    return (
        "<section>\n<h2>What passes</h2>\n<table class=passes>"
        "<thead><tr><th>From<th>To<th>What</thead>\n"
        f"<tbody>\n{rows}</tbody></table>\n{rest}</section>\n"
    )


def _text(text: str) -> str:
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return escape(shown)
