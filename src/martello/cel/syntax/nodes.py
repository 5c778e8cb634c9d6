"""The syntax tree of an expression: eight kinds of node, each with an id and a span of the text."""

from __future__ import annotations

from typing import Any


class Node:
    """One node; `start` and `end` count code points of the source text, `id` is unique within a
    program.
    """

    __slots__ = ("end", "id", "start")

    id: int
    start: int
    end: int

    def __init__(self, id: int, start: int, end: int) -> None:
        self.id = id
        self.start = start
        self.end = end


class Const(Node):
    """A literal: null, bool, int, UInt, float, str or bytes."""

    __slots__ = ("value",)

    def __init__(self, id: int, start: int, end: int, value: Any) -> None:
        self.id = id
        self.start = start
        self.end = end
        self.value = value


class Ident(Node):
    """A name; with a leading dot it is searched in the root scope, past the variables of macros."""

    __slots__ = ("name",)

    def __init__(self, id: int, start: int, end: int, name: str) -> None:
        self.id = id
        self.start = start
        self.end = end
        self.name = name


class Select(Node):
    """`operand.field`, or `has(operand.field)` when `test`."""

    __slots__ = ("field", "operand", "test")

    def __init__(
        self, id: int, start: int, end: int, operand: Node, field: str, test: bool = False
    ) -> None:
        self.id = id
        self.start = start
        self.end = end
        self.operand = operand
        self.field = field
        self.test = test


class Call(Node):
    """A function or operator; `_&&_` and `_||_` take two operands or more."""

    __slots__ = ("args", "function", "target")

    def __init__(
        self,
        id: int,
        start: int,
        end: int,
        function: str,
        args: tuple[Node, ...],
        target: Node | None = None,
    ) -> None:
        self.id = id
        self.start = start
        self.end = end
        self.function = function
        self.args = args
        self.target = target


class ListLiteral(Node):
    """`[a, ?b]`; `optional` holds the indexes of the elements with a question mark."""

    __slots__ = ("elements", "optional")

    def __init__(
        self,
        id: int,
        start: int,
        end: int,
        elements: tuple[Node, ...],
        optional: frozenset[int] = frozenset(),
    ) -> None:
        self.id = id
        self.start = start
        self.end = end
        self.elements = elements
        self.optional = optional


class MapLiteral(Node):
    """`{k: v, ?k2: v2}`: keys, values, and which entries carry a question mark."""

    __slots__ = ("entries", "optional")

    def __init__(
        self,
        id: int,
        start: int,
        end: int,
        entries: tuple[tuple[Node, Node], ...],
        optional: frozenset[int] = frozenset(),
    ) -> None:
        self.id = id
        self.start = start
        self.end = end
        self.entries = entries
        self.optional = optional


class StructLiteral(Node):
    """`Object.spec{replicas: 1}`: a type's name and its fields."""

    __slots__ = ("fields", "name", "optional")

    def __init__(
        self,
        id: int,
        start: int,
        end: int,
        name: str,
        fields: tuple[tuple[str, Node], ...],
        optional: frozenset[int] = frozenset(),
    ) -> None:
        self.id = id
        self.start = start
        self.end = end
        self.name = name
        self.fields = fields
        self.optional = optional


class Comprehension(Node):
    """A form that binds names: `source.kind(variables…, [filter,] body)`, `cel.bind` and `optMap`
    among them.

    `kind` is one of all, exists, exists_one, map, filter, transformList, transformMap,
    transformMapEntry, bind, optMap, optFlatMap. With one variable over a map it walks the
    keys; with two it gets (index, value) or (key, value).
    """

    __slots__ = ("body", "filter", "kind", "source", "spelling", "variables")

    def __init__(
        self,
        id: int,
        start: int,
        end: int,
        kind: str,
        source: Node,
        variables: tuple[str, ...],
        body: Node,
        filter: Node | None = None,
        spelling: str = "",
    ) -> None:
        self.id = id
        self.start = start
        self.end = end
        self.kind = kind
        self.source = source
        self.variables = variables
        self.body = body
        self.filter = filter
        self.spelling = spelling or kind


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly beneath one, in the order of the text."""
    if isinstance(node, Select):
        return (node.operand,)
    if isinstance(node, Call):
        return node.args if node.target is None else (node.target, *node.args)
    if isinstance(node, ListLiteral):
        return node.elements
    if isinstance(node, MapLiteral):
        return tuple(part for entry in node.entries for part in entry)
    if isinstance(node, StructLiteral):
        return tuple(value for _, value in node.fields)
    if isinstance(node, Comprehension):
        filters = () if node.filter is None else (node.filter,)
        return (node.source, *filters, node.body)
    return ()


def shape(node: Node) -> Any:
    """A node as nested tuples without ids and spans: two expressions are the same when their
    shapes are equal.
    """
    if isinstance(node, Const):
        return ("const", type(node.value).__name__, repr(node.value))
    parts = tuple(shape(child) for child in children(node))
    if isinstance(node, Ident):
        return ("ident", node.name)
    if isinstance(node, Select):
        return ("select", node.field, node.test, parts)
    if isinstance(node, Call):
        return ("call", node.function, node.target is not None, parts)
    if isinstance(node, StructLiteral):
        return ("struct", node.name, tuple(name for name, _ in node.fields), node.optional, parts)
    if isinstance(node, Comprehension):
        return ("fold", node.kind, node.variables, node.filter is not None, parts)
    optional = node.optional if isinstance(node, ListLiteral | MapLiteral) else None
    return (type(node).__name__, optional, parts)


def walk(node: Node) -> list[Node]:
    """The node and everything beneath it."""
    found = [node]
    for item in found:
        found.extend(children(item))
    return found
