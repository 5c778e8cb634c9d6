"""What a rule says of an event: `{column}` is replaced, and nothing in it controls a terminal.

Where columns are missing a sentence remains: `{a}/{b}` has its slash between two only; of round
brackets with columns the items whose columns are all missing are left out, and the brackets with
the last of them; `[ in {a}]` is left out where all its columns are missing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

_COLUMN: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.]*)\}")
_CHAIN: Final = re.compile(rf"{_COLUMN.pattern}(?:/{_COLUMN.pattern})*")
_OPTIONAL: Final = re.compile(r"\[([^\[\]]*)\]")
_ROUND: Final = re.compile(r"( ?\([^()]*\))")
_NOTHING: Final[tuple[Any, ...]] = (None, [], "")
_LONGEST: Final = 1_000  # characters of one value


def columns_of(say: str) -> tuple[str, ...]:
    """The columns that a text names; dots are underscores."""
    return tuple(name.replace(".", "_") for name in _COLUMN.findall(say))


def render(say: str, event: Mapping[str, Any]) -> str:
    """The text of an event. A missing column that is not optional is `-`; control characters, and
    marks that turn the direction of text, are escaped.
    """
    made = []
    for at, part in enumerate(_OPTIONAL.split(say)):
        if at % 2 and not _COLUMN.search(part):
            made.append(f"[{part}]")
        elif not at % 2 or _told(part, event):
            made.append(_rounded(part, event))
    return "".join(made)


def _rounded(text: str, event: Mapping[str, Any]) -> str:
    made = []
    for at, part in enumerate(_ROUND.split(text)):
        if at % 2:
            head, _, items = part[:-1].partition("(")
            kept = [one for one in items.split(", ") if _told(one, event)]
            made.append(f"{head}({_named(', '.join(kept), event)})" if kept else "")
        else:
            made.append(_named(part, event))
    return "".join(made)


def _named(text: str, event: Mapping[str, Any]) -> str:
    def chain(match: re.Match[str]) -> str:
        values = (_value(name, event) for name in _COLUMN.findall(match[0]))
        return "/".join(plain(one) for one in values if one not in _NOTHING) or "-"

    return _CHAIN.sub(chain, text)


def _told(text: str, event: Mapping[str, Any]) -> bool:
    """Whether a part has a column that is there, or names none."""
    names = _COLUMN.findall(text)
    return not names or any(_value(name, event) not in _NOTHING for name in names)


def _value(name: str, event: Mapping[str, Any]) -> Any:
    found = event.get(name.replace(".", "_"))
    if isinstance(found, list | tuple) and all(one is None for one in found):
        return None  # a slot for each container, and nothing in any
    return found


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
