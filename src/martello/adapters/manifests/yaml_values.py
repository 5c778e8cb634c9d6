"""Plain values of YAML documents, built from the parser's events without nodes in between."""

from __future__ import annotations

from collections.abc import Iterator
from sys import intern
from typing import Any, Final

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

from martello.adapters.manifests.limits import Limits, Unreadable
from martello.adapters.manifests.scalars import HINTS, as_key, in_json, key_of, tagged, value_of

NO_KEY: Final = object()  # the next value of a mapping is a key
MERGE_TAG: Final = "tag:yaml.org,2002:merge"
MERGE: Final = object()  # the next value of a mapping is merged into it
OPEN: Final = object()  # an anchor whose value is not complete yet
_MARKED: Final = 50_000  # nodes of a document up to which their places are kept


class Built:
    """One document: its value, whether keys may be written twice, how many nodes it has, and where
    each of them begins, in order, if that is all that positions need (no aliases, nothing twice).
    """

    __slots__ = ("marks", "nodes", "repeats", "value")

    def __init__(self, value: Any, repeats: bool, nodes: int, marks: list[Any] | None) -> None:
        self.value = value
        self.repeats = repeats
        self.nodes = nodes
        self.marks = marks


def documents(text: bytes, limits: Limits) -> Iterator[Built]:
    """The documents of a text, in order. Raises Unreadable at the first that cannot be read, with
    the line counted from the start of the text; those before it have been given by then.
    """
    try:
        parser = CParser(text)
        while True:
            kind = parser.get_event().__class__
            if kind is DocumentStartEvent:
                yield _document(parser.get_event, limits)
            elif parser.peek_event() is None:
                return
    except YAMLError as error:
        raise of_yaml(error, text) from error
    except UnicodeError as error:
        raise Unreadable("the text is not valid UTF-8") from error


def of_yaml(error: YAMLError, text: bytes) -> Unreadable:
    """The parser's complaint in one line, without the text that it complains about."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        problem = getattr(error, "problem", None) or "it cannot be parsed"
        return Unreadable(f"not valid YAML: {problem}", mark.line + 1, mark.column + 1)
    reason = getattr(error, "reason", "it cannot be parsed")
    position = getattr(error, "position", 0)
    return Unreadable(f"not valid YAML: {reason}", text.count(b"\n", 0, position) + 1)


def _document(get: Any, limits: Limits) -> Built:
    """One document, up to its end event. A loop with its own stack: nesting costs no recursion."""
    aliases = _Aliases(limits)
    stack: list[tuple[Any, Any, str | None, int]] = []
    container: Any = None
    key: Any = NO_KEY
    result: Any = None
    repeats = False
    nodes = 0
    most, deepest = limits.nodes, limits.depth
    marks: list[Any] = []
    mark = marks.append
    while True:
        event = get()
        kind = event.__class__
        if kind is ScalarEvent:
            nodes += 1
            if nodes > most:
                raise _too_much(event, len(stack), limits)
            mark(event.start_mark)
            value: Any = event.value
            is_key = key is NO_KEY and container.__class__ is dict
            try:
                if is_key and value == "<<" and is_merge(event):
                    key = MERGE
                    repeats = True  # the merged members stand elsewhere
                    continue
                if event.tag is not None:
                    value = tagged(event.tag, value)
                    value = as_key(value) if is_key else in_json(value)
                elif event.implicit[0] and value[:1] in HINTS:
                    value = key_of(value) if is_key else value_of(value)
            except Unreadable as error:
                raise _at(error.reason, event) from None
            if event.anchor:
                aliases.anchors[event.anchor] = (value, 1)
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            nodes += 1
            mark(event.start_mark)
            if event.anchor:
                aliases.anchors[event.anchor] = OPEN
            stack.append((container, key, event.anchor, nodes + aliases.added))
            if len(stack) > deepest or nodes > most:
                raise _too_much(event, len(stack), limits)
            container = {} if kind is MappingStartEvent else []
            key = NO_KEY
            continue
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            value = container
            container, key, anchor, before = stack.pop()
            if anchor and aliases.anchors[anchor] is OPEN:
                aliases.anchors[anchor] = (value, nodes + aliases.added - before + 1)
        elif kind is AliasEvent:
            nodes += 1
            value = aliases.value(event)
            if key is MERGE and value.__class__ is list:
                raise _at("a merge key takes a mapping or a list of mappings", event)
        elif kind is DocumentEndEvent:
            aliases.check(nodes, event)
            plain = not (repeats or aliases.anchors or aliases.added) and nodes <= _MARKED
            return Built(result, repeats, nodes, marks if plain else None)
        else:
            raise _at("the document has no end", event)

        if container.__class__ is list:
            container.append(value)
        elif container is None:
            result = value
        elif key is NO_KEY:
            if value.__class__ is not str:
                value = _odd_key(value, event)
            key = intern(value)
        elif key is MERGE:
            aliases.merge(container, value, event)
            key = NO_KEY
        else:
            if key in container:
                repeats = True
            container[key] = value
            key = NO_KEY


def is_merge(event: Any) -> bool:
    """Whether a `<<` is the merge key: written plainly, or tagged so."""
    return bool(event.implicit[0]) or event.tag == MERGE_TAG


class _Aliases:
    """The anchors of one document, and how many nodes their aliases have added to it."""

    __slots__ = ("added", "anchors", "limits")

    def __init__(self, limits: Limits) -> None:
        self.anchors: dict[str, Any] = {}
        self.added = 0
        self.limits = limits

    def value(self, event: Any) -> Any:
        """The anchored value itself: shared, so that a bomb costs no memory, only this count."""
        anchored = self.anchors.get(event.anchor)
        if anchored is None:
            raise _at("an alias names no anchor before it", event)
        if anchored is OPEN:
            raise _at("an anchored value contains itself", event)
        self.grow(anchored[1], event)
        return anchored[0]

    def grow(self, nodes: int, event: Any) -> None:
        self.added += nodes
        if self.added > self.limits.expanded:
            raise _at(f"its aliases expand to more than {self.limits.expanded} nodes", event)

    def check(self, nodes: int, event: Any) -> None:
        if self.added > max(self.limits.growth * nodes, 1000):
            raise _at(f"its aliases expand to over {self.limits.growth} times its nodes", event)

    def merge(self, container: dict[str, Any], value: Any, event: Any) -> None:
        """`<<`, in the order written: what stands before it in the mapping is overridden by it, as
        go-yaml v2 does; of a list the first mapping wins.
        """
        sources = value if isinstance(value, list) else [value]
        for source in reversed(sources):
            if not isinstance(source, dict):
                raise _at("a merge key takes a mapping or a list of mappings", event)
            self.grow(len(source), event)
            container.update(source)


def _odd_key(value: Any, event: Any) -> str:
    if isinstance(value, dict | list):
        raise _at("a mapping or a list cannot be a key", event)
    try:
        return as_key(value)
    except Unreadable as error:
        raise _at(error.reason, event) from None


def _too_much(event: Any, depth: int, limits: Limits) -> Unreadable:
    if depth > limits.depth:
        return _at(f"it is nested more than {limits.depth} levels deep", event)
    return _at(f"it has more than {limits.nodes} nodes", event)


def _at(reason: str, event: Any) -> Unreadable:
    return Unreadable(reason, event.start_mark.line + 1, event.start_mark.column + 1)
