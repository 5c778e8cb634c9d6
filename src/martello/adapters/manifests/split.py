"""Where the documents of a YAML text begin, so that a broken one costs itself alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_SEPARATOR: Final = re.compile(rb"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)
_DIRECTIVES: Final = re.compile(rb"(?:[ \t]*(?:#[^\n]*)?\r?\n|%[^\n]*\n)*")


def chunks(text: bytes) -> Iterator[tuple[int, int]]:
    """Start and end of every part between `---` lines, the line itself being part of what follows.

    Directives (`%YAML`, `%TAG`) stay with the document that they precede. A part can hold several
    documents still (after `...`); parts without any text are left out.
    """
    start = 0
    for match in _SEPARATOR.finditer(text):
        end = match.start()
        if _only_directives(text, start, end):
            continue
        if not _is_blank(text, start, end):
            yield start, end
        start = end
    if not _is_blank(text, start, len(text)):
        yield start, len(text)


def _is_blank(text: bytes, start: int, end: int) -> bool:
    if end - start > 100:
        return False
    part = text[start:end].removeprefix(b"---")
    return not part or part.isspace()


def _only_directives(text: bytes, start: int, end: int) -> bool:
    if b"%" not in text[start : min(end, start + 4096)]:
        return False
    match = _DIRECTIVES.match(text, start, end)
    return match is not None and match.end() == end
