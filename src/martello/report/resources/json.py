"""Admissions and bounds as JSON, in the shape of martello-resources-v1.schema.json."""

from __future__ import annotations

from typing import IO, Any, Final

import msgspec

from martello.report.resources.model import Answer, Answers, Bound, Bounds, Space
from martello.report.text import encoded

SCHEMA: Final = "martello-resources/v1"


def write_answers(told: Answers, out: IO[str]) -> None:
    """What becomes of objects."""
    body = {"objects": [_answer(one) for one in told.answers], "missing": list(told.missing)}
    write_plain("admission", body, out)


def write_bounds(told: Bounds, out: IO[str]) -> None:
    """What quotas really bound."""
    body = {
        "namespaces": [_space(space) for space in told.spaces],
        "holes": told.holes,
        "written": list(told.written),
        "missing": list(told.missing),
    }
    write_plain("bounds", body, out)


def write_plain(kind: str, body: dict[str, Any], out: IO[str]) -> None:
    """A document of the family."""
    out.write(encoded({"schema": SCHEMA, "kind": kind, **body}, indent=True) + "\n")


def _answer(one: Answer) -> dict[str, Any]:
    return {
        "object": {"name": one.object, "where": one.where},
        "verdict": one.verdict,
        "code": one.code,
        "step": one.step,
        "says": one.says,
        "reasons": [
            {
                "says": reason.says,
                "where": reason.where,
                "path": reason.path,
                "guard": {"name": reason.guard, "where": reason.guard_where},
            }
            for reason in one.reasons
        ],
        "filled": [
            {
                "path": filled.path,
                "value": filled.value,
                "by": {"name": filled.by, "where": filled.by_where},
            }
            for filled in one.filled
        ],
        "quotas": [msgspec.to_builtins(share) for share in one.shares],
        "qosClass": one.qos,
        "pods": None if one.wanted is None else {"wanted": one.wanted, "fitting": one.fitting},
        "mayStillBeChangedBy": list(one.later),
        "notes": list(one.notes),
        "unassessed": one.unassessed,
    }


def _space(space: Space) -> dict[str, Any]:
    return {
        "namespace": space.namespace,
        "bounds": [_bound(bound) for bound in space.bounds],
        "nearlySpent": list(space.spent),
        "notes": list(space.notes),
        "unassessed": space.unassessed,
    }


def _bound(bound: Bound) -> dict[str, Any]:
    return {
        "resource": bound.resource,
        "value": bound.value or None,
        "used": bound.used or None,
        "guards": [{"name": name, "where": where} for name, where in bound.guards],
        "escapes": list(bound.escapes),
    }
