"""A policy in words, on the screen and as JSON."""

from __future__ import annotations

from typing import IO

import msgspec

from martello.report.model import Screen
from martello.report.network.json import write_plain
from martello.report.text import clean, hanging, pad, paint


class Phrase(msgspec.Struct, frozen=True):
    """One line: the direction (empty: one rule of it), what is so, and where that is written."""

    mark: str
    text: str
    where: str = ""


class Told(msgspec.Struct, frozen=True):
    """One policy: whom it is about and what it lets through."""

    title: str
    where: str
    subject: str
    phrases: tuple[Phrase, ...]
    doubt: str = ""


def text(told: Told, screen: Screen, out: IO[str]) -> None:
    """Writes the policy in words."""
    lines = hanging(f"{clean(told.title)} ({clean(told.where)})", screen.width, 2)
    lines[0] = paint(lines[0], "bold", screen.colour)
    lines += hanging(f"  for  {clean(told.subject)}", screen.width, 7)
    if told.doubt:
        lines += hanging(f"  not understood: {clean(told.doubt)}", screen.width, 7)
    for phrase in told.phrases:
        where = f" ({phrase.where})" if phrase.where else ""
        head = f"  {pad(phrase.mark, 4)} " if phrase.mark else "       - "
        lines += hanging(clean(f"{head}{phrase.text}{where}"), screen.width, len(head))
    out.writelines(f"{line}\n" for line in lines)


def json(told: Told, screen: Screen, out: IO[str]) -> None:
    """Writes the same as JSON."""
    del screen
    body = {
        "title": told.title,
        "where": told.where,
        "subject": told.subject,
        "phrases": [{"mark": p.mark, "text": p.text, "where": p.where} for p in told.phrases],
        "doubt": told.doubt,
    }
    write_plain("policy", body, out)
