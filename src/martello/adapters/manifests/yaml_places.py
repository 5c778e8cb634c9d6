"""Positions of every node of a YAML document: a second pass, made only where somebody asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from yaml import YAMLError
from yaml._yaml import CParser
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from martello.adapters.manifests.limits import Unreadable
from martello.adapters.manifests.places import (
    MASK,
    SHIFT,
    Node,
    Places,
    Repeated,
    moved,
    pack,
    position_of,
)
from martello.adapters.manifests.scalars import HINTS, as_key, key_of, tagged
from martello.adapters.manifests.yaml_values import MERGE, NO_KEY, is_merge


def places(text: bytes, index: int, first_line: int) -> Places | None:
    """The positions of the index-th document of a text that begins at a line of its file; None
    where the text no longer holds it.
    """
    try:
        parser = CParser(text)
        while True:
            event = parser.get_event()
            if event is None:
                return None
            if event.__class__ is not DocumentStartEvent:
                continue
            if index == 0:
                return _Tree(first_line).read(parser.get_event)
            index -= 1
    except (YAMLError, UnicodeError, Unreadable):
        return None


class _Open:
    """A mapping or list that is being read."""

    __slots__ = ("anchor", "explicit", "key", "key_at", "members", "position")

    def __init__(self, members: Any, position: int, anchor: Any) -> None:
        self.members = members  # a dict or list of Nodes
        self.position = position
        self.anchor = anchor
        self.key: Any = NO_KEY
        self.key_at = 0
        self.explicit: set[str] = set()  # keys that are written here, not merged


class _Tree:
    """Builds the tree of one document from its events, in the order in which values were built."""

    def __init__(self, first_line: int) -> None:
        self.first_line = first_line
        self.anchors: dict[str, tuple[Node, str | None]] = {}
        self.stack: list[_Open] = []
        self.repeated: list[Repeated] = []
        self.root: Node | None = None

    def read(self, get: Callable[[], Any]) -> Places:
        """Consumes the events of the document. Nearly all are plain scalars in their places: these
        are placed here, without a call.
        """
        stack = self.stack
        before = self.first_line << SHIFT
        while True:
            event = get()
            kind = event.__class__
            if kind is ScalarEvent:
                if not stack or event.anchor:
                    self.scalar(event)
                    continue
                parent = stack[-1]
                members = parent.members
                mark = event.start_mark
                position = before + (mark.line << SHIFT) + min(mark.column + 1, MASK)
                if members.__class__ is list:
                    members.append(position)
                elif parent.key is NO_KEY:
                    key = event.value
                    if key == "<<" or event.tag is not None or key[:1] in HINTS:
                        self.scalar(event)
                        continue
                    parent.key, parent.key_at = key, position
                elif parent.key is MERGE:
                    parent.key = NO_KEY
                elif parent.key in members:
                    self.member(parent, members, position)
                else:
                    parent.explicit.add(parent.key)
                    members[parent.key] = parent.key_at
                    parent.key = NO_KEY
            elif kind is MappingStartEvent:
                stack.append(_Open({}, self.at(event), event.anchor))
            elif kind is SequenceStartEvent:
                stack.append(_Open([], self.at(event), event.anchor))
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                self.close()
            elif kind is AliasEvent:
                node, key = self.anchors[event.anchor]
                self.place(moved(node, self.at(event)), self.at(event), key)
            elif kind is DocumentEndEvent:
                start = pack(self.first_line, 1)
                return Places(start if self.root is None else self.root, tuple(self.repeated))

    def at(self, event: Any) -> int:
        mark = event.start_mark
        return pack(mark.line + self.first_line, mark.column + 1)

    def scalar(self, event: Any) -> None:
        position = self.at(event)
        key = None
        if event.anchor or self.expects_key():
            key = _key(event)
        if event.anchor:
            self.anchors[event.anchor] = (position, key)
        if event.value == "<<" and is_merge(event) and self.expects_key():
            self.stack[-1].key = MERGE
            return
        self.place(position, position, key)

    def expects_key(self) -> bool:
        if not self.stack:
            return False
        parent = self.stack[-1]
        return parent.key is NO_KEY and isinstance(parent.members, dict)

    def close(self) -> None:
        ended = self.stack.pop()
        node: Node = (ended.position, ended.members)
        if ended.anchor:
            self.anchors[ended.anchor] = (node, None)
        self.place(node, ended.position, None)

    def place(self, node: Node, position: int, key: str | None) -> None:
        """Puts a finished node where it belongs: it is a key, a member, an element or the root."""
        if not self.stack:
            self.root = node
            return
        parent = self.stack[-1]
        members = parent.members
        if isinstance(members, list):
            members.append(node)
        elif parent.key is NO_KEY:
            parent.key, parent.key_at = key, position
        elif parent.key is MERGE:
            parent.key = NO_KEY
            _merge(members, node)
        else:
            self.member(parent, members, node)

    def member(self, parent: _Open, members: dict[str, Node], node: Node) -> None:
        key = parent.key
        parent.key = NO_KEY
        if key in parent.explicit:
            path = (*self.path(), key)
            self.repeated.append(Repeated(path, position_of(members[key]), parent.key_at))
        parent.explicit.add(key)
        members[key] = moved(node, parent.key_at)

    def path(self) -> tuple[str | int, ...]:
        """The path of the innermost open mapping or list."""
        return tuple(
            len(outer.members) if isinstance(outer.members, list) else outer.key
            for outer in self.stack[:-1]
        )


def _key(event: Any) -> str | None:
    try:
        if event.tag is not None:
            return as_key(tagged(event.tag, event.value))
        return key_of(event.value) if event.implicit[0] else str(event.value)
    except Unreadable:
        return None


def _merge(members: dict[str, Node], node: Node) -> None:
    if isinstance(node, int):
        return
    sources = node[1]
    if isinstance(sources, dict):
        members.update(sources)
        return
    for source in reversed(sources):
        if not isinstance(source, int) and isinstance(source[1], dict):
            members.update(source[1])
