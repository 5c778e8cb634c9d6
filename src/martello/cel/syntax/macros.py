"""Macros: calls that the parser expands into other nodes, and the builder that expansions are
written with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from martello.cel.issues import BadInput, Issue, SyntaxFault
from martello.cel.syntax.nodes import (
    Call,
    Comprehension,
    Const,
    Ident,
    ListLiteral,
    MapLiteral,
    Node,
    Select,
    StructLiteral,
)

MAX_NODES: Final = 200_000
Expand = Callable[[Node | None, tuple[Node, ...], "Builder"], Node | None]


class Macro:
    """A call that expands at parse time: `expand(target, arguments, builder)` gives the node, or
    None to leave the call alone.

    `arity` counts the arguments without the receiver; -1 takes any number. `since` is the
    Kubernetes minor version that introduced it.
    """

    __slots__ = ("arity", "expand", "member", "name", "since")

    def __init__(self, name: str, arity: int, member: bool, expand: Expand, since: int = 0) -> None:
        self.name = name
        self.arity = arity
        self.member = member
        self.expand = expand
        self.since = since


class Builder:
    """Makes nodes with fresh ids; `at` sets the span of those that follow."""

    __slots__ = ("_counter", "end", "start")

    def __init__(self, first_id: int = 1) -> None:
        self._counter = first_id
        self.start = 0
        self.end = 0

    def at(self, start: int, end: int) -> Builder:
        """The same builder; nodes made from now on span this piece of the text."""
        self.start = start
        self.end = end
        return self

    def fresh(self) -> int:
        """The next node id; macros that multiply their arguments end here."""
        if self._counter > MAX_NODES:
            raise SyntaxFault("expands to more than a program can hold", self.start, self.end)
        self._counter += 1
        return self._counter - 1

    def const(self, value: Any) -> Const:
        """A literal."""
        return Const(self.fresh(), self.start, self.end, value)

    def ident(self, name: str) -> Ident:
        """A name."""
        return Ident(self.fresh(), self.start, self.end, name)

    def select(self, operand: Node, field: str, test: bool = False) -> Select:
        """`operand.field`, or `has(operand.field)`."""
        return Select(self.fresh(), self.start, self.end, operand, field, test)

    def optional(self, operand: Node, *fields: str) -> Node:
        """`operand.?first.?second…`."""
        for field in fields:
            operand = self.call("_?._", operand, self.const(field))
        return operand

    def call(self, function: str, *args: Node, target: Node | None = None) -> Call:
        """A function or operator applied to nodes."""
        return Call(self.fresh(), self.start, self.end, function, args, target)

    def list_of(self, elements: Iterable[Node]) -> ListLiteral:
        """A list literal."""
        return ListLiteral(self.fresh(), self.start, self.end, tuple(elements))

    def fold(
        self,
        kind: str,
        source: Node,
        variables: tuple[str, ...],
        body: Node,
        filter: Node | None = None,
        spelling: str = "",
    ) -> Comprehension:
        """A form that binds names."""
        return Comprehension(
            self.fresh(), self.start, self.end, kind, source, variables, body, filter, spelling
        )

    def copy(self, node: Node) -> Node:
        """The node and all beneath it with fresh ids; spans stay."""
        span = (self.fresh(), node.start, node.end)
        if isinstance(node, Const):
            return Const(*span, node.value)
        if isinstance(node, Ident):
            return Ident(*span, node.name)
        if isinstance(node, Select):
            return Select(*span, self.copy(node.operand), node.field, node.test)
        if isinstance(node, Call):
            target = None if node.target is None else self.copy(node.target)
            return Call(*span, node.function, tuple(map(self.copy, node.args)), target)
        if isinstance(node, ListLiteral):
            return ListLiteral(*span, tuple(map(self.copy, node.elements)), node.optional)
        if isinstance(node, MapLiteral):
            entries = tuple((self.copy(key), self.copy(value)) for key, value in node.entries)
            return MapLiteral(*span, entries, node.optional)
        if isinstance(node, StructLiteral):
            fields = tuple((name, self.copy(value)) for name, value in node.fields)
            return StructLiteral(*span, node.name, fields, node.optional)
        if isinstance(node, Comprehension):
            keep = None if node.filter is None else self.copy(node.filter)
            source, body = self.copy(node.source), self.copy(node.body)
            return Comprehension(
                *span, node.kind, source, node.variables, body, keep, node.spelling
            )
        raise TypeError(type(node).__name__)

    def template(self, text: str, *slots: Node | str) -> Node:
        """CEL text with `$0`, `$1`… put in: nodes where an expression stands, strings where a
        field name does (`.?$1`).

        Standard macros work inside; the text is the caller's own, so a mistake in it is a
        `BadInput`.
        """
        from martello.cel.syntax.parse import Parser
        from martello.cel.syntax.tokens import tokenize

        issues: list[Issue] = []
        start, end = self.start, self.end
        parser = Parser(tokenize(text, issues, slots=True), TEMPLATE, issues, self)
        parser.slots = slots
        node = parser.whole()
        self.at(start, end).fresh()
        if issues:
            raise BadInput(f"template {text!r}: {issues[0].text}")
        node.start, node.end = start, end
        return node


def path_of(node: Node) -> tuple[str, ...] | None:
    """`securityContext.runAsUser` as its names, or None when the node is no plain path."""
    if isinstance(node, Ident):
        return (node.name,)
    if isinstance(node, Select) and not node.test:
        prefix = path_of(node.operand)
        return None if prefix is None else (*prefix, node.field)
    return None


def variable(node: Node) -> str:
    """The name that a macro's argument binds; anything but a plain name is a fault."""
    if isinstance(node, Ident) and not node.name.startswith("."):
        return node.name
    if isinstance(node, Call) and node.target is not None and path_of(node.target) == ("cel",):
        numbers = [arg.value for arg in node.args if isinstance(arg, Const)]
        if node.function in ("iterVar", "accuVar") and len(numbers) == 2:
            return f"@{node.function}:{numbers[0]}:{numbers[1]}"
    raise SyntaxFault("the variable of a macro must be a plain name", node.start, node.end)


