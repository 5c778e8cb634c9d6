"""Quoted constants of conditions, and the error of a text that is no condition."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_ESCAPES: Final[Mapping[str, str]] = {
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\\": "\\\\",
    '"': '\\"',
}
_QUOTED: Final = frozenset(" ='\0") | frozenset(_ESCAPES)
_PLAIN: Final[Mapping[str, str]] = {
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    " ": "\\",
    "\\": "\\",
    "/": "/",
}
_HEX: Final = re.compile("[0-9a-fA-F]{2}")


class Malformed(Exception):
    """A text that is no condition: why, and where (an offset into it)."""

    def __init__(self, why: str, at: int) -> None:
        super().__init__(why)
        self.why, self.at = why, at


def escaped(text: str) -> str:
    """A constant in double quotes where it needs them."""
    if not _QUOTED.intersection(text):
        return text
    return f'"{"".join(_ESCAPES.get(sign, sign) for sign in text)}"'


def unescaped(text: str, delimiter: str, start: int) -> str:
    """What stands between quotes; `start` is its offset. Raises Malformed."""
    if "\\" not in text:
        return text
    made: list[str] = []
    at = 0
    while at < len(text):
        sign = text[at]
        at += 1
        if sign != "\\":
            made.append(sign)
            continue
        sign = text[at : at + 1]
        at += 1
        if sign == "x":
            if not _HEX.match(text, at):
                raise Malformed("invalid hex char escape sequence", start + at)
            made.append(chr(int(text[at : at + 2], 16)))
            at += 2
        elif sign in _PLAIN:
            made.append(_PLAIN[sign])
        elif sign == delimiter:
            made.append(sign)
        elif sign:
            raise Malformed(f"unsupported string escape sequence: \\{sign}", start + at)
    return "".join(made)
