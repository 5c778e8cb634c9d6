"""Code generation: the syntax tree becomes a Python `ast` of statements and atoms; no text is ever
evaluated.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, Final

from martello.cel.check.checker import Checked
from martello.cel.emit.writer import Writer
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
from martello.cel.types import BOOL, DYN, Type
from martello.cel.values import UInt

_LOAD: Final = ast.Load()
_SPILL: Final = 16
_SURE_BOOLS: Final = frozenset(
    ("_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "_&&_", "_||_", "!_", "@in")
)


class Origins:
    """Which library an overload comes from, and which have overloads of a function; `strict` when
    scalars have no fields.
    """

    __slots__ = ("by_function", "by_overload", "strict")

    def __init__(
        self,
        by_overload: dict[str, str],
        by_function: dict[tuple[str, bool], tuple[str, ...]],
        strict: bool,
    ) -> None:
        self.by_overload = by_overload
        self.by_function = by_function
        self.strict = strict


class Emitter(Writer):
    """Turns one checked tree into one Python function; `counted` makes the twin that counts what
    it costs.
    """

    def __init__(
        self, checked: Checked, parameters: tuple[str, ...], libraries: Origins, counted: bool
    ) -> None:
        super().__init__(len(parameters), counted)
        self.checked = checked
        self.libraries = libraries
        self.locals: dict[int, ast.expr] = {}
        self.lazy: set[int] = set()
        self.variables = {name: f"v{n}" for n, name in enumerate(parameters)}
        self.level = 0
        self.failing: dict[int, bool] = {}

    def value(self, node: Node) -> ast.expr:
        """The value of a node, as an expression to be used exactly once."""
        outer, self.at = self.at, {"lineno": node.id + 1, "col_offset": 0}
        self.level += 1
        made = _EMITTERS[type(node)](self, node)
        if self.level % _SPILL == 0:
            made = self.store(made)
        self.level -= 1
        self.at = outer
        return made

    def atom(self, node: Node) -> ast.expr:
        """The value of a node, as an expression that may be used any number of times."""
        return self.store(self.value(node))

    def type(self, node: Node) -> Type:
        """The static type of a node."""
        return self.checked.types.get(node.id, DYN)

    def is_bool(self, node: Node) -> bool:
        """True when a node's value is a Python bool whenever it has one."""
        if isinstance(node, Const):
            return type(node.value) is bool
        if isinstance(node, Select):
            return node.test
        if isinstance(node, Comprehension):
            return node.kind in ("all", "exists", "exists_one")
        if isinstance(node, Call):
            if node.function in _SURE_BOOLS:
                return True
            overloads = self.checked.overloads.get(node.id, ())
            return bool(overloads) and all(one.result == BOOL for one in overloads)
        return False

    def can_fail(self, node: Node) -> bool:
        """False when evaluating a node cannot raise."""
        known = self.failing.get(node.id)
        if known is None:
            known = self.failing[node.id] = self._can_fail(node)
        return known

    def _can_fail(self, node: Node) -> bool:
        if self.counted and not isinstance(node, Const | Ident):
            return True
        if isinstance(node, Const):
            return False
        if isinstance(node, Ident):
            reference = self.checked.references.get(node.id)
            return reference is None or (reference[0] == "local" and reference[2] in self.lazy)
        if isinstance(node, ListLiteral) and not node.optional:
            return any(map(self.can_fail, node.elements))
        if isinstance(node, Call):
            safe = node.function in ("_==_", "_!=_") or (
                node.function in ("_&&_", "_||_", "!_") and all(map(self.is_bool, node.args))
            )
            return not safe or any(map(self.can_fail, node.args))
        return True

    def select(self, node: Select) -> ast.expr:
        from martello.cel.emit.optionals import optional

        reference = self.checked.references.get(node.id)
        if reference is not None:
            return self.refer(reference)
        if self.type(node.operand).name == "optional_type" and not node.test:
            return optional(self, node)
        if not node.test:
            operand = self.value(node.operand)
            self.charge(1)
            return self.item(operand, self.constant(node.field))
        operand = self.atom(node.operand)
        field = self.constant(node.field)
        quick = self.compare(field, ast.In(), operand)
        slow = self.invoke("has_strictly" if self.libraries.strict else "has", operand, field)
        return self.choose(self.typed(operand, "dict"), quick, slow)

    def ident(self, node: Ident) -> ast.expr:
        reference = self.checked.references.get(node.id)
        if reference is None:
            return self.invoke(self.link("m", ("missing",)))
        return self.refer(reference)

    def refer(self, reference: tuple[str, str, int]) -> ast.expr:
        """A variable, a macro's variable, or a type."""
        kind, name, key = reference
        self.charge(1)
        if kind == "type":
            return self.name(self.link("t", ("type", name)))
        if kind == "var":
            return self.name(self.variables[name])
        place = self.locals[key]
        if key in self.lazy:
            return ast.Call(place, [], [], **self.at)
        return place

    def const(self, node: Const) -> ast.expr:
        if type(node.value) is UInt:
            return self.name(self.link("k", ("uint", int(node.value))))
        return self.constant(node.value)

    def list_literal(self, node: ListLiteral) -> ast.expr:
        self.charge(10)
        if not node.optional:
            return ast.List([self.value(item) for item in node.elements], _LOAD, **self.at)
        from martello.cel.emit.optionals import opened

        made = self.new()
        self.assign(made, ast.List([], _LOAD, **self.at))
        for index, item in enumerate(node.elements):
            if index not in node.optional:
                self.append(made, self.value(item))
                continue
            value = self.store(opened(self, item, strictly=True))
            inside = self.block(lambda value=value: self.append(made, value))  # type: ignore[misc]
            self.branch(self.differs(value, "ABSENT"), inside)
        return self.name(made)

    def append(self, made: str, value: ast.expr) -> None:
        """`made.append(value)`."""
        self.body.append(ast.Expr(self.method(self.name(made), "append", value), **self.at))

    def map_literal(self, node: MapLiteral) -> ast.expr:
        self.charge(30)
        names = [k.value for k, _ in node.entries if isinstance(k, Const) and type(k.value) is str]
        if len(set(names)) == len(node.entries) and not node.optional:
            keys: list[ast.expr | None] = [self.constant(name) for name in names]
            return ast.Dict(keys, [self.value(value) for _, value in node.entries], **self.at)
        from martello.cel.emit.optionals import opened

        made = self.new()
        self.assign(made, ast.List([], _LOAD, **self.at))
        for index, (key, item) in enumerate(node.entries):
            name = self.atom(key)
            if index not in node.optional:
                self.append(made, self.pair(name, self.value(item)))
                continue
            value = self.store(opened(self, item, strictly=True))
            inside = self.block(
                lambda name=name, value=value: self.append(made, self.pair(name, value))  # type: ignore[misc]
            )
            self.branch(self.differs(value, "ABSENT"), inside)
        return self.invoke("mapping", self.name(made))

    def pair(self, left: ast.expr, right: ast.expr) -> ast.expr:
        """A tuple of two."""
        return ast.Tuple([left, right], _LOAD, **self.at)

    def struct(self, node: StructLiteral) -> ast.expr:
        from martello.cel.emit.optionals import opened

        self.charge(40)
        made = self.new()
        self.assign(made, ast.List([], _LOAD, **self.at))
        for index, (field, item) in enumerate(node.fields):
            name = self.constant(field)
            if index not in node.optional:
                self.append(made, self.pair(name, self.value(item)))
                continue
            value = self.store(opened(self, item, strictly=True))
            inside = self.block(
                lambda name=name, value=value: self.append(made, self.pair(name, value))  # type: ignore[misc]
            )
            self.branch(self.differs(value, "ABSENT"), inside)
        fields = self.invoke("mapping", self.name(made))
        return self.invoke("Struct", self.constant(node.name), fields)

    def call(self, node: Call) -> ast.expr:
        from martello.cel.emit.calls import call

        return call(self, node)

    def fold(self, node: Comprehension) -> ast.expr:
        from martello.cel.emit.folds import fold

        return fold(self, node)

    def guarded(self, name: str, node: Node) -> None:
        """`name = node`, where an error becomes the value instead of being raised."""
        if not self.can_fail(node):
            self.assign(name, self.value(node))
            return
        self.blocks += 1
        inside = self.block(lambda: self.assign(name, self.value(node)))
        self.blocks -= 1
        error = self.new()
        handler = ast.ExceptHandler(
            self.name("E"), error, self.block(lambda: self.caught(name, error)), **self.at
        )
        self.body.append(ast.Try(inside, [handler], [], [], **self.at))

    def caught(self, name: str, error: str) -> None:
        """`name = fail(error)`; a used-up budget is not absorbed."""
        self.assign(name, self.invoke("fail", self.name(error)))
        self.limit()


_EMITTERS: Final[dict[type, Callable[[Emitter, Any], ast.expr]]] = {
    Const: Emitter.const,
    Ident: Emitter.ident,
    Select: Emitter.select,
    Call: Emitter.call,
    ListLiteral: Emitter.list_literal,
    MapLiteral: Emitter.map_literal,
    StructLiteral: Emitter.struct,
    Comprehension: Emitter.fold,
}
