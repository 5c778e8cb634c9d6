"""The matrix as a Graphviz graph: namespaces are clusters, an edge is what passes."""

from __future__ import annotations

from typing import IO

from martello.report.network.model import SELF, SHUT, Focus, Matrix
from martello.report.text import clean


def write(matrix: Matrix, out: IO[str]) -> None:
    """Writes one directed graph. Dashed edges are not certain."""
    out.write(f"digraph {_quoted(matrix.title)} {{\n  rankdir=LR;\n  node [shape=box];\n")
    spaces: dict[str, list[str]] = {}
    for name in dict.fromkeys((*matrix.rows, *matrix.columns)):
        spaces.setdefault(name.partition("/")[0] if "/" in name else "", []).append(name)
    for number, (space, names) in enumerate(spaces.items()):
        inner = "".join(f"    {_quoted(name)};\n" for name in names)
        if space:
            inner = f"  subgraph cluster_{number} {{\n    label={_quoted(space)};\n{inner}  }}\n"
        out.write(inner)
    for (row, column), cell in sorted(matrix.cells.items()):
        if cell.verdict in (SELF, SHUT):
            continue
        label = str(cell.passes or cell.perhaps)
        style = "" if cell.passes else ", style=dashed"
        ends = f"{_quoted(matrix.rows[row])} -> {_quoted(matrix.columns[column])}"
        out.write(f"  {ends} [label={_quoted(label)}{style}];\n")
    out.write("}\n")


def _quoted(text: str) -> str:
    shown = clean(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{shown}"'


def write_focus(focus: Focus, out: IO[str]) -> None:
    """Writes the places and edges of a focus graph."""
    out.write(f"digraph {_quoted(focus.title)} {{\n  rankdir=LR;\n  node [shape=box];\n")
    for index, spot in enumerate(focus.spots):
        label = _quoted(spot.name)[:-1] + (f"\\n{_quoted(spot.note)[1:]}" if spot.note else '"')
        out.write(f"  n{index} [label={label}];\n")
    for edge in focus.edges:
        style = "" if edge.certain else " [style=dashed]"
        out.write(f"  n{edge.source} -> n{edge.destination}{style};\n")
    out.write("}\n")
