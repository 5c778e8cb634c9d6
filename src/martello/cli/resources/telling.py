"""Answers to the screen or to a file, and the exit code that they give."""

from __future__ import annotations

from typing import IO, Any, Final

from martello.cli.outputs import write_each
from martello.cli.reports import parse_outputs
from martello.report.model import Screen
from martello.report.resources.model import Answers, Bounds

FORMATS: Final = ("text", "json")
_WRITERS: Final = {Answers: "write_answers", Bounds: "write_bounds"}


def tell(told: Answers | Bounds, flags: dict[str, Any]) -> int:
    """Writes what was found; the exit code of the question."""
    outputs = parse_outputs(flags["outputs"] or ("text",), FORMATS)
    name = _WRITERS[type(told)]

    def write(format: str, screen: Screen, out: IO[str]) -> None:
        if format == "json":
            from martello.report.resources import json

            getattr(json, name)(told, out)
        else:
            from martello.report.resources import text

            getattr(text, name)(told, screen, out)

    write_each(outputs, write)
    return told.exit
