"""What a reader of a rule must know: where it differs here from Falco (K5), what few sources tell
(K6).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from martello.practices.monitor.engine.ir import columns
from martello.practices.monitor.falco.expression import Expression, fields
from martello.practices.monitor.falco.fields import BOTH, Source
from martello.practices.monitor.falco.shape import Shape, Unknown, compared, exists

_DEFECTS: Final[Mapping[str, str]] = {
    "image.repository": "keeps the port of a registry, at which Falco cuts",
    "ka.sourceips": "has values, which Falco looks for at a wrong place",
    "eff_run_as_user": "heeds securityContext, which Falco does not",
    "eff_run_as_group": "heeds securityContext, which Falco does not",
    "containers.image": "is told of each container, which Falco does not where one has none",
    "containers.name": "is told of each container, which Falco does not where one has none",
}


def notes(one: Expression, source: Source) -> tuple[str, ...]:
    """The notes on a condition, each once."""
    found: dict[str, None] = {}
    for field in fields(one):
        known = source.find(field.name, field.arg)
        if known is None:
            continue
        shape = source.shape(known[0].name, known[1])
        if source.name == "syscall" and known[0].name not in BOTH and _printed(shape):
            found[f"{field.full} is known only where Falco printed it"] = None
        if field.name.startswith("ka."):
            for end, why in _DEFECTS.items():
                if field.name.endswith(end):
                    found[f"{field.full} {why}"] = None
    return tuple(found)


def _printed(shape: Shape) -> bool:
    """Whether nothing but raw tells it."""
    if isinstance(shape, Unknown):
        return False
    return columns(compared(shape, exists)) == frozenset(("raw",))
