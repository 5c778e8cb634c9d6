"""The matrix on the screen: a grid of signs with numbered columns, or a list of what passes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO, Final

from martello.report.model import Screen
from martello.report.network.model import (
    DOUBT,
    GLYPHS,
    OPEN,
    PART,
    SELF,
    SHUT,
    Matrix,
)
from martello.report.text import clean, hanging, pad, paint, plural, width

_STYLE: Final = {OPEN: "high", PART: "medium", SHUT: "good", DOUBT: "unassessed", SELF: "dim"}
_SHORT: Final = {OPEN: "everything", PART: "some", SHUT: "nothing", DOUBT: "not known"}
_GRID: Final = 40  # columns; more are listed


def write(matrix: Matrix, screen: Screen, out: IO[str]) -> None:
    """Writes the grid or the list, the legend, and the counts."""
    for line in (*_body(matrix, screen), *_end(matrix, screen)):
        out.write(line + "\n")


def _body(matrix: Matrix, screen: Screen) -> list[str]:
    room = (screen.width or 200) - max((width(clean(r)) for r in matrix.rows), default=0) - 6
    if matrix.by == "namespace" and len(matrix.columns) <= min(_GRID, room // 3):
        return grid(matrix, screen)
    return listing(matrix, screen)


def grid(matrix: Matrix, screen: Screen) -> list[str]:
    """Rows reach columns; a column's number is that of the row of the same name."""
    known = {name: i + 1 for i, name in enumerate(matrix.rows)}
    numbers: list[int] = []
    extra: list[str] = []
    for name in matrix.columns:
        if name not in known:
            known[name] = len(known) + 1
            extra.append(name)
        numbers.append(known[name])
    names = [f"{known[row]:>2} {clean(row)}" for row in matrix.rows]
    wide = max((width(name) for name in names), default=0)
    lines = [pad("", wide) + "".join(f"{number:>3}" for number in numbers)]
    for i, name in enumerate(names):
        signs = [matrix.verdict(i, j) for j in range(len(matrix.columns))]
        row = "".join(f"  {paint(GLYPHS[s], _STYLE[s], screen.colour)}" for s in signs)
        lines.append((pad(name, wide) + row).rstrip())
    lines += [f"{known[name]:>2} {clean(name)}" for name in extra]
    signs = [OPEN, PART, SHUT, DOUBT]
    legend = "  ".join(f"{paint(GLYPHS[s], _STYLE[s], screen.colour)} {_SHORT[s]}" for s in signs)
    return [*lines, "", "rows reach columns:  " + legend]


def listing(matrix: Matrix, screen: Screen) -> list[str]:
    """A line for each pair that something passes between, equal sources of one destination
    together.
    """
    by_target: dict[int, dict[tuple[str, str], list[int]]] = {}
    for (row, column), cell in sorted(matrix.cells.items(), key=lambda item: item[0][::-1]):
        if cell.verdict == SELF:
            continue
        passes = str(cell.passes) if cell.passes else ""
        perhaps = (
            str(cell.perhaps) if cell.perhaps.ranges else ""
        )  # of ports: ping is in doubt often
        if passes or perhaps:
            by_target.setdefault(column, {}).setdefault((passes, perhaps), []).append(row)
    lines: list[str] = []
    known = {kind for kinds in by_target.values() for kind in kinds}
    wide = min(24, max((width(_what(*kind)) for kind in known), default=0))
    for column, kinds in by_target.items():
        lines.append(paint(clean(matrix.columns[column]), "bold", screen.colour))
        for kind, rows in kinds.items():
            who = _who(matrix, rows, column)
            head = f"  {pad(_what(*kind), wide)}  from "
            lines += hanging(f"{head}{clean(who)}", screen.width, min(width(head), 33))
    return lines or ["nothing passes"]


def _what(passes: str, perhaps: str) -> str:
    return clean(passes + (f"{'; ' if passes else ''}perhaps {perhaps}" if perhaps else ""))


def _who(matrix: Matrix, rows: Iterable[int], column: int) -> str:
    """The sources by name; where it is everybody, that is said."""
    listed = list(rows)
    others = [r for r in range(len(matrix.rows)) if matrix.rows[r] != matrix.columns[column]]
    if len(others) > 3 and set(listed) >= set(others):
        return "everywhere"
    names = [matrix.rows[row] for row in listed]
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def _end(matrix: Matrix, screen: Screen) -> list[str]:
    words = [f"{matrix.open:,} of {plural(matrix.pairs, 'pair')} open"]
    if matrix.doubtful:
        words.append(f"{matrix.doubtful:,} not known")
    told = [" · ".join(words)]
    for note in matrix.notes:
        told += hanging(f"note: {clean(note)}", screen.width, 6)
    return told
