"""Code generation: the syntax tree becomes a Python `ast` of statements and atoms; no text is ever evaluated."""

from __future__ import annotations

import ast
from collections.abc import Callable
from types import CodeType
from typing import Any, Final

from martello.cel.check import Checked
from martello.cel.nodes import (
    Call,
    Comprehension,
    Const,
    Ident,
    ListLiteral,
    MapLiteral,
    Node,
    Select,
    StructLiteral,
    children,
)
from martello.cel.runtime import FILE
from martello.cel.types import BOOL, DYN, Type
from martello.cel.values import UInt

Link = tuple[Any, ...]
_LOAD: Final = ast.Load()
_STORE: Final = ast.Store()
_SPILL: Final = 16
_NEST: Final = 14
_SURE_BOOLS: Final = frozenset(
    ("_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "_&&_", "_||_", "!_", "@in")
)


class Emitter:
    """Turns one checked tree into one Python function; `counted` makes the twin that counts what it costs."""

    def __init__(
        self, checked: Checked, parameters: tuple[str, ...], libraries: Origins, counted: bool
    ) -> None:
        self.checked = checked
        self.libraries = libraries
        self.counted = counted
        self.body: list[ast.stmt] = []
        self.at: dict[str, Any] = {"lineno": 1, "col_offset": 0}
        self.links: dict[Link, str] = {}
        self.locals: dict[int, ast.expr] = {}
        self.lazy: set[int] = set()
        self.variables = {name: f"v{n}" for n, name in enumerate(parameters)}
        self.fresh = len(parameters)
        self.level = 0
        self.blocks = 1
        self.inner = 0
        self.pending = 0
        self.failing: dict[int, bool] = {}
        self.turns: list[Turns] = []

    # -- Python nodes

    def name(self, name: str) -> ast.Name:
        """Reads a local, or a name of the run-time table."""
        return ast.Name(name, _LOAD, **self.at)

    def constant(self, value: Any) -> ast.Constant:
        """A Python constant."""
        return ast.Constant(value, **self.at)

    def invoke(self, function: str, *args: ast.expr) -> ast.expr:
        """Calls a name of the run-time table."""
        return ast.Call(self.name(function), list(args), [], **self.at)

    def method(self, target: ast.expr, name: str, *args: ast.expr) -> ast.expr:
        """Calls one of the few methods that generated code may use."""
        picked = ast.Attribute(target, name, _LOAD, **self.at)
        return ast.Call(picked, list(args), [], **self.at)

    def compare(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> ast.expr:
        """One comparison."""
        return ast.Compare(left, [operator], [right], **self.at)

    def same(self, left: ast.expr, right: Any) -> ast.expr:
        """`left is right`, right a constant or a name of the table."""
        if isinstance(left, ast.Constant):
            return self.constant(left.value is right)
        other = self.name(right) if isinstance(right, str) else self.constant(right)
        return self.compare(left, ast.Is(), other)

    def differs(self, left: ast.expr, right: Any) -> ast.expr:
        """`left is not right`."""
        if isinstance(left, ast.Constant):
            return self.constant(left.value is not right)
        other = self.name(right) if isinstance(right, str) else self.constant(right)
        return self.compare(left, ast.IsNot(), other)

    def typed(self, value: ast.expr, kind: str) -> ast.expr:
        """`type(value) is kind`."""
        return self.compare(self.invoke("type", value), ast.Is(), self.name(kind))

    def choose(self, test: ast.expr, yes: ast.expr, no: ast.expr) -> ast.expr:
        """`yes if test else no`."""
        return ast.IfExp(test, yes, no, **self.at)

    def new(self) -> str:
        """The name of a new local."""
        self.fresh += 1
        return f"v{self.fresh - 1}"

    def assign(self, name: str, value: ast.expr) -> None:
        """`name = value`."""
        target = ast.Name(name, _STORE, **self.at)
        self.body.append(ast.Assign([target], value, **self.at))

    def store(self, value: ast.expr) -> ast.expr:
        """An expression that may be used more than once: the same one if it is an atom, else a local."""
        if isinstance(value, ast.Name | ast.Constant):
            return value
        name = self.new()
        self.assign(name, value)
        return self.name(name)

    def block(self, write: Callable[[], None]) -> list[ast.stmt]:
        """The statements that `write` adds, as a block of their own."""
        self.flush()
        outer, self.body = self.body, []
        write()
        self.flush()
        inside, self.body = self.body, outer
        return inside or [ast.Pass(**self.at)]

    def branch(self, test: ast.expr, yes: list[ast.stmt], no: list[ast.stmt] | None = None) -> None:
        """An `if` statement."""
        self.body.append(ast.If(test, yes, no or [], **self.at))

    def throw(self, error: ast.expr) -> ast.stmt:
        """A `raise` statement."""
        return ast.Raise(error, **self.at)

    def link(self, letter: str, link: Link) -> str:
        """The global name of something that is looked up when the program is loaded."""
        known = self.links.get(link)
        if known is None:
            known = self.links[link] = f"{letter}{len(self.links)}"
        return known

    def by_link(self, name: str) -> Link:
        """What a global name is linked to."""
        return next(link for link, known in self.links.items() if known == name)

    # -- cost

    def charge(self, cost: int) -> None:
        """Adds a constant to the cost of the counted twin."""
        if self.counted:
            self.pending += cost

    def spend(self, cost: ast.expr) -> None:
        """Adds a cost that is known at run time only, and tests the budget."""
        self.flush()
        target = ast.Name("c", _STORE, **self.at)
        self.body.append(ast.AugAssign(target, ast.Add(), cost, **self.at))
        self.limit()

    def limit(self) -> None:
        """Stops when the budget is used up."""
        if self.counted:
            over = self.compare(self.name("c"), ast.Gt(), self.name("b"))
            self.body.append(ast.If(over, [self.throw(self.invoke("stop"))], [], **self.at))

    def flush(self) -> None:
        """Writes the constants charged so far."""
        if self.pending:
            target = ast.Name("c", _STORE, **self.at)
            amount = self.constant(self.pending)
            self.body.append(ast.AugAssign(target, ast.Add(), amount, **self.at))
            self.pending = 0

    # -- CEL nodes

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
        from martello.cel.emit_optionals import optional

        reference = self.checked.references.get(node.id)
        if reference is not None:
            return self.refer(reference)
        if self.type(node.operand).name == "optional_type" and not node.test:
            return optional(self, node)
        if not node.test:
            operand = self.value(node.operand)
            self.charge(1)
            return ast.Subscript(operand, self.constant(node.field), _LOAD, **self.at)
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

    def list(self, node: ListLiteral) -> ast.expr:
        self.charge(10)
        if not node.optional:
            return ast.List([self.value(item) for item in node.elements], _LOAD, **self.at)
        from martello.cel.emit_optionals import opened

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

    def map(self, node: MapLiteral) -> ast.expr:
        self.charge(30)
        names = [k.value for k, _ in node.entries if isinstance(k, Const) and type(k.value) is str]
        if len(set(names)) == len(node.entries) and not node.optional:
            keys: list[ast.expr | None] = [self.constant(name) for name in names]
            return ast.Dict(keys, [self.value(value) for _, value in node.entries], **self.at)
        from martello.cel.emit_optionals import opened

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
        from martello.cel.emit_optionals import opened

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
        from martello.cel.emit_calls import call

        return call(self, node)

    def fold(self, node: Comprehension) -> ast.expr:
        from martello.cel.emit_folds import fold

        return fold(self, node)

    # -- functions

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

    def nested(self, write: Callable[[], ast.expr]) -> str:
        """An inner function that gives the value that `write` writes down; gives its name."""
        self.flush()
        function = self.new()
        blocks, self.blocks = self.blocks, 0
        self.inner += 1

        def whole() -> None:
            if self.counted:
                self.body.append(ast.Nonlocal(["c"], **self.at))
            result = write()
            self.flush()
            self.body.append(ast.Return(result, **self.at))

        inside = self.block(whole)
        self.inner -= 1
        self.blocks = blocks
        self.body.append(_function(function, [], inside, self.at))
        return function

    @property
    def crowded(self) -> bool:
        """True when Python's limit on nested blocks is near."""
        return self.blocks >= _NEST


def _function(
    name: str, parameters: list[str], body: list[ast.stmt], at: dict[str, Any]
) -> ast.stmt:
    arguments = ast.arguments([], [ast.arg(p, **at) for p in parameters], None, [], [], None, [])
    if "type_params" in ast.FunctionDef._fields:
        return ast.FunctionDef(name, arguments, body, [], None, None, [], **at)
    return ast.FunctionDef(name, arguments, body, [], None, None, **at)


def build(
    node: Node,
    checked: Checked,
    parameters: tuple[str, ...],
    libraries: Origins,
    counted: bool = False,
    boolean: bool = False,
) -> tuple[ast.Module, tuple[tuple[str, Link], ...]]:
    """The module that defines the function `f` of a program, and what must be linked into its globals.

    The counted twin takes the budget as its last parameter and gives (value, cost); after an error its cost is told by
    the attribute `cost` of the exception.
    """
    emitter = Emitter(checked, parameters, libraries, counted)
    if counted:
        emitter.assign("c", emitter.constant(0))
    result = emitter.value(node)
    if boolean and not emitter.is_bool(node):
        result = emitter.store(result)
        emitter.at = {"lineno": node.id + 1, "col_offset": 0}
        wrong = [emitter.throw(emitter.invoke("not_bool", result))]
        inner = ast.If(emitter.differs(result, False), wrong, [], **emitter.at)
        emitter.branch(emitter.differs(result, True), [inner])
    emitter.flush()
    if counted:
        result = emitter.store(result)
        emitter.limit()
        result = emitter.pair(result, emitter.name("c"))
    at = emitter.at
    emitter.body.append(ast.Return(result, **at))
    body = emitter.body
    failing: list[ast.stmt] = [emitter.throw(emitter.invoke("fail", emitter.name("x")))]
    if counted:
        failing = [
            ast.Return(
                emitter.pair(emitter.invoke("fail", emitter.name("x")), emitter.name("c")), **at
            )
        ]
    handler = ast.ExceptHandler(emitter.name("E"), "x", failing, **at)
    body = (
        [*body[:1], ast.Try(body[1:], [handler], [], [], **at)]
        if counted
        else [ast.Try(body, [handler], [], [], **at)]
    )
    names = [f"v{n}" for n in range(len(parameters))] + (["b"] if counted else [])
    function = _function("f", names, body, {"lineno": 1, "col_offset": 0})
    return ast.Module([function], []), tuple((name, link) for link, name in emitter.links.items())


def assemble(module: ast.Module) -> CodeType:
    """The code object of a module's one function."""
    whole = compile(module, FILE, "exec", dont_inherit=True, optimize=2)
    return next(item for item in whole.co_consts if isinstance(item, CodeType))


class Turns:
    """The turns of one loop, counted by the counted twin: stopping costs something unless it was the last one."""

    __slots__ = ("emit", "name", "place")

    def __init__(self, emit: Emitter, place: str) -> None:
        self.emit = emit
        self.place = place
        self.name = emit.new()
        if emit.counted:
            emit.assign(self.name, emit.constant(0))

    def next(self) -> None:
        """One more turn."""
        emit = self.emit
        if emit.counted:
            target = ast.Name(self.name, _STORE, **emit.at)
            emit.body.append(ast.AugAssign(target, ast.Add(), emit.constant(1), **emit.at))

    def rest(self, cost: int) -> None:
        """The cost of stopping while there are items left."""
        emit = self.emit
        if emit.counted:
            size = emit.invoke("len", emit.name(self.place))
            left = emit.compare(emit.name(self.name), ast.Lt(), size)
            emit.branch(left, emit.block(lambda: emit.charge(cost)))


class Origins:
    """Which library an overload comes from, and which have overloads of a function; `strict` when scalars have no fields."""

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


_EMITTERS: Final[dict[type, Callable[[Emitter, Any], ast.expr]]] = {
    Const: Emitter.const,
    Ident: Emitter.ident,
    Select: Emitter.select,
    Call: Emitter.call,
    ListLiteral: Emitter.list,
    MapLiteral: Emitter.map,
    StructLiteral: Emitter.struct,
    Comprehension: Emitter.fold,
}


def variables_of(node: Node, checked: Checked) -> tuple[str, ...]:
    """The variables that an expression reads, in order of first use."""
    found: dict[str, None] = {}
    pending = [node]
    while pending:
        item = pending.pop()
        reference = checked.references.get(item.id)
        if reference is not None:
            if reference[0] == "var":
                found[reference[1]] = None
            continue
        pending.extend(reversed(children(item)))
    return tuple(found)
