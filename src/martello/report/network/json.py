"""Answers, matrices and differences as JSON, in the shape of martello-network-v1.schema.json."""

from __future__ import annotations

from typing import IO, Any, Final

from martello.core.reach import Conn
from martello.report.network.model import Answer, Focus, Line, Matrix
from martello.report.text import encoded

SCHEMA: Final = "martello-network/v1"


def write_answer(answer: Answer, out: IO[str]) -> None:
    """The answer to one question."""
    _write(
        {
            "schema": SCHEMA,
            "kind": "answer",
            "verdict": answer.verdict,
            "sentence": answer.sentence,
            "source": answer.source,
            "destination": answer.destination,
            "protocol": answer.protocol,
            "port": answer.port or None,
            "lines": [line(each) for each in answer.lines],
            "passes": conn(answer.passes),
            "perhaps": conn(answer.perhaps),
            "notes": list(answer.notes),
            "missing": list(answer.missing),
        },
        out,
    )


def write_matrix(matrix: Matrix, out: IO[str]) -> None:
    """The matrix: what is not in `cells` is shut."""
    cells = [
        {
            "source": matrix.rows[row],
            "destination": matrix.columns[column],
            "verdict": cell.verdict,
            "passes": conn(cell.passes),
            "perhaps": conn(cell.perhaps),
            "open": cell.open,
            "doubtful": cell.doubtful,
            "pairs": cell.pairs,
        }
        for (row, column), cell in sorted(matrix.cells.items())
    ]
    _write(
        {
            "schema": SCHEMA,
            "kind": "matrix",
            "title": matrix.title,
            "by": matrix.by,
            "rows": list(matrix.rows),
            "columns": list(matrix.columns),
            "cells": cells,
            "open": matrix.open,
            "doubtful": matrix.doubtful,
            "pairs": matrix.pairs,
            "notes": list(matrix.notes),
        },
        out,
    )


def write_focus(focus: Focus, out: IO[str]) -> None:
    """One workload and what it reaches, or who reaches it."""
    _write(
        {
            "schema": SCHEMA,
            "kind": "focus",
            "title": focus.title,
            "places": [
                {"name": s.name, "group": s.group, "layer": s.layer, "note": s.note}
                for s in focus.spots
            ],
            "edges": [
                {
                    "source": focus.spots[e.source].name,
                    "destination": focus.spots[e.destination].name,
                    "certain": e.certain,
                }
                for e in focus.edges
            ],
            "notes": list(focus.notes),
        },
        out,
    )


def write_plain(kind: str, body: dict[str, Any], out: IO[str]) -> None:
    """Another document of the same family."""
    _write({"schema": SCHEMA, "kind": kind, **body}, out)


def line(entry: Line) -> dict[str, Any]:
    """One line of an answer."""
    return {
        "mark": entry.mark,
        "place": entry.place,
        "verdict": entry.verdict,
        "why": entry.why,
        "where": entry.where,
        "policy": entry.policy,
    }


def conn(passing: Conn) -> dict[str, Any]:
    """A set of connections: intervals of ports, and whether protocols without ports are in."""
    ranges = [{"protocol": r.protocol, "from": r.first, "to": r.last} for r in passing.ranges]
    return {"ports": ranges, "other": passing.other, "text": str(passing)}


def _write(document: dict[str, Any], out: IO[str]) -> None:
    out.write(encoded(document, indent=True) + "\n")
