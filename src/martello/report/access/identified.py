"""Ways to be somebody on the screen: those of outside first, grave ones marked."""

from __future__ import annotations

from typing import Final

from martello.report.access.model import Identities, Identity
from martello.report.model import Screen
from martello.report.table import flow
from martello.report.text import clean, hanging, paint, plural

_TITLES: Final = {
    "anonymous": "without credentials",
    "mapped": "identities of a cloud that are somebody here",
    "bootstrap": "bootstrap tokens",
    "token": "tokens of service accounts",
    "cloud": "accounts that are somebody in a cloud",
}
_SHOWN: Final = 40  # of each kind


def lines_of(told: Identities, screen: Screen) -> list[str]:
    """The lines, kind by kind; grave ones first."""
    lines: list[str] = []
    for kind, title in _TITLES.items():
        rows = sorted((r for r in told.rows if r.kind == kind), key=lambda row: not row.grave)
        if rows:
            lines.append(paint(title, "bold", screen.colour))
        for row in rows[:_SHOWN]:
            lines += _row(row, screen)
        if len(rows) > _SHOWN:
            lines.append(f"  and {len(rows) - _SHOWN:,} more: -o json")
    return lines


def _row(row: Identity, screen: Screen) -> list[str]:
    joint = " " if row.kind == "anonymous" else " → "
    parts = [f"{row.who}{joint}{row.becomes}"]
    if row.life is not None:
        parts.append(_life(row.life))
    parts.append(row.note)
    text = clean(f"  {', '.join(filter(None, parts))}")
    made = hanging(text, screen.width, 4)
    if row.grave:
        made[0] = f"  {paint(made[0].lstrip(), 'high', screen.colour)}"
    if not row.where:
        return made
    if len(made) > 1:
        return [*made, *hanging(f"    {clean(row.where)}", screen.width, 4)]
    style = "high" if row.grave else ""
    return flow([(text.lstrip(), style), (clean(row.where), "dim")], screen, "  ")


def _life(seconds: int) -> str:
    if not seconds:
        return "never expires"
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size and not seconds % size:
            return f"lives {plural(seconds // size, unit)}"
    return f"lives {plural(seconds, 'second')}"
