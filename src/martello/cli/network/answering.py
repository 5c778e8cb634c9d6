"""Answers to the screen or to a file, and the exit code that they give."""

from __future__ import annotations

from typing import IO, Any

from martello.cli.outputs import write_each
from martello.cli.reports import parse_outputs
from martello.report.model import Screen
from martello.report.network.model import Answer

FORMATS = ("text", "json")


def tell(answer: Answer, flags: dict[str, Any]) -> int:
    """Writes the answer; the exit code of the question. An answer from a cluster of which a part
    could not be read is no more than unknown, unless --allow-incomplete.
    """
    outputs = parse_outputs(flags["outputs"] or ("text",), FORMATS)

    def write(format: str, screen: Screen, out: IO[str]) -> None:
        if format == "json":
            from martello.report.network import json

            json.write_answer(answer, out)
        else:
            from martello.report.network import text

            text.write(answer, screen, out)

    write_each(outputs, write)
    if answer.missing and answer.exit != 3 and not flags["allow_incomplete"]:
        return 3
    return answer.exit
