"""How far one gets, on the screen: a block for each hop, places with what passes at last."""

from __future__ import annotations

from typing import IO, Final

from martello.report.model import Screen
from martello.report.network.model import Focus
from martello.report.text import clean, hanging, paint, plural

_MOST: Final = 40  # places of a hop


def write(picture: Focus, summary: str, screen: Screen, out: IO[str]) -> None:
    """Writes the hops, nearest first, and how much is reached."""
    lines = [paint(clean(picture.title), "bold", screen.colour)]
    came = {edge.destination: picture.spots[edge.source].name for edge in picture.edges}
    for layer in sorted({spot.layer for spot in picture.spots if spot.layer}):
        members = [(i, s) for i, s in enumerate(picture.spots) if s.layer == layer]
        lines.append(f"hop {layer}: {plural(len(members), 'place')}")
        for index, spot in members[:_MOST]:
            via = f", from {came[index]}" if layer > 1 and index in came else ""
            lines += hanging(clean(f"  {spot.name}  {spot.note}{via}"), screen.width, 6)
        if len(members) > _MOST:
            lines.append(f"  and {len(members) - _MOST:,} more: -o json")
    lines.append(summary)
    for note in picture.notes:
        lines += hanging(f"note: {clean(note)}", screen.width, 6)
    out.writelines(f"{line}\n" for line in lines)
