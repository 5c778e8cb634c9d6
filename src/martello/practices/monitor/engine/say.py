"""What a rule says of an event: `{column}` is replaced, and nothing in it controls a terminal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

_COLUMN: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.]*)\}")
_LONGEST: Final = 1_000  # characters of one value


def columns_of(say: str) -> tuple[str, ...]:
    """The columns that a text names; dots are underscores."""
    return tuple(name.replace(".", "_") for name in _COLUMN.findall(say))


def render(say: str, event: Mapping[str, Any]) -> str:
    """The text of an event. A missing column is `-`; control characters, and marks that turn the
    direction of text, are escaped.
    """
    return _COLUMN.sub(lambda match: plain(event.get(match[1].replace(".", "_"))), say)


def plain(value: Any) -> str:
    """A value of a column as one line that is safe to print."""
    if value is None or value == []:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join("-" if one is None else plain(one) for one in value[:50]) or "-"
    text = str(value)
    cut = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    if cut.isprintable():
        return cut
    return "".join(char if char.isprintable() else _escaped(char) for char in cut)


def _escaped(char: str) -> str:
    point = ord(char)
    if point < 0x100:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"
