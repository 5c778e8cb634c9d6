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
    documents still (after `...`), or none.
    """
    start = 0
    for match in _SEPARATOR.finditer(text):
        if match.start() == start or _only_directives(text, start, match.start()):
            continue
        yield start, match.start()
        start = match.start()
    if start < len(text):
        yield start, len(text)


def _only_directives(text: bytes, start: int, end: int) -> bool:
    if b"%" not in text[start : min(end, start + 4096)]:
        return False
    match = _DIRECTIVES.match(text, start, end)
    return match is not None and match.end() == end