def _has(target: Node | None, args: tuple[Node, ...], build: Builder) -> Node:
    (node,) = args
    if not isinstance(node, Select) or node.test:
        raise SyntaxFault("has() takes a field selection such as has(a.b)", node.start, node.end)
    return build.select(node.operand, node.field, test=True)


def _fold(kind: str, names: int, filtered: bool = False) -> Expand:
    def expand(target: Node | None, args: tuple[Node, ...], build: Builder) -> Node:
        assert target is not None
        variables = tuple(map(variable, args[:names]))
        if len(set(variables)) < names:
            raise SyntaxFault("two variables of the same name", args[1].start, args[1].end)
        keep = args[names] if filtered else None
        return build.fold(kind, target, variables, args[-1], keep)

    return expand


def _filter(target: Node | None, args: tuple[Node, ...], build: Builder) -> Node:
    assert target is not None
    return build.fold("filter", target, (variable(args[0]),), args[1])


def _in_cel(target: Node | None) -> bool:
    return isinstance(target, Ident) and target.name == "cel"


def _bind(target: Node | None, args: tuple[Node, ...], build: Builder) -> Node | None:
    if not _in_cel(target):
        return None
    return build.fold("bind", args[1], (variable(args[0]),), args[2])


def _block(target: Node | None, args: tuple[Node, ...], build: Builder) -> Node | None:
    if not _in_cel(target) or not isinstance(args[0], ListLiteral):
        return None
    node = args[1]
    last = len(args[0].elements) - 1
    for number, element in enumerate(reversed(args[0].elements)):
        if last - number in args[0].optional:
            element = build.call("@present", element)
        node = build.fold("bind", element, (f"@index:{last - number}",), node)
    return node


def _index(target: Node | None, args: tuple[Node, ...], build: Builder) -> Node | None:
    if not _in_cel(target) or not isinstance(args[0], Const):
        return None
    return build.ident(f"@index:{args[0].value}")


def _iteration(name: str) -> Expand:
    def expand(target: Node | None, args: tuple[Node, ...], build: Builder) -> Node | None:
        if not _in_cel(target):
            return None
        return build.ident(variable(build.call(name, *args, target=target)))

    return expand


def _sort_by(target: Node | None, args: tuple[Node, ...], build: Builder) -> Node:
    assert target is not None
    name = "@sorted:0:0"
    keys = build.fold("map", build.ident(name), (variable(args[0]),), args[1])
    ordered = build.call("@sortByAssociatedKeys", keys, target=build.ident(name))
    return build.fold("bind", target, (name,), ordered, spelling="sortBy")


STANDARD: Final = (
    Macro("has", 1, False, _has),
    Macro("all", 2, True, _fold("all", 1)),
    Macro("exists", 2, True, _fold("exists", 1)),
    Macro("exists_one", 2, True, _fold("exists_one", 1)),
    Macro("map", 2, True, _fold("map", 1)),
    Macro("map", 3, True, _fold("map", 1, filtered=True)),
    Macro("filter", 2, True, _filter),
)
OPTIONAL: Final = (
    Macro("optMap", 2, True, _fold("optMap", 1), since=28),
    Macro("optFlatMap", 2, True, _fold("optFlatMap", 1), since=28),
)
ONE: Final = (Macro("existsOne", 2, True, _fold("exists_one", 1), since=32),)
TWO_VARIABLES: Final = (
    *ONE,
    Macro("all", 3, True, _fold("all", 2), since=32),
    Macro("exists", 3, True, _fold("exists", 2), since=32),
    Macro("existsOne", 3, True, _fold("exists_one", 2), since=32),
    Macro("exists_one", 3, True, _fold("exists_one", 2), since=32),
    Macro("transformList", 3, True, _fold("transformList", 2), since=32),
    Macro("transformList", 4, True, _fold("transformList", 2, filtered=True), since=32),
    Macro("transformMap", 3, True, _fold("transformMap", 2), since=32),
    Macro("transformMap", 4, True, _fold("transformMap", 2, filtered=True), since=32),
    Macro("transformMapEntry", 3, True, _fold("transformMapEntry", 2), since=32),
    Macro("transformMapEntry", 4, True, _fold("transformMapEntry", 2, filtered=True), since=32),
)
SORT: Final = (Macro("sortBy", 2, True, _sort_by, since=34),)
BIND: Final = (Macro("bind", 3, True, _bind),)
BLOCK: Final = (
    Macro("block", 2, True, _block),
    Macro("index", 1, True, _index),
    Macro("iterVar", 2, True, _iteration("iterVar")),
    Macro("accuVar", 2, True, _iteration("accuVar")),
)
TEMPLATE: Final = {(m.name, m.arity, m.member): m for m in (*STANDARD, *OPTIONAL, *BIND)}
