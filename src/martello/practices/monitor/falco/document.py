"""YAML as nodes that know their places. Plain scalars stay texts, as Falco's reader has them, so
`=` is a text and `0644` is not 420. Depth and size are bounded, aliases counted with all that they
stand for.
"""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

from martello.practices.monitor.falco.problems import Fault, Place

LARGEST: Final = 64 * 1024 * 1024  # bytes of one file
_DEEPEST: Final = 100
_MOST: Final = 2_000_000  # nodes of one file
_NULL: Final = frozenset(("", "~", "null", "Null", "NULL"))
_TRUE: Final = re.compile(r"(?:y|yes|true|on)", re.IGNORECASE)
_FALSE: Final = re.compile(r"(?:n|no|false|off)", re.IGNORECASE)


class Node:
    """A scalar (`text`), null, list (`items`) or mapping (`pairs`; of two equal keys the first)."""

    __slots__ = ("column", "items", "kind", "line", "pairs", "size", "text")

    def __init__(self, kind: str, mark: Any, text: str = "") -> None:
        self.kind = kind
        self.line, self.column = mark.line + 1, mark.column + 1
        self.text = text
        self.items: list[Node] = []
        self.pairs: dict[str, Node] = {}
        self.size = 1  # nodes in it, once it is closed; 0 before

    def get(self, key: str) -> Node | None:
        """The value of a key."""
        return self.pairs.get(key)


def documents(text: str, top: Place) -> list[Node]:
    """The documents of a text that hold anything. Raises Fault."""
    try:
        return _documents(text, top)
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        place = _at(top, mark.line + 1, mark.column + 1) if mark else top
        raise Fault("LOAD_ERR_YAML_PARSE", fault.problem or "no YAML", place) from fault
    except yaml.YAMLError as fault:
        raise Fault("LOAD_ERR_YAML_PARSE", str(fault).splitlines()[0], top) from fault


def _documents(text: str, place: Place) -> list[Node]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found: list[Node] = []
    open_: list[tuple[Node, list[Node]]] = []
    anchors: dict[str, Node] = {}
    count = 0
    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, yaml.DocumentStartEvent):
            anchors = {}
            continue
        if isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            node, _ = open_.pop()
            node.size = 1 + sum(one.size for one in (*node.items, *node.pairs.values()))
        elif isinstance(event, yaml.NodeEvent):
            node = _node(event, anchors, place)
            count += node.size or _MOST + 1
            if count > _MOST or len(open_) >= _DEEPEST:
                _bad(f"YAML of more than {_MOST} nodes, or deeper than {_DEEPEST}", place, node)
            if open_:
                _put(*open_[-1], node)
            elif node.kind != "null":
                found.append(node)
            if isinstance(event, yaml.CollectionStartEvent):
                node.size = 0
                open_.append((node, []))
    return found


def _bad(why: str, place: Place, node: Node) -> None:
    raise Fault("LOAD_ERR_YAML_PARSE", why, _at(place, node.line, node.column))


def _at(top: Place, line: int, column: int) -> Place:
    return Place(top.file, line, column, top.items)


def _node(event: Any, anchors: dict[str, Node], place: Place) -> Node:
    if isinstance(event, yaml.AliasEvent):
        node = anchors.get(str(event.anchor))
        if node is None:
            mark: Any = event.start_mark
            at = _at(place, mark.line + 1, mark.column + 1)
            raise Fault("LOAD_ERR_YAML_PARSE", f"unknown anchor {event.anchor!r}", at)
        return node
    if isinstance(event, yaml.ScalarEvent):
        null = event.implicit[0] and not event.style and event.value in _NULL
        node = Node("null" if null else "scalar", event.start_mark, event.value)
    else:
        kind = "list" if isinstance(event, yaml.SequenceStartEvent) else "map"
        node = Node(kind, event.start_mark)
    if event.anchor:
        anchors[event.anchor] = node
    return node


def _put(parent: Node, keys: list[Node], node: Node) -> None:
    """An element of a list; in a mapping keys and values come in turn."""
    if parent.kind == "list":
        parent.items.append(node)
    elif keys:
        key = keys.pop()
        parent.pairs.setdefault(key.text, node)
    else:
        keys.append(node)


def boolean(text: str) -> bool | None:
    """A boolean as YAML 1.1 writes it; None: it is none."""
    if _TRUE.fullmatch(text):
        return True
    return False if _FALSE.fullmatch(text) else None
