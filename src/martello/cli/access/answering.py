"""Answers to the screen or to a file, and the exit code that they give."""

from __future__ import annotations

from typing import IO, Any

from martello.cli.outputs import write_each
from martello.cli.reports import parse_outputs
from martello.report.access.model import Answer, Holders, Identities, Rights
from martello.report.model import Screen

FORMATS = ("text", "json")
_WRITERS = {
    Answer: "write_answer",
    Holders: "write_holders",
    Identities: "write_identities",
    Rights: "write_rights",
}


def tell(told: Answer | Holders | Identities | Rights, flags: dict[str, Any]) -> int:
    """Writes what was found; the exit code of the question."""
    outputs = parse_outputs(flags["outputs"] or ("text",), FORMATS)
    name = _WRITERS[type(told)]

    def write(format: str, screen: Screen, out: IO[str]) -> None:
        if format == "json":
            from martello.report.access import json

            getattr(json, name)(told, out)
        else:
            from martello.report.access import text

            getattr(text, name)(told, screen, out)

    write_each(outputs, write)
    return told.exit
