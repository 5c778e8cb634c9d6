"""CEL's tree as the tree of rules, part by part: what is an atom, a term, a constant.

Atoms have CEL's logic (`null`): where a column is missing, so is the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from martello.cel import re2
from martello.cel.syntax import nodes as cel
from martello.cel.syntax.unparse import unparse
from martello.cel.values import EvalError, UInt
from martello.core.event import COLUMNS
from martello.practices.monitor.engine.ir import (
    FALSE,
    TRUE,
    At,
    Atom,
    Call,
    Column,
    Key,
    Literally,
    Node,
    Over,
    Term,
    Value,
    atoms,
    both,
    either,
    opposite,
)

_ORDER: Final = {"_<_": "<", "_<=_": "<=", "_>_": ">", "_>=_": ">="}
_TURNED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_TEXTS: Final = {"startsWith": "startswith", "endsWith": "endswith", "contains": "contains"}
_FUNCTIONS: Final = {"lowerAscii": "lower", "upperAscii": "upper"}
_LISTS: Final = ("texts", "ints", "bools")
_UNROLLED: Final = 1_000


class _Rowwise(Exception):
    """This part of an expression is no atom."""


def selected(node: cel.Node) -> tuple[str, str] | None:
    """`e.name`, `e["name"]` or `e.?name` as (root, name)."""
    if isinstance(node, cel.Select) and isinstance(node.operand, cel.Ident):
        return node.operand.name, node.field
    if isinstance(node, cel.Call) and node.function in ("_[_]", "_?._", "_[?_]"):
        root, key = node.args
        if isinstance(root, cel.Ident) and isinstance(key, cel.Const) and type(key.value) is str:
            return root.name, key.value
    return None


class Lowering:
    """One `when` with its parameters, on its way into the tree."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.params = params
        self.packed = msgspec.json.encode(params, order="sorted").decode()
        self.bound: dict[str, Any] = {}  # variables of unrolled comprehensions

    # -- logic

    def node(self, node: cel.Node) -> Node:
        """A truth: atoms where it can be, else the part row by row."""
        try:
            return self.lowered(node)
        except _Rowwise:
            if self.bound:
                raise  # the whole comprehension goes row by row
        return self.row(node)

    def row(self, node: cel.Node) -> Node:
        names = sorted({p[1] for n in cel.walk(node) if (p := selected(n)) and p[0] == "e"})
        of = tuple(Column(name) for name in names)
        return Atom(Call("cel", of, (unparse(node), self.packed)), "=", (True,), null=True)

    def lowered(self, node: cel.Node) -> Node:
        if isinstance(node, cel.Const) and isinstance(node.value, bool):
            return TRUE if node.value else FALSE
        if isinstance(node, cel.Call):
            return self.call(node)
        if isinstance(node, cel.Comprehension):
            return self.fold(node)
        if isinstance(node, cel.Select) and node.test:
            return Atom(self.term(_untested(node)), "exists")
        term = self.term(node)
        if _type(term) != "bool":
            raise _Rowwise
        return Atom(term, "=", (True,), null=True)

    def call(self, node: cel.Call) -> Node:
        name, args = node.function, node.args
        if name == "_&&_":
            return both(*self.dear_last(args))
        if name == "_||_":
            return either(*self.dear_last(args))
        if name == "!_":
            return opposite(self.node(args[0]))
        if name in ("_==_", "_!=_"):
            found = self.equal(*args)
            return found if name == "_==_" else opposite(found)
        if name in _ORDER:
            return self.ordered(_ORDER[name], *args)
        if name == "@in":
            return self.member(*args)
        if node.target is not None and len(args) == 1:
            return self.text(name, self.term(node.target), self.constant(args[0]))
        raise _Rowwise

    def dear_last(self, args: tuple[cel.Node, ...]) -> list[Node]:
        """The parts, those that are evaluated row by row behind the others."""
        parts = [self.node(each) for each in args]
        return sorted(parts, key=_by_row)

    # -- atoms

    def equal(self, left: cel.Node, right: cel.Node) -> Node:
        one, other = self.side(left), self.side(right)
        if isinstance(one, Literally):
            one, other = other, one
        if isinstance(one, Literally) or _many(one) or _many(other):
            raise _Rowwise
        if isinstance(other, Literally):
            return Atom(one, "=", (other.value,), null=True)
        return Atom(one, "=", other, null=True)

    def ordered(self, op: str, left: cel.Node, right: cel.Node) -> Node:
        one, other = self.side(left), self.side(right)
        if isinstance(one, Literally):
            one, other, op = other, one, _TURNED[op]
        if not isinstance(other, Literally) or not _alike(_type(one), other.value):
            raise _Rowwise
        return Atom(one, op, (other.value,), null=True)

    def member(self, left: cel.Node, right: cel.Node) -> Node:
        try:
            listed = self.constant(right)
        except _Rowwise:
            return self.among(self.side(left), right)
        one = self.side(left)
        if not isinstance(listed, list) or _many(one):
            raise _Rowwise
        values = tuple(_scalar(each) for each in listed)
        if isinstance(one, Literally):
            return TRUE if one.value in values else FALSE
        return Atom(one, "in", values, null=True)

    def among(self, one: Term, right: cel.Node) -> Node:
        """`x in e.list`, `"key" in e.map`."""
        term = self.term(right)
        if not isinstance(term, Column):
            raise _Rowwise
        if isinstance(one, Literally):
            if COLUMNS[term.name].type == "map" and isinstance(one.value, str):
                return Atom(Key(term, one.value), "exists")
            if _many(term):
                return Atom(term, "=", (one.value,), "any", null=True)
            raise _Rowwise
        if not _many(term) or _many(one):
            raise _Rowwise
        return Atom(one, "in", term, null=True)

    def text(self, name: str, term: Term, operand: Any, over: Over = "one") -> Node:
        if not isinstance(operand, str) or _type(term) not in ("text", "texts"):
            raise _Rowwise
        if name in _TEXTS:
            return Atom(term, _TEXTS[name], (operand,), over, null=True)
        if name != "matches":
            raise _Rowwise
        try:
            re2.compile(operand)
        except EvalError:
            raise _Rowwise from None
        return Atom(term, "matches", (operand,), over, null=True)

    # -- exists and all

    def fold(self, node: cel.Comprehension) -> Node:
        if node.kind not in ("exists", "all") or len(node.variables) != 1 or node.filter:
            raise _Rowwise
        join = either if node.kind == "exists" else both
        try:
            listed = self.constant(node.source)
        except _Rowwise:
            return self.elements(node, self.term(node.source), join)
        if not isinstance(listed, list) or len(listed) > _UNROLLED:
            raise _Rowwise
        name, before = node.variables[0], dict(self.bound)
        parts = []
        try:
            for each in listed:
                self.bound[name] = each
                parts.append(self.node(node.body))
        finally:
            self.bound = before
        return _joined(parts, join)

    def elements(self, node: cel.Comprehension, term: Term, join: Callable[..., Node]) -> Node:
        """A condition of the elements of a list column: one atom for each comparison, where
        `exists` goes into `||`, and `all` into `&&`.
        """
        if not isinstance(term, Column) or not _many(term):
            raise _Rowwise
        over: Over = "any" if node.kind == "exists" else "all"
        return self.element(node.body, node.variables[0], term, over, join)

    def element(
        self, body: cel.Node, name: str, term: Column, over: Over, join: Callable[..., Node]
    ) -> Node:
        if not isinstance(body, cel.Call):
            raise _Rowwise
        args, function = body.args, body.function
        if function == ("_||_" if over == "any" else "_&&_"):
            return join(*(self.element(each, name, term, over, join) for each in args))
        if body.target is not None and _is(body.target, name) and len(args) == 1:
            return self.text(function, term, self.constant(args[0]), over)
        if len(args) != 2:
            raise _Rowwise
        left, right = args
        op = {"_==_": "=", "_!=_": "!=", **_ORDER}.get(function, "")
        if function == "@in" and _is(left, name):
            listed = self.constant(right)
            if not isinstance(listed, list):
                raise _Rowwise
            return Atom(term, "in", tuple(map(_scalar, listed)), over, null=True)
        if _is(right, name) and not _is(left, name):
            left, right, op = right, left, _TURNED.get(op, op)
        if not op or not _is(left, name):
            raise _Rowwise
        value = _scalar(self.constant(right))
        if not _alike(_type(term).removesuffix("s"), value):
            raise _Rowwise
        return Atom(term, op, (value,), over, null=True)

    # -- terms and constants

    def side(self, node: cel.Node) -> Term:
        """A constant or a term."""
        try:
            value = self.constant(node)
        except _Rowwise:
            return self.term(node)
        return Literally(_scalar(value))

    def constant(self, node: cel.Node) -> Any:
        """The value of what does not depend on the event: literals, parameters, lists of them."""
        if isinstance(node, cel.Const):
            if isinstance(node.value, UInt):
                raise _Rowwise  # numbers of columns are signed
            return node.value
        if isinstance(node, cel.Ident) and node.name in self.bound:
            return self.bound[node.name]
        if isinstance(node, cel.ListLiteral) and not node.optional:
            return [self.constant(each) for each in node.elements]
        if isinstance(node, cel.Call) and node.function == "_+_":
            one, other = map(self.constant, node.args)
            if isinstance(one, str) and isinstance(other, str):
                return one + other
        path = selected(node)
        if path is not None and path[0] == "params" and not isinstance(node, cel.Call):
            return self.params[path[1]]
        raise _Rowwise

    def term(self, node: cel.Node) -> Term:
        """What a part of an expression is of an event."""
        if isinstance(node, cel.Call) and node.function == "_[_]":
            return self.index(node)
        path = selected(node)
        if path is not None and path[0] == "e" and not getattr(node, "test", False):
            return Column(path[1])
        if isinstance(node, cel.Select):
            raise _Rowwise
        if isinstance(node, cel.Call):
            of = node.target if node.target is not None else node.args[0] if node.args else None
            if of is not None and len(node.args) == (0 if node.target is not None else 1):
                return self.function(node.function, self.term(of))
        raise _Rowwise

    def index(self, node: cel.Call) -> Term:
        path = selected(node)
        if path is not None and path[0] == "e":
            return Column(path[1])
        of, key = self.term(node.args[0]), self.constant(node.args[1])
        if isinstance(key, str) and _type(of) == "map":
            return Key(of, key)
        if type(key) is int and key >= 0 and _many(of):
            return At(of, key)
        raise _Rowwise

    def function(self, name: str, of: Term) -> Term:
        kind = _type(of)
        if name in _FUNCTIONS and kind == "text":
            return Call(_FUNCTIONS[name], (of,))
        if name == "size" and kind in ("text", *_LISTS):
            return Call("length", (of,))
        if name == "string" and kind in ("text", "int"):
            return Call("text", (of,)) if kind == "int" else of
        raise _Rowwise


