"""JSON texts: one value, or several one after the other (JSON Lines)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from martello.adapters.manifests.limits import Limits, Unreadable

_SPACE: Final = re.compile(r"[ \t\r\n]*")


def looks_like_json(text: bytes) -> bool:
    """Whether a text begins as a JSON object or list does (flow YAML begins so, too)."""
    return text[:4096].lstrip()[:1] in (b"{", b"[")


def whole(text: bytes, limits: Limits) -> Any:
    """The one value of a text. Raises ValueError where it is not exactly one JSON value, Unreadable
    where it exceeds the limits.
    """
    import orjson

    commas = text.count(b",")
    if commas > limits.nodes:
        raise Unreadable(f"it has more than {limits.nodes} nodes")
    value = orjson.loads(text)
    if text.count(b"{") + text.count(b"[") > limits.depth:
        _check_depth(value, limits.depth)
    return value


def stream(text: bytes, limits: Limits) -> Iterator[tuple[Any, int, int]]:
    """Values that follow each other, with the bytes where each begins and ends.

    Raises Unreadable with the line of the first that cannot be read, after those before it.
    """
    for start, end in _extents(text):
        try:
            yield whole(text[start:end], limits), start, end
        except ValueError as error:
            raise Unreadable(f"not valid JSON: {_reason(error)}", _line(text, start)) from None
        except Unreadable as error:
            raise Unreadable(error.reason, _line(text, start)) from None


_MARK: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"|[{}\[\]]', re.DOTALL)


def _extents(text: bytes) -> Iterator[tuple[int, int]]:
    """Where each top-level object or list lies, by its brackets outside of strings."""
    depth = start = 0
    for match in _MARK.finditer(text):
        mark = text[match.start()]
        if mark in b"{[":
            depth += 1
        elif mark in b"}]":
            depth -= 1
            if depth <= 0:
                yield start, match.end()
                depth, start = 0, match.end()
    if text[start:].strip():
        yield start, len(text)


def _check_depth(value: Any, most: int) -> None:
    level = [value]
    for _ in range(most + 1):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise Unreadable(f"it is nested more than {most} levels deep")


def _reason(error: ValueError) -> str:
    return str(error).partition(":")[0]


def _line(text: bytes, position: int) -> int:
    found = _SPACE.match(text[position : position + 4096].decode("latin-1"))
    return text.count(b"\n", 0, position + (found.end() if found else 0)) + 1
