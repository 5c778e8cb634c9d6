"""Titled lists with one sentence at the end: what would be dropped, what is not used."""

from __future__ import annotations

from typing import IO, Final

import msgspec

from martello.report.model import Screen
from martello.report.network.lesson import Listed
from martello.report.text import clean, hanging, paint

_MOST: Final = 40


class Lists(msgspec.Struct, frozen=True):
    """Lists by title, and the sentence below them."""

    lists: tuple[tuple[str, tuple[Listed, ...]], ...]
    summary: str


def text(told: Lists, screen: Screen, out: IO[str]) -> None:
    """Writes the lists that hold something, and the sentence."""
    lines: list[str] = []
    for title, entries in told.lists:
        if not entries:
            continue
        lines.append(paint(f"{title}:", "bold", screen.colour))
        for entry in entries[:_MOST]:
            place = f" ({entry.where})" if entry.where else ""
            lines += hanging(clean(f"  {entry.what}  {entry.why}{place}"), screen.width, 6)
        if len(entries) > _MOST:
            lines.append(f"  and {len(entries) - _MOST:,} more: -o json")
    lines += hanging(clean(told.summary), screen.width, 2)
    out.writelines(f"{line}\n" for line in lines)
