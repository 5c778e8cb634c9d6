"""Text for terminals and for JSON: widths, colours, characters that must not get there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import re

_SGR: Final = {
    "critical": "1;31",
    "high": "31",
    "medium": "33",
    "low": "36",
    "unassessed": "35",
    "good": "32",
    "bold": "1",
    "dim": "2",
}


def paint(text: str, style: str, colour: bool) -> str:
    """The text in a style, or plain. Colour never carries meaning alone: the word is there too."""
    return f"\x1b[{_SGR[style]}m{text}\x1b[0m" if colour else text


def clean(text: str) -> str:
    """The text with control and other unprintable characters escaped: an attacker writes names."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def width(text: str) -> int:
    """Terminal columns of a text: wide East Asian characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in ("W", "F") else 1 for c in text)


def pad(text: str, columns: int) -> str:
    """The text with spaces up to a width; never cut."""
    return text + " " * (columns - width(text))


def wrap(text: str, columns: int, indent: str) -> list[str]:
    """Lines of at most `columns` with the indent; words are never cut; 0 columns means no limit."""
    if columns <= 0:
        return [indent + text]
    lines: list[str] = []
    line = indent
    for word in text.split(" "):
        if line != indent and width(line) + 1 + width(word) > columns:
            lines.append(line)
            line = indent
        line += word if line == indent else f" {word}"
    return [*lines, line]


def hanging(text: str, columns: int, indent: int) -> list[str]:
    """A text that is wrapped with what follows the first line further to the right; a percent sign
    stays with its number.
    """
    if columns <= 0 or width(text) <= columns:
        return [text]
    head = text[: len(text) - len(text.lstrip())]
    words = text.strip().replace(" %", "\N{NO-BREAK SPACE}%").split(" ")
    made, line, empty = [], head, True
    for word in words:
        if not empty and width(line) + 1 + width(word) > columns:
            made.append(line.rstrip())
            line, empty = " " * indent, True
        line += word if empty else f" {word}"
        empty = False
    return [one.replace("\N{NO-BREAK SPACE}%", " %") for one in (*made, line.rstrip())]


def followed(head: str, command: str, columns: int) -> list[str]:
    """A line with `next:` and the command beside it, or below it where both have no room: it is
    never wrapped, for it is copied.
    """
    if not command:
        return hanging(head, columns, 2)
    whole = f"{head}    next: {command}"
    if columns <= 0 or width(whole) <= columns:
        return [whole]
    return [*hanging(head, columns, 2), f"next: {command}"]


def plural(count: int, noun: str, many: str = "") -> str:
    """`1 object`, `2 objects`."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


def encoded(value: Any, indent: bool = False) -> str:
    """Plain data as JSON. What is no text (a file's name may hold any bytes) becomes `?`."""
    import orjson

    try:
        text = orjson.dumps(value, option=orjson.OPT_INDENT_2 if indent else None).decode()
    except TypeError:
        import json

        text = json.dumps(value, indent=2 if indent else None, ensure_ascii=False)
        text = text.encode("utf-8", "replace").decode()
    return text if text.isascii() or text.isprintable() else _escaped(text)


def _escaped(text: str) -> str:
    """JSON whose texts hold no character that a terminal would obey: JSON itself allows some."""
    import re

    return re.sub("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]", _code, text)


def _code(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"
