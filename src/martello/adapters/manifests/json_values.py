"""JSON texts: one value, or several one after the other (JSON Lines)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from martello.adapters.manifests.limits import Limits, Unreadable


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


def extents(text: bytes) -> Iterator[tuple[int, int]]:
    """Where each value of a sequence of values lies, as far as that can be told.

    Lines that all begin an object are JSON Lines, where a broken line costs itself alone; otherwise
    brackets outside of strings tell where a value ends.
    """
    lines = text.split(b"\n")
    if all(line.startswith(b"{") for line in lines if line.strip()) and _is_json(lines[0]):
        start = 0
        for line in lines:
            if line.strip():
                yield start, start + len(line)
            start += len(line) + 1
    else:
        yield from _bracketed(text)


_MARK: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"|[{}\[\]]', re.DOTALL)


def _bracketed(text: bytes) -> Iterator[tuple[int, int]]:
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


def _is_json(line: bytes) -> bool:
    import orjson

    try:
        orjson.loads(line)
    except ValueError:
        return False
    return True


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
