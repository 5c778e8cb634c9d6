"""The blast radius as JSON, in the shape of martello-blast-v1.schema.json."""

from __future__ import annotations

from typing import IO, Final

import msgspec

from martello.report.resources.blast.model import Told
from martello.report.text import encoded

SCHEMA: Final = "martello-blast/v1"


def write(told: Told, out: IO[str]) -> None:
    """Writes all rows with all their victims."""
    body = msgspec.to_builtins(told)
    del body["single"], body["shared"]
    renamed = {
        "failOn": body.pop("fail_on"),
        **body,
        "rows": [_row(row) for row in body["rows"]],
    }
    out.write(encoded({"schema": SCHEMA, "kind": "blast", **renamed}, indent=True) + "\n")


def _row(row: dict[str, object]) -> dict[str, object]:
    lines = row["lines"]
    del row["beside"]  # a matter of the screen: it follows from the lines
    assert isinstance(lines, list | tuple)
    return {
        **row,
        "lines": [
            {
                **{key: value for key, value in line.items() if key != "guard_where"},
                "guardWhere": line["guard_where"],
            }
            for line in lines
        ],
    }
