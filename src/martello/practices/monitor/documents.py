"""The YAML documents of a file of rules: plain values, bounded, with the place of every key.

Scalars are read as PyYAML reads them (YAML 1.1), which is what Sigma's tools do; times stay texts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import yaml

LARGEST: Final = 1 << 20  # characters of a file
MOST: Final = 20_000  # nodes of a document
DEEPEST: Final = 40  # mappings and lists in one another
EXPANDED: Final = 10_000  # nodes that aliases may add to a document
_MERGE: Final = "tag:yaml.org,2002:merge"
_TIMESTAMP: Final = "tag:yaml.org,2002:timestamp"
_TEXT: Final = "tag:yaml.org,2002:str"
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Steps = tuple[str | int, ...]


class Unreadable(Exception):
    """A document that cannot be read, and where; places count from 1."""

    def __init__(self, text: str, line: int = 0, column: int = 0) -> None:
        super().__init__(text)
        self.text = text
        self.line = line
        self.column = column


class Document:
    """One document: its value (lists, mappings with text keys, scalars), and where things are."""

    __slots__ = ("node", "value")

    def __init__(self, value: Any, node: Any) -> None:
        self.value = value
        self.node = node

    def place(self, *steps: str | int) -> tuple[int, int]:
        """Line and column of what the steps lead to, or of the nearest thing above it: of a
        member of a mapping its key, of a member of a list the member.
        """
        node, mark = self.node, self.node.start_mark
        for step in steps:
            if isinstance(node, yaml.MappingNode):
                pair = next((each for each in node.value if each[0].value == str(step)), None)
                if pair is None:
                    break
                mark, node = pair[0].start_mark, pair[1]
            elif isinstance(node, yaml.SequenceNode):
                if not isinstance(step, int) or step >= len(node.value):
                    break
                node = node.value[step]
                mark = node.start_mark
            else:
                break
        return mark.line + 1, mark.column + 1

    def value_place(self, *steps: str | int) -> tuple[int, int]:
        """As `place`, but of a member of a mapping its value."""
        node = self.node
        for step in steps:
            if isinstance(node, yaml.MappingNode):
                found = next((v for k, v in node.value if k.value == str(step)), None)
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
                found = node.value[step] if step < len(node.value) else None
            else:
                found = None
            if found is None:
                return self.place(*steps)
            node = found
        return node.start_mark.line + 1, node.start_mark.column + 1

    def inside(self, offset: int, *steps: str | int) -> tuple[int, int]:
        """The place of a character of a scalar; exact where it is written on one line without
        escapes, else of the scalar itself.
        """
        line, column = self.value_place(*steps)
        node = self._node(*steps)
        if not isinstance(node, yaml.ScalarNode) or node.start_mark.line != node.end_mark.line:
            return line, column
        quoted = 1 if node.style in ("'", '"') else 0
        if node.end_mark.column - node.start_mark.column != len(node.value) + 2 * quoted:
            return line, column
        return line, column + quoted + min(offset, len(node.value))

    def _node(self, *steps: str | int) -> Any:
        node = self.node
        for step in steps:
            if isinstance(node, yaml.MappingNode):
                node = next((v for k, v in node.value if k.value == str(step)), None)
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
                node = node.value[step] if step < len(node.value) else None
            else:
                return None
        return node


def documents(text: str) -> Iterator[Document]:
    """The documents of a text that are not empty, in order. Raises Unreadable at the first that
    cannot be read; those before it have been given by then.
    """
    if len(text) > LARGEST:
        raise Unreadable(f"larger than {LARGEST:,} characters", 1, 1)
    try:
        loader = _LOADER(text)
    except yaml.YAMLError as error:
        raise _of_yaml(error, text) from None
    try:
        while loader.check_node():
            node = loader.get_node()
            if node is None:
                continue
            _check(node)
            value = loader.construct_document(node)
            if value is not None:
                yield Document(value, node)
    except yaml.YAMLError as error:
        raise _of_yaml(error, text) from None
    except (RecursionError, ValueError, TypeError, OverflowError):
        raise Unreadable("not valid YAML: a value cannot be read", 1, 1) from None
    finally:
        loader.dispose()


def _check(root: Any) -> None:
    """Refuses what would cost much or mean two things: size, depth, aliases that multiply or
    contain themselves, keys that are no texts or come twice.
    """
    sizes: dict[int, int] = {}  # of a node as a tree, by its identity
    inside: set[int] = set()
    own = 0
    stack: list[tuple[Any, int, bool]] = [(root, 0, False)]
    while stack:
        node, depth, done = stack.pop()
        if isinstance(node, yaml.ScalarNode):
            if node.tag == _TIMESTAMP:
                node.tag = _TEXT  # events and rules write times as texts
            if id(node) not in sizes:
                own += 1
                sizes[id(node)] = 1
            if own > MOST:
                raise _at(node, f"more than {MOST:,} values in a document")
            continue
        below = _children(node)
        if done:
            inside.discard(id(node))
            size = 1 + sum(sizes[id(child)] for child in below)
            sizes[id(node)] = size
            if size - own > EXPANDED:
                raise _at(node, f"its aliases add more than {EXPANDED:,} values")
            continue
        if id(node) in inside:
            raise _at(node, "an anchored value contains itself")
        if id(node) in sizes:
            continue
        own += 1
        if own > MOST:
            raise _at(node, f"more than {MOST:,} values in a document")
        if depth >= DEEPEST:
            raise _at(node, f"nested deeper than {DEEPEST} levels")
        if isinstance(node, yaml.MappingNode):
            _check_keys(node)
        inside.add(id(node))
        stack.append((node, depth, True))
        stack.extend((child, depth + 1, False) for child in reversed(below))


def _children(node: Any) -> list[Any]:
    if isinstance(node, yaml.MappingNode):
        return [value for _, value in node.value]
    return list(node.value)


def _check_keys(node: Any) -> None:
    seen: set[str] = set()
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _at(key, "a key is a text")
        if key.tag == _MERGE:
            if not isinstance(value, yaml.MappingNode):
                raise _at(key, "a merge key takes one mapping")
            continue
        if key.value in seen:
            raise _at(key, "the key is written twice")
        seen.add(key.value)
        key.tag = _TEXT  # `on`, `1` and the like are names here
    if len(seen) > MOST:
        raise _at(node, f"more than {MOST:,} keys")


def _at(node: Any, text: str) -> Unreadable:
    return Unreadable(text, node.start_mark.line + 1, node.start_mark.column + 1)


def _of_yaml(error: yaml.YAMLError, text: str) -> Unreadable:
    """The parser's complaint without the text that it complains about."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        problem = getattr(error, "problem", None) or "it cannot be parsed"
        if "could not determine a constructor" in problem:
            problem = "it has a tag that is not known"
        return Unreadable(f"not valid YAML: {problem}", mark.line + 1, mark.column + 1)
    reason = getattr(error, "reason", "it cannot be parsed")
    position = getattr(error, "position", 0) or 0
    line = text.count("\n", 0, position) + 1
    return Unreadable(f"not valid YAML: {reason}", line, position - text.rfind("\n", 0, position))


def text_of(data: str | bytes) -> str:
    """The text of a file, without a byte order mark. Raises Unreadable where it is no UTF-8."""
    if isinstance(data, str):
        return data.removeprefix("\ufeff")
    if len(data) > 4 * LARGEST:
        raise Unreadable(f"larger than {LARGEST:,} characters", 1, 1)
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = error.start - (before.rfind(b"\n") + 1) + 1
        raise Unreadable("not valid UTF-8", line, column) from None
