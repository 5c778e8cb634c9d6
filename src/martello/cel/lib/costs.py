"""Sizes and run-time costs that several libraries share, with Kubernetes' constants."""

from __future__ import annotations

from typing import Any

from martello.cel.equality import is_map
from martello.cel.values import EvalError

LIST_CREATE = 10


def tenth(value: Any, *_rest: Any) -> int:
    """A tenth of the first argument's size, rounded up: one pass over a string."""
    return -(-len(value) // 10)


def fifth(value: Any, *_rest: Any) -> int:
    """A fifth of the first argument's size, rounded up: a pass and a result."""
    return -(-len(value) // 5)


def traversal(value: Any, *_rest: Any) -> int:
    """A pass over a whole value: 1 a scalar, a tenth of its octets (rounded down) a string."""
    total = 0
    waiting = [value]
    while waiting:
        item = waiting.pop()
        kind = type(item)
        if kind is str:
            total += len(item.encode("utf-8", "replace")) // 10
        elif kind is bytes:
            total += len(item) // 10
        elif kind in (list, tuple):
            waiting.extend(item)
        elif is_map(item):
            waiting.extend(part for pair in item.items() for part in pair)
        else:
            total += 1
    return total


def bounded(size: int, limit: int) -> None:
    """Refuse a result before it is made when it would be larger than `limit`."""
    if size > limit:
        raise EvalError("cost: the result is too large")
