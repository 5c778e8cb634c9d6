"""The comments of a YAML text: `#` at the start of a line or after a space, outside of scalars."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from yaml import YAMLError
from yaml._yaml import CParser
from yaml.events import ScalarEvent

from martello.core.resource import Comment

_COMMENT: Final = re.compile(r"(?:^|(?<=[ \t]))#")

Position = tuple[int, int]  # line and column, counted from 0


def comments(part: bytes, first_line: int) -> tuple[Comment, ...]:
    """The comments in the order of their lines; the text begins on `first_line`."""
    found: list[Comment] = []
    scalars = _scalars(part)
    begin, end = next(scalars, _BEYOND)
    for number, line in enumerate(part.decode("utf-8", "replace").split("\n")):
        if "#" not in line:
            continue
        for match in _COMMENT.finditer(line):
            here = (number, match.start())
            while end <= here:
                begin, end = next(scalars, _BEYOND)
            if here < begin:
                text = line[match.end() :].strip()
                found.append(Comment(first_line + number, text))
                break
    return tuple(found)


_BEYOND: Final[tuple[Position, Position]] = ((1 << 62, 0), (1 << 62, 0))


def _scalars(part: bytes) -> Iterator[tuple[Position, Position]]:
    """Where quoted and block scalars begin and end, in order."""
    try:
        parser = CParser(part)
        while True:
            event: Any = parser.get_event()
            if event is None:
                return
            kind = event.__class__
            if kind is not ScalarEvent or not event.style:
                continue
            first, last = event.start_mark, event.end_mark
            begin = (first.line, first.column)
            if event.style in "|>":
                begin = (first.line + 1, 0)  # a comment may follow the indicator
            yield begin, (last.line, last.column)
    except (YAMLError, UnicodeError):
        return
