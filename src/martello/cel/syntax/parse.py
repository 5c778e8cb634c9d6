"""The parser: tokens to syntax tree by precedence climbing, with limits, and with every error of a
text at once.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Final

from martello.cel.issues import Issue, SyntaxFault
from martello.cel.syntax.macros import Builder, Macro, path_of
from martello.cel.syntax.nodes import (
    Call,
    Const,
    ListLiteral,
    MapLiteral,
    Node,
    StructLiteral,
)
from martello.cel.syntax.tokens import RESERVED, Token, tokenize
from martello.cel.values import INT_MAX

MAX_POINTS: Final = 100_000
MAX_DEPTH: Final = 250
MAX_ISSUES: Final = 100
MAX_NODES: Final = 50_000

_BINARY: Final = {
    "||": (1, "_||_"),
    "&&": (2, "_&&_"),
    "==": (3, "_==_"),
    "!=": (3, "_!=_"),
    "<": (3, "_<_"),
    "<=": (3, "_<=_"),
    ">": (3, "_>_"),
    ">=": (3, "_>=_"),
    "in": (3, "@in"),
    "+": (4, "_+_"),
    "-": (4, "_-_"),
    "*": (5, "_*_"),
    "/": (5, "_/_"),
    "%": (5, "_%_"),
}
MacroTable = Mapping[tuple[str, int, bool], Macro]


class _Stop(Exception):
    """Parsing cannot go on past this point."""


def parse(text: str, macros: MacroTable, issues: list[Issue], first_id: int = 1) -> Node:
    """The tree of a text; faults are added to `issues`, and then the tree is of no use."""
    if len(text) > MAX_POINTS:
        issues.append(
            Issue("error", f"longer than {MAX_POINTS:,} characters", MAX_POINTS, len(text))
        )
        return Const(0, 0, 0, None)
    tokens = tokenize(text, issues)
    if len(tokens) > 200 and sys.getrecursionlimit() < 4000:
        sys.setrecursionlimit(4000)  # 250 levels need more Python frames than the default allows
    parser = Parser(tokens, macros, issues, Builder(first_id))
    node = parser.whole()
    del issues[MAX_ISSUES:]
    return node


class Parser:
    """One pass over the tokens of a text."""

    def __init__(
        self, tokens: list[Token], macros: MacroTable, issues: list[Issue], builder: Builder
    ) -> None:
        self.tokens = tokens
        self.macros = macros
        self.issues = issues
        self.builder = builder
        self.position = 0
        self.level = 0
        self.height: dict[int, int] = {}
        self.slots: tuple[object, ...] = ()

    def whole(self) -> Node:
        """The expression that the whole text is."""
        try:
            node = self.expression()
            if self.tokens[self.position][0] != "end":
                self.fault("unexpected " + self.shown())
        except _Stop:
            return Const(0, 0, 0, None)
        except SyntaxFault as fault:
            self.issues.append(Issue("error", fault.message, fault.start, fault.end))
            return Const(0, 0, 0, None)
        return node

    # -- errors

    def shown(self) -> str:
        """The token at hand as a message shows it."""
        kind, value = self.tokens[self.position][:2]
        if kind == "end":
            return "end of the expression"
        if kind == "literal":
            return "literal"
        return f"'{value if kind == 'name' else kind}'"

    def fault(self, message: str, token: Token | None = None) -> None:
        """Notes one error at a token."""
        self.issues.append(Issue("error", message, *(token or self.tokens[self.position])[2:]))
        if len(self.issues) >= MAX_ISSUES:
            raise _Stop

    def expect(self, kind: str) -> None:
        """Takes one token of a kind; otherwise notes an error and skips to where it can go on."""
        if self.tokens[self.position][0] == kind:
            self.position += 1
            return
        self.fault(f"expected '{kind}', found {self.shown()}")
        self.recover()
        if self.tokens[self.position][0] == kind:
            self.position += 1

    def recover(self) -> None:
        """Skips to the next comma or closing bracket of this level."""
        depth = 0
        while (kind := self.tokens[self.position][0]) != "end":
            if depth == 0 and kind in (",", ")", "]", "}"):
                return
            depth += (kind in ("(", "[", "{")) - (kind in (")", "]", "}"))
            self.position += 1

    def deeper(self) -> None:
        """Counts one level of nesting."""
        self.level += 1
        if self.level > MAX_DEPTH:
            self.fault(f"nested more than {MAX_DEPTH} levels deep")
            raise _Stop

    # -- expressions

    def expression(self) -> Node:
        """A whole expression: operators, then `? :`."""
        self.deeper()
        node = self.binary(1)
        if self.tokens[self.position][0] == "?":
            self.position += 1
            yes = self.binary(1)
            self.expect(":")
            no = self.expression()
            node = self.call("_?_:_", (node, yes, no), node.start)
        self.level -= 1
        return node

    def binary(self, least: int) -> Node:
        """Operators that bind at least as tight as `least`."""
        left = self.unary()
        while True:
            entry = _BINARY.get(self.tokens[self.position][0])
            if entry is None or entry[0] < least:
                return left
            self.position += 1
            right = self.binary(entry[0] + 1)
            args: tuple[Node, ...] = (left, right)
            if entry[0] <= 2 and isinstance(left, Call) and left.function == entry[1]:
                args = (*left.args, right)
            left = self.call(entry[1], args, left.start)

    def call(self, function: str, args: tuple[Node, ...], start: int) -> Node:
        """An operator's node; its height is limited, so that no later pass runs out of stack."""
        end = self.tokens[self.position - 1][3]
        node = self.builder.at(start, end).call(function, *args)
        self.measure(node, args)
        return node

    def measure(self, node: Node, parts: tuple[Node, ...]) -> None:
        """Notes the height of a node above its leaves."""
        heights = self.height
        height = 1 + max([heights.get(part.id, 0) for part in parts], default=0)
        heights[node.id] = height
        if height > MAX_DEPTH or len(heights) > MAX_NODES:
            self.issues.append(
                Issue("error", f"nested more than {MAX_DEPTH} levels deep", node.start, node.end)
            )
            raise _Stop

    def unary(self) -> Node:
        """`!` and `-`, each any number of times, then a member."""
        kind, _, start, _ = self.tokens[self.position]
        if kind not in ("!", "-"):
            return self.member()
        self.position += 1
        following = self.tokens[self.position]
        if kind == "-" and following[0] == "literal" and type(following[1]) in (int, float):
            self.position += 1
            node = self.builder.at(start, following[3]).const(-following[1])
            return self.postfix(node)
        self.deeper()
        operand = self.unary()
        self.level -= 1
        return self.call("!_" if kind == "!" else "-_", (operand,), start)

    def member(self) -> Node:
        """A primary with its selections, calls and indexes."""
        return self.postfix(self.primary())

    def postfix(self, node: Node) -> Node:
        """Selections, member calls, indexes and struct literals after a node."""
        while True:
            kind = self.tokens[self.position][0]
            if kind == ".":
                node = self.dotted(node)
            elif kind == "[":
                node = self.indexed(node)
            elif kind == "{" and (name := type_name(node)):
                node = self.struct(node, name)
            else:
                return node

    def dotted(self, node: Node) -> Node:
        """`.field`, `.?field` or `.function(…)`."""
        self.position += 1
        optional = self.tokens[self.position][0] == "?"
        self.position += optional
        token = self.tokens[self.position]
        kind, name, _, end = token
        if kind == "in" or kind not in ("name", "quoted", "slot"):
            self.fault(f"expected a field, found {self.shown()}")
            self.recover()
            return node
        self.position += 1
        if kind == "slot":
            name = str(self.slots[name])
        if self.tokens[self.position][0] == "(" and kind == "name" and not optional:
            self.position += 1
            args = self.arguments(")")
            return self.apply(name, node, args, node.start)
        build = self.builder.at(node.start, end)
        if optional:
            picked: Node = build.call("_?._", node, build.const(name))
        else:
            picked = build.select(node, name)
        self.measure(picked, (node,))
        return picked

    def indexed(self, node: Node) -> Node:
        """`[index]` or `[?index]`."""
        self.position += 1
        optional = self.tokens[self.position][0] == "?"
        self.position += optional
        index = self.expression()
        self.expect("]")
        return self.call("_[?_]" if optional else "_[_]", (node, index), node.start)

    def arguments(self, closing: str) -> tuple[Node, ...]:
        """Expressions up to a closing bracket; a trailing comma belongs to list literals only."""
        args: list[Node] = []
        while self.tokens[self.position][0] not in (closing, "end"):
            args.append(self.expression())
            if self.tokens[self.position][0] != ",":
                break
            self.position += 1
            if self.tokens[self.position][0] == closing:
                self.fault("expected an argument after ','")
        self.expect(closing)
        return tuple(args)

    def apply(self, name: str, target: Node | None, args: tuple[Node, ...], start: int) -> Node:
        """A call, expanded when it is a macro's."""
        end = self.tokens[self.position - 1][3]
        build = self.builder.at(start, end)
        macro = self.macros.get((name, len(args), target is not None))
        if macro is None:
            macro = self.macros.get((name, -1, target is not None))
        node: Node | None = None
        if macro is not None:
            try:
                node = macro.expand(target, args, build)
            except SyntaxFault as fault:
                self.issues.append(Issue("error", fault.message, fault.start, fault.end))
                return Const(0, start, end, None)
        if node is None:
            node = build.call(name, *args, target=target)
        self.measure(node, args if target is None else (target, *args))
        return node

    # -- primaries

    def primary(self) -> Node:
        """A literal, a name, a call, a bracketed expression, a list or a map."""
        token = self.tokens[self.position]
        kind, value, start, end = token
        self.position += 1
        if kind == "name":
            return self.named(token)
        if kind == "literal":
            if type(value) is int and value > INT_MAX:
                self.fault("this integer is too large", token)
            return self.builder.at(start, end).const(value)
        if kind == "(":
            node = self.expression()
            self.expect(")")
            return node
        if kind == "[":
            return self.list_literal(start)
        if kind == "{":
            return self.map_literal(start)
        if kind in ("true", "false", "null"):
            return self.builder.at(start, end).const(None if kind == "null" else kind == "true")
        if kind == "." and self.tokens[self.position][0] == "name":
            self.position += 1
            return self.named(self.tokens[self.position - 1], ".", start)
        if kind == "slot":
            node = self.slots[value]  # type: ignore[assignment]
            return self.builder.at(node.start, node.end).copy(node)
        self.position -= 1
        self.fault(f"expected an expression, found {self.shown()}")
        self.recover()
        return Const(0, start, end, None)

    def named(self, token: Token, dot: str = "", start: int = -1) -> Node:
        """An identifier or a global call."""
        _, name, at, end = token
        start = at if start < 0 else start
        if self.tokens[self.position][0] == "(":
            self.position += 1
            return self.apply(dot + name, None, self.arguments(")"), start)
        if name in RESERVED:
            self.fault(f"'{name}' is a reserved word", token)
        return self.builder.at(start, end).ident(dot + name)

    def list_literal(self, start: int) -> Node:
        """`[a, ?b, …]`."""
        elements: list[Node] = []
        optional: set[int] = set()
        while self.tokens[self.position][0] not in ("]", "end"):
            if self.tokens[self.position][0] == "?":
                self.position += 1
                optional.add(len(elements))
            elements.append(self.expression())
            if self.tokens[self.position][0] != ",":
                break
            self.position += 1
        self.expect("]")
        end = self.tokens[self.position - 1][3]
        node = ListLiteral(self.builder.fresh(), start, end, tuple(elements), frozenset(optional))
        self.measure(node, node.elements)
        return node

    def map_literal(self, start: int) -> Node:
        """`{key: value, ?key: value, …}`."""
        entries: list[tuple[Node, Node]] = []
        optional: set[int] = set()
        while self.tokens[self.position][0] not in ("}", "end"):
            if self.tokens[self.position][0] == "?":
                self.position += 1
                optional.add(len(entries))
            key = self.expression()
            self.expect(":")
            entries.append((key, self.expression()))
            if self.tokens[self.position][0] != ",":
                break
            self.position += 1
        self.expect("}")
        end = self.tokens[self.position - 1][3]
        node = MapLiteral(self.builder.fresh(), start, end, tuple(entries), frozenset(optional))
        self.measure(node, tuple(part for entry in entries for part in entry))
        return node

    def struct(self, operand: Node, name: str) -> Node:
        """`Name{field: value, …}`."""
        self.position += 1
        fields: list[tuple[str, Node]] = []
        optional: set[int] = set()
        while self.tokens[self.position][0] not in ("}", "end"):
            if self.tokens[self.position][0] == "?":
                self.position += 1
                optional.add(len(fields))
            kind, field, _, _ = self.tokens[self.position]
            if kind not in ("name", "quoted"):
                self.fault(f"expected a field, found {self.shown()}")
                self.recover()
                break
            self.position += 1
            self.expect(":")
            fields.append((field, self.expression()))
            if self.tokens[self.position][0] != ",":
                break
            self.position += 1
        self.expect("}")
        end = self.tokens[self.position - 1][3]
        node = StructLiteral(
            self.builder.fresh(), operand.start, end, name, tuple(fields), frozenset(optional)
        )
        self.measure(node, tuple(value for _, value in fields))
        return node


def type_name(node: Node) -> str:
    """The dotted name that a chain of selections spells, or the empty string."""
    return ".".join(path_of(node) or ())
