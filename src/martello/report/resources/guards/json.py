"""Guards with their proof as JSON, in the shape of martello-resources-v1.schema.json."""

from __future__ import annotations

from typing import IO

import msgspec

from martello.report.resources.guards.model import Kept, Told
from martello.report.resources.json import write_plain


def write(told: Told, out: IO[str]) -> None:
    """Writes everything, all keys of quotas included."""
    proof = told.proof
    body = {
        "namespaces": [msgspec.to_builtins(space) for space in told.spaces if space.namespace],
        "kubelets": [
            {"name": made.name, "says": list(made.says)}
            for space in told.spaces
            if not space.namespace
            for made in space.made
        ],
        "priorityClasses": [{"name": made.name, "says": list(made.says)} for made in told.classes],
        "proof": {
            "holds": proof.holds,
            "pods": proof.pods,
            "workloads": proof.workloads,
            "podsAtMost": proof.at_most,
            "objects": proof.objects,
            "refused": _kept(proof.refused),
            "unassessed": _kept(proof.unassessed),
            "refusedAlready": _kept(proof.already),
            "priorityChanged": list(proof.moved),
            "endedByOthers": [msgspec.to_builtins(one) for one in proof.ended],
            "blast": [msgspec.to_builtins(one) for one in proof.scores],
        },
        "measured": told.source,
        "assumed": list(told.assumed),
        "leftOut": list(told.left),
        "notes": list(told.notes),
        "written": list(told.written),
        "applied": list(told.applied),
        "missing": list(told.missing),
    }
    write_plain("guards", body, out)


def _kept(found: tuple[Kept, ...]) -> list[object]:
    return [msgspec.to_builtins(one) for one in found]
