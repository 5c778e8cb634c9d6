"""The comments of a YAML text: `#` at the start of a line or after a space, outside of scalars."""

from __future__ import annotations

import re
from typing import Final

from yaml import YAMLError
from yaml._yaml import CParser
from yaml.events import ScalarEvent

from martello.core.resource import Comment

_COMMENT: Final = re.compile(r"(?:^|(?<=[ \t]))#(.*)")
_BLOCK: Final = "|>"


def comments(part: bytes, first_line: int) -> tuple[Comment, ...]:
    """The comments in the order of their lines; `first_line` is the line on which the text begins."""
    scalars = _scalars(part)
    found: list[Comment] = []
    for number, line in enumerate(part.decode("utf-8", "replace").split("\n")):
        match = _COMMENT.search(line)
        while match is not None and _inside(scalars, number, match.start()):
            match = _COMMENT.search(line, match.start() + 1)
        if match is not None:
            found.append(Comment(first_line + number, match.group(1).strip()))
    return tuple(found)


def _scalars(part: bytes) -> dict[int, list[tuple[int, float]]]:
    """For every line the columns that quoted and block scalars take."""
    spans: dict[int, list[tuple[int, float]]] = {}
    try:
        parser = CParser(part)
        while (event := parser.get_event()) is not None:
            if event.__class__ is not ScalarEvent or not event.style:
                continue
            first, last = event.start_mark, event.end_mark
            for line in range(first.line, last.line + 1):
                begin = first.column if line == first.line else 0
                end = last.column if line == last.line else float("inf")
                if line == first.line and event.style in _BLOCK:
                    end = begin  # a comment may follow the indicator
                spans.setdefault(line, []).append((begin, end))
    except (YAMLError, UnicodeError):
        return spans
    return spans


def _inside(spans: dict[int, list[tuple[int, float]]], line: int, column: int) -> bool:
    return any(begin <= column < end for begin, end in spans.get(line, ()))