def _by_row(node: Node) -> bool:
    return any(isinstance(each.term, Call) and each.term.name == "cel" for each in atoms(node))


def _untested(node: cel.Select) -> cel.Node:
    return cel.Select(node.id, node.start, node.end, node.operand, node.field)


def _is(node: cel.Node, name: str) -> bool:
    return isinstance(node, cel.Ident) and node.name == name


def _scalar(value: Any) -> Value:
    if isinstance(value, str | bool | int | float) and not isinstance(value, UInt):
        return value
    raise _Rowwise


def _type(term: Term) -> str:
    """text, int, bool, map, texts, ints, bools, or empty where it is not known."""
    if isinstance(term, Column):
        kind = COLUMNS[term.name].type
        return "int" if kind == "time" else kind
    if isinstance(term, At):
        return _type(term.of).removesuffix("s")
    if isinstance(term, Key):
        return "text"
    if isinstance(term, Call):
        return "int" if term.name == "length" else "text"
    return ""


def _many(term: Term) -> bool:
    return _type(term) in _LISTS


def _alike(kind: str, value: Value) -> bool:
    """Whether a value can be compared by order with a term: else CEL gives an error."""
    if isinstance(value, bool):
        return kind == "bool"
    return kind == ("text" if isinstance(value, str) else "int")


def _joined(parts: list[Node], join: Callable[..., Node]) -> Node:
    """The parts joined; comparisons of one term by one operator become one atom."""
    first = parts[0] if parts else None
    if isinstance(first, Atom) and isinstance(first.operand, tuple) and len(first.operand) == 1:
        same = msgspec.structs.replace
        if first.over == "one" and all(
            isinstance(each, Atom)
            and isinstance(each.operand, tuple)
            and len(each.operand) == 1
            and same(each, operand=first.operand) == first
            for each in parts
        ):
            values = tuple(each.operand[0] for each in parts)  # type: ignore[union-attr, index]
            over: Over = "anyof" if join is either else "allof"
            return same(first, operand=values, over=over) if len(values) > 1 else first
    return join(*parts)
