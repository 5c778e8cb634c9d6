"""The JSON documents of a log or of a request: one a line, an array, or a list of Kubernetes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from martello.adapters.audit.plain import WRONG

CHUNK: Final = 200  # documents at a time: what is soon freed stays in the cache


class _List(msgspec.Struct):
    items: list[msgspec.Raw]
    kind: str = ""


_raw: Final = msgspec.json.Decoder(msgspec.Raw)
_list: Final = msgspec.json.Decoder(_List).decode
_array: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode


def documents(data: bytes) -> Iterator[list[bytes]]:
    """The JSON documents of some bytes, some at a time."""
    text = data.strip()
    if not text:
        return
    listed: list[bytes] | None = None
    try:
        if text[:1] == b"[":
            listed = [bytes(one) for one in _array(text)]
        else:
            found = _list(text)
            listed = list(map(bytes, found.items)) if found.kind.endswith("List") else [text]
    except WRONG:
        pass
    if listed is None and not any(map(_whole, _lines(text))):
        listed = [text]
    if listed is not None:
        for at in range(0, len(listed), CHUNK):
            yield listed[at : at + CHUNK]
        return
    lines: list[bytes] = []
    for line in _lines(text):
        lines.append(line)
        if len(lines) == CHUNK:
            yield lines
            lines = []
    if lines:
        yield lines


def _lines(text: bytes) -> Iterator[bytes]:
    """Lines that are not empty; `split` looks at each byte, and `find` does not."""
    at = 0
    while at < len(text):
        end = text.find(b"\n", at)
        end = len(text) if end < 0 else end
        if end > at:
            yield text[at:end]
        at = end + 1


def _whole(line: bytes) -> bool:
    """Whether a line is a document of its own, and no part of one that is written over lines."""
    try:
        _raw.decode(line)
    except WRONG:
        return False
    return line.lstrip()[:1] in (b"{", b"[")
