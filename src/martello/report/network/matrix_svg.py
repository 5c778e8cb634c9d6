"""The matrix as a drawing: rows reach columns; a glyph tells the verdict, its colour only helps."""

from __future__ import annotations

from typing import IO, Final

from martello.report.network.model import DOUBT, OPEN, PART, SELF, SHUT, WORDS, Matrix
from martello.report.network.svg import cut, drawing, element, words

MOST: Final = 60  # rows and columns; what is beyond is counted below
_CELL: Final = 24.0
_LETTER: Final = 7.7  # of the labels, on average; labels are cut, not measured
_LABEL: Final = 22
_LEGEND: Final = 160.0


def write(matrix: Matrix, out: IO[str]) -> None:
    """Writes the drawing as a file of its own."""
    out.write(matrix_svg(matrix, style=True) + "\n")


def matrix_svg(matrix: Matrix, *, style: bool = False) -> str:
    """The drawing. At most 60 rows and columns are drawn, the rest is counted."""
    rows, columns = matrix.rows[:MOST], matrix.columns[:MOST]
    left = 16 + _LETTER * max((len(cut(r, _LABEL)) for r in rows), default=4) + 8
    top = 52 + _slanted(columns)
    parts = [element("text", words(matrix.title), class_="title", x=16, y=24)]
    ends = [_CELL * i + _slanted((name,)) for i, name in enumerate(columns)]
    width = max(left + _CELL * len(columns) + 16, left + _CELL + max(ends, default=0.0) + 16, 328.0)
    parts += [_column(name, left + _CELL * i, top) for i, name in enumerate(columns)]
    for i, name in enumerate(rows):
        y = top + _CELL * i
        parts.append(
            element("text", _titled(name), class_="end", x=left - 8, y=y + _CELL / 2 + 4.5)
        )
        for j in range(len(columns)):
            parts.append(_cell(matrix, i, j, left + _CELL * j, y))
    parts += _lines(left, top, len(rows), len(columns))
    y = top + _CELL * len(rows) + 28
    legend, y = _legend(y, width)
    parts += legend
    hidden = len(matrix.rows) - len(rows) + len(matrix.columns) - len(columns)
    if hidden:
        told = f"{len(matrix.rows):,} rows and {len(matrix.columns):,} columns; the first {MOST}"
        parts.append(element("text", words(told), class_="soft", x=16, y=y))
        y += 20
    return drawing("".join(parts), width, y, matrix.title, style=style)


def _titled(name: str) -> str:
    short = cut(name, _LABEL)
    full = element("title", words(name)) if short != name else ""
    return f"{full}{words(short)}"


def _slanted(names: tuple[str, ...]) -> float:
    """How far labels that lean at 45 degrees rise, and reach to the right."""
    return 0.71 * _LETTER * max((len(cut(n, _LABEL)) for n in names), default=0)


def _column(name: str, x: float, top: float) -> str:
    at = f"translate({x + _CELL / 2:.1f} {top - 6:.1f}) rotate(-45)"
    return element("text", _titled(name), transform=at)


def _cell(matrix: Matrix, row: int, column: int, x: float, y: float) -> str:
    verdict = matrix.verdict(row, column)
    if verdict == SELF:
        return ""
    cell = matrix.cells.get((row, column))
    told = f"{matrix.rows[row]} → {matrix.columns[column]}: {WORDS[verdict]}"
    if cell is not None:
        told += f" ({cell.passes})" if cell.passes else f" (perhaps {cell.perhaps})"
        if cell.pairs > 1:
            told += f", {cell.open:,} of {cell.pairs:,} pairs"
    hover = element("rect", x=x, y=y, width=_CELL, height=_CELL, fill_opacity=0)
    body = element("title", words(told)) + hover + glyph(verdict, x + _CELL / 2, y + _CELL / 2)
    return element("g", body)


def glyph(verdict: str, x: float, y: float) -> str:
    """The sign of a verdict around a point: full, half, dot, question mark."""
    if verdict == OPEN:
        return element("rect", class_=OPEN, x=x - 7, y=y - 7, width=14, height=14)
    if verdict == PART:
        half = f"M{x - 7:.1f} {y + 7:.1f}V{y - 7:.1f}H{x + 7:.1f}Z"
        frame = element("rect", class_="hollow", x=x - 7, y=y - 7, width=14, height=14)
        return frame + element("path", class_=PART, d=half)
    if verdict == DOUBT:
        return element("text", "?", class_=DOUBT, x=x, y=y + 5)
    return element("circle", class_=SHUT, cx=x, cy=y, r=2)


def _lines(left: float, top: float, rows: int, columns: int) -> list[str]:
    right, bottom = left + _CELL * columns, top + _CELL * rows
    across = "".join(f"M{left:.1f} {top + _CELL * i:.1f}H{right:.1f}" for i in range(rows + 1))
    down = "".join(f"M{left + _CELL * j:.1f} {top:.1f}V{bottom:.1f}" for j in range(columns + 1))
    return [element("path", class_="grid", d=across + down)] if rows and columns else []


def _legend(y: float, width: float) -> tuple[list[str], float]:
    """The signs and what they mean, as many side by side as there is room for."""
    parts: list[str] = []
    beside = max(1, int((width - 16) // _LEGEND))
    for index, verdict in enumerate((OPEN, PART, SHUT, DOUBT)):
        x, at = 16 + _LEGEND * (index % beside), y + 22 * (index // beside)
        parts.append(glyph(verdict, x + 8, at))
        parts.append(element("text", words(WORDS[verdict]), x=x + 24, y=at + 4.5))
    return parts, y + 22 * ((3 // beside) + 1) + 8
