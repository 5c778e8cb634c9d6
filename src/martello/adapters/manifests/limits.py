"""How much of one file is read before it is refused."""

from __future__ import annotations

from typing import Final

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """Bounds of one file. What exceeds them is unassessed, never read in part and judged."""

    size: int = 16 << 20  # bytes
    nodes: int = 1_000_000  # values in one file
    depth: int = 200  # mappings and lists inside each other
    growth: int = 10  # times a document's own nodes that its aliases may add
    expanded: int = 100_000  # nodes that the aliases of one document may add at most


DEFAULT: Final = Limits()


class Unreadable(Exception):
    """A document that cannot be read: the reason, and where (counted from 1; 0 is unknown)."""

    def __init__(self, reason: str, line: int = 0, column: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line
        self.column = column
