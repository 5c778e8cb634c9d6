"""An answer on the screen: one sentence first, then why, line by line, each with its place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO

from martello.report.model import Screen
from martello.report.network.model import Answer, Line
from martello.report.text import clean, hanging, pad, paint, plural, width, wrap

_STYLE = {"yes": "good", "no": "high", "unknown": "unassessed"}
_MARK = 7  # columns before the place
_ROOM = 30  # columns that a reason needs beside verdict and place
_LINE_STYLE = {"allowed": "good", "denied": "high", "unknown": "unassessed"}


def write(answer: Answer, screen: Screen, out: IO[str]) -> None:
    """Writes the sentence, the lines and the notes."""
    for line in lines(answer, screen):
        out.write(line + "\n")


def lines(answer: Answer, screen: Screen) -> list[str]:
    """The answer at the width of the screen (0: no limit)."""
    word, colon, rest = clean(answer.sentence).partition(":")
    first, *more = wrap(f"{word}{colon}{rest}", screen.width, "")
    told = [first.replace(word, paint(word, _STYLE[answer.verdict], screen.colour), 1), *more]
    told += listed(answer.lines, screen)
    for note in answer.notes:
        told += hanging(f"note  {clean(note)}", screen.width, 6)
    for missing in answer.missing[:3]:
        told += hanging(f"unread  {clean(missing)}", screen.width, 8)
    if answer.missing:
        count = plural(len(answer.missing), "thing")
        text = f"{count} could not be read, so it may be otherwise: --allow-incomplete counts it"
        told += hanging(text, screen.width, 8)
    return told


def listed(entries: Iterable[Line], screen: Screen) -> list[str]:
    """Lines in columns: direction, place, verdict, and the reason with file and line."""
    shown = list(entries)
    column = min(24, max((width(clean(e.place)) for e in shown if e.verdict), default=0))
    parts: list[tuple[Line, str, str]] = []
    for entry in shown:
        where = f" ({entry.where})" if entry.where and f"({entry.where})" not in entry.why else ""
        head = f"  {pad(entry.mark, 4)} "
        if entry.verdict:
            head += f"{pad(clean(entry.place), column)}  {pad(entry.verdict, 8)} "
        parts.append((entry, head, clean(entry.why + where)))
    narrow = not _fit(parts, screen.width)
    told: list[str] = []
    for entry, head, text in parts:
        made = hanging(head + text, screen.width, _MARK if narrow else width(head))
        if entry.verdict in _LINE_STYLE:
            coloured = paint(entry.verdict, _LINE_STYLE[entry.verdict], screen.colour)
            made[0] = made[0].replace(f" {entry.verdict}", f" {coloured}", 1)
        told += made
    return told


def _fit(parts: Iterable[tuple[Line, str, str]], columns: int) -> bool:
    """Whether every reason can go on below its own beginning: there is room for its words."""
    return all(
        width(head) + max(_ROOM, *map(width, text.split(" "))) <= columns for _, head, text in parts
    )
