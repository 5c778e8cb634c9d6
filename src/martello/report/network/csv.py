"""The matrix as CSV: a line for each pair that something passes between."""

from __future__ import annotations

import csv
from typing import IO, Final

from martello.report.network.model import SELF, SHUT, Matrix
from martello.report.text import clean

_HEAD: Final = ("source", "destination", "verdict", "passes", "perhaps", "open", "pairs")
_FORMULA: Final = ("=", "+", "-", "@")


def write(matrix: Matrix, out: IO[str]) -> None:
    """Writes a head and the pairs. A name that a spreadsheet would compute is quoted by `'`."""
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(_HEAD)
    for (row, column), cell in sorted(matrix.cells.items()):
        if cell.verdict in (SELF, SHUT):
            continue
        names = (matrix.rows[row], matrix.columns[column])
        passes = (str(cell.passes), str(cell.perhaps))
        lines.writerow(
            (*map(_safe, names), cell.verdict, *map(_safe, passes), cell.open, cell.pairs)
        )


def _safe(text: str) -> str:
    shown = clean(text)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown
