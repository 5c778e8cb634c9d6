"""Paths, cuts and what a change opens as JSON, in the shape of martello-paths-v1.schema.json."""

from __future__ import annotations

from typing import IO, Any, Final

import msgspec

from martello.report.model import Screen
from martello.report.paths.model import Remedy, Told, Way
from martello.report.text import encoded

SCHEMA: Final = "martello-paths/v1"


def find(told: Told, screen: Screen, out: IO[str]) -> None:
    """The classes of paths with the cheapest cut."""
    del screen
    write_plain("paths", _body(told), out)


def cut(told: Told, screen: Screen, out: IO[str]) -> None:
    """The cut, with the paths that it ends and the objects that it changes."""
    del screen
    body = {
        **_body(told),
        "objects": list(told.objects),
        "removed": list(told.removed),
        "written": list(told.written),
    }
    write_plain("cut", body, out)


def _body(told: Told) -> dict[str, Any]:
    return {
        "goals": list(told.goals),
        "footholds": told.footholds,
        "paths": [way(each) for each in told.ways],
        "more": told.limited,
        "cut": remedy(told.remedy) if told.remedy is not None else None,
        "notes": list(told.notes),
        "missing": list(told.missing),
        "exit": told.report.exit,
    }


def way(told: Way) -> dict[str, Any]:
    """One class of paths."""
    body: dict[str, Any] = msgspec.to_builtins(told)
    body["sure"] = all(step.sure for step in told.steps)
    return body


def remedy(told: Remedy) -> dict[str, Any]:
    """A cut."""
    body: dict[str, Any] = msgspec.to_builtins(told)
    return body


def write_plain(kind: str, body: dict[str, Any], out: IO[str]) -> None:
    """A document of the family."""
    out.write(encoded({"schema": SCHEMA, "kind": kind, **body}, indent=True) + "\n")
