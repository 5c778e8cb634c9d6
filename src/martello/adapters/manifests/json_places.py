"""Positions of every node of a JSON value, found in its text where somebody asks."""

from __future__ import annotations

import re
from typing import Any, Final

from martello.adapters.manifests.places import Node, Places, Repeated, moved, pack, position_of

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*+"|[{}\[\],:]|[^\s{}\[\],:"]+|\n', re.DOTALL)


def places(text: str, first_line: int) -> Places:
    """The positions of a text that is known to be one JSON value."""
    return _Tree(first_line).read(text)


class _Tree:
    """Builds the tree with its own stack; the parser has already checked the grammar."""

    def __init__(self, first_line: int) -> None:
        self.line = first_line
        self.stack: list[tuple[Any, int, str, int]] = []  # members, position, key, key's position
        self.repeated: list[Repeated] = []
        self.root: Node = pack(first_line, 1)

    def read(self, text: str) -> Places:
        """Reads the tokens of the text."""
        members: Any = None
        key: str | None = None
        position = key_at = line_start = 0
        for match in _TOKEN.finditer(text):
            mark = match.group()
            if mark == "\n":
                self.line += 1
                line_start = match.end()
            elif mark in "{[":
                here = pack(self.line, match.start() - line_start + 1)
                self.stack.append((members, position, key or "", key_at))
                members, position, key = ({} if mark == "{" else []), here, None
            elif mark in "}]":
                node: Node = (position, members)
                members, position, outer, key_at = self.stack.pop()
                key = outer
                self.put(members, node, key, key_at)
                key = None
            elif mark not in ",:":
                here = pack(self.line, match.start() - line_start + 1)
                if isinstance(members, dict) and key is None:
                    key, key_at = _text(mark), here
                else:
                    self.put(members, here, key or "", key_at)
                    key = None
        return Places(self.root, tuple(self.repeated))

    def put(self, members: Any, node: Node, key: str, key_at: int) -> None:
        """Puts a finished node into its parent, or makes it the root."""
        if members is None:
            self.root = node
        elif isinstance(members, list):
            members.append(node)
        else:
            if key in members:
                path = (*self.path(), key)
                self.repeated.append(Repeated(path, position_of(members[key]), key_at))
            members[key] = moved(node, key_at)

    def path(self) -> tuple[str | int, ...]:
        """The path of the innermost open object or list."""
        outer = self.stack[1:]
        return tuple(
            len(members) if isinstance(members, list) else key for members, _, key, _ in outer
        )


def _text(token: str) -> str:
    if "\\" not in token:
        return token[1:-1]
    import orjson

    return str(orjson.loads(token))
