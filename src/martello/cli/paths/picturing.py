"""Pictures of paths, and their export for other tools: DOT, SVG, a page, BloodHound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO

from martello.cli.paths.opening import Known
from martello.core.errors import BadInput
from martello.paths.model import PathClass
from martello.report.paths.model import Told


def picture(
    format: str, told: Told, classes: Sequence[PathClass], world: Known, out: IO[str]
) -> None:
    """Writes the paths in a format that is no list. Raises BadInput."""
    del told, classes, world, out
    raise BadInput(f"paths are not written as {format} yet", "", "-o text or -o json")
