"""Writes Python: `ast` nodes, statements in blocks, inner functions, and the statements that count
cost.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, Final

Link = tuple[Any, ...]
_LOAD: Final = ast.Load()
_STORE: Final = ast.Store()
_NEST: Final = 14


class Writer:
    """The body of one Python function as it grows; `counted` makes it count what it costs."""

    def __init__(self, parameters: int, counted: bool) -> None:
        self.counted = counted
        self.body: list[ast.stmt] = []
        self.at: dict[str, Any] = {"lineno": 1, "col_offset": 0}
        self.links: dict[Link, str] = {}
        self.fresh = parameters
        self.blocks = 1
        self.pending = 0
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

    def item(self, holder: ast.expr, key: ast.expr) -> ast.expr:
        """`holder[key]`; a display becomes a local first, as Python warns about some of them."""
        if not isinstance(holder, ast.Name | ast.Subscript | ast.Call):
            name = self.new()
            self.assign(name, holder)
            holder = self.name(name)
        return ast.Subscript(holder, key, _LOAD, **self.at)

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
        """An expression that may be used more than once: the same one if it is an atom, else a
        local.
        """
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

    # -- inner functions

    def nested(self, write: Callable[[], ast.expr]) -> str:
        """An inner function that gives the value that `write` writes down; gives its name."""
        self.flush()
        function = self.new()
        blocks, self.blocks = self.blocks, 0

        def whole() -> None:
            if self.counted:
                self.body.append(ast.Nonlocal(["c"], **self.at))
            result = write()
            self.flush()
            self.body.append(ast.Return(result, **self.at))

        inside = self.block(whole)
        self.blocks = blocks
        self.body.append(define(function, [], inside, self.at))
        return function

    @property
    def crowded(self) -> bool:
        """True when Python's limit on nested blocks is near."""
        return self.blocks >= _NEST


def define(name: str, parameters: list[str], body: list[ast.stmt], at: dict[str, Any]) -> ast.stmt:
    """A `def` statement."""
    arguments = ast.arguments([], [ast.arg(p, **at) for p in parameters], None, [], [], None, [])
    newer: dict[str, Any] = {"type_params": []} if "type_params" in ast.FunctionDef._fields else {}
    return ast.FunctionDef(name, arguments, body, [], None, None, **newer, **at)


class Turns:
    """The turns of one loop, counted by the counted twin: stopping costs something unless it was
    the last one.
    """

    __slots__ = ("emit", "name", "place")

    def __init__(self, emit: Writer, place: str) -> None:
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
