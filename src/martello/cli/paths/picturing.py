"""Pictures of paths, and their export for other tools: DOT, SVG, a page, BloodHound."""

from __future__ import annotations

from typing import IO

from martello.cli.paths.opening import Known
from martello.report.paths.model import Told


def picture(format: str, told: Told, world: Known, out: IO[str]) -> None:
    """Writes the paths in a format that is no list."""
    target = world.opened.reading.target
    title = f"paths of {target}"
    if format == "html":
        from martello.report.paths import html

        html.write(told, title, out)
    elif format == "bloodhound":
        from martello.report.paths import bloodhound

        bloodhound.write(told, world.opened.reading.cluster or target, out)
    else:
        from martello.report.network import dot, focus_svg
        from martello.report.paths.graph import graph

        drawn = graph(told.ways, title)
        if format == "dot":
            dot.write_focus(drawn, out)
        else:
            focus_svg.write(drawn, out)
