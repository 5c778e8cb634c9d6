"""A tree of positions that mirrors a document's value, small enough to keep."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from martello.core.path import Path

# A leaf is one packed position; what has members is (position, members). A member of a mapping is
# where its key is.
Node = int | tuple[int, dict[str, Any] | list[Any]]

SHIFT: Final = 24
MASK: Final = (1 << SHIFT) - 1


class Repeated(msgspec.Struct, frozen=True):
    """A key that is written twice in one mapping, with two packed positions."""

    path: Path
    first: int
    last: int


class Places(msgspec.Struct, frozen=True):
    """The positions of one document, and the keys that it repeats."""

    root: Node
    repeated: tuple[Repeated, ...] = ()


def pack(line: int, column: int) -> int:
    """One number for a line and a column, both counted from 1."""
    return line << SHIFT | min(column, MASK)


def unpack(position: int) -> tuple[int, int]:
    """Line and column of a packed position."""
    return position >> SHIFT, position & MASK


def position_of(node: Node) -> int:
    """The packed position of a node."""
    return node if isinstance(node, int) else node[0]


def moved(node: Node, position: int) -> Node:
    """The node with a position of its own: a value under its key, an alias where it is used."""
    return position if isinstance(node, int) else (position, node[1])


def marked(value: Any, marks: list[Any], first_line: int) -> Places:
    """The positions of a plain document from the marks of its nodes, in the order of the text: the
    value has its members in that order too. Lines count from `first_line`.
    """
    following = iter(marks).__next__

    def at() -> int:
        mark = following()
        return pack(first_line + int(mark.line), int(mark.column) + 1)

    def members(value: Any) -> dict[str, Any] | list[Any]:
        if isinstance(value, list):
            elements: list[Any] = []
            for element in value:
                position = at()
                nested = isinstance(element, dict | list)
                elements.append((position, members(element)) if nested else position)
            return elements
        found: dict[str, Any] = {}
        for key, member in value.items():
            position = at()
            following()
            nested = isinstance(member, dict | list)
            found[key] = (position, members(member)) if nested else position
        return found

    root = at()
    return Places((root, members(value)) if isinstance(value, dict | list) else root)


def nearest(node: Node, path: Path) -> Node:
    """The node at the path, or the deepest one on the way there."""
    for part in path:
        if isinstance(node, int):
            break
        members = node[1]
        if isinstance(members, dict):
            below = members.get(part) if isinstance(part, str) else None
        else:
            below = None
            if isinstance(part, int) and 0 <= part < len(members):
                below = members[part]
        if below is None:
            break
        node = below
    return node
