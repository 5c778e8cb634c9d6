"""A compiled expression: calling it, counting what it costs, and loading it from plain data
without the compiler.
"""

from __future__ import annotations

import marshal
from collections.abc import Callable, Iterable, Mapping
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, Final

from martello.cel.dispatch import Dispatcher, class_names
from martello.cel.libraries import library
from martello.cel.runtime import Pattern
from martello.cel.table import TABLE
from martello.cel.types import Library, Overload
from martello.cel.values import EvalError, TypeValue, UInt

if TYPE_CHECKING:
    from martello.cel.compiler import Unit
    from martello.cel.env import Env
    from martello.cel.syntax.nodes import Node
    from martello.cel.trace.steps import Step

Path = tuple[str, ...]
Data = tuple[Any, ...]
NO_LIMIT: Final = 1 << 62


class Outcome:
    """What a counted run gave: a value, or an error; and its cost."""

    __slots__ = ("cost", "error", "value")

    def __init__(self, value: Any, error: EvalError | None, cost: int) -> None:
        self.value = value
        self.error = error
        self.cost = cost

    def __repr__(self) -> str:
        return f"Outcome({self.error or self.value!r}, cost={self.cost})"


class Program:
    """One expression, ready to run. `parameters` are the variables it reads; `reads` the paths
    below them.

    `function` takes the values of `parameters` by position and is the fast way in; calling the
    program takes any variables by name. Both give a value or raise `EvalError`, whose `node`
    `locate` turns into a span of `source`.
    """

    __slots__ = ("_function", "_libraries", "_unit", "packed", "parameters", "reads", "source")

    def __init__(
        self, packed: Data, libraries: Mapping[str, Library], unit: Unit | None = None
    ) -> None:
        self.packed = packed  # text, parameters, reads, and marshalled (code, links, spans)
        self._libraries = libraries
        self._unit = unit
        self._function: Callable[..., Any] | None = None
        self.source: str = packed[0]
        self.parameters: tuple[str, ...] = packed[1]
        self.reads: frozenset[Path] = packed[2]

    @property
    def function(self) -> Callable[..., Any]:
        """The compiled function, linked on first use."""
        made = self._function
        if made is None:
            code, links, _ = marshal.loads(self.packed[3])  # noqa: S302 - own data
            made = self._function = link(code, links, self._libraries)
        return made

    def __call__(self, /, **variables: Any) -> Any:
        """The value for these variables; those that the expression does not read are ignored."""
        function = self._function or self.function
        try:
            values = [variables[name] for name in self.parameters]
        except KeyError as missing:
            raise EvalError(
                f"no value for the variable {missing.args[0]}", needs=missing.args[0]
            ) from None
        return function(*values)

    def bind(self, variables: Mapping[str, Any]) -> list[Any]:
        """The variables in the order of `parameters`."""
        try:
            return [variables[name] for name in self.parameters]
        except KeyError as missing:
            raise EvalError(
                f"no value for the variable {missing.args[0]}", needs=missing.args[0]
            ) from None

    def run(self, bindings: Mapping[str, Any], budget: int = NO_LIMIT) -> Outcome:
        """Runs the counted twin with a budget in Kubernetes' cost units."""
        try:
            values = self.bind(bindings)
        except EvalError as error:
            return Outcome(None, error, 0)
        value, cost = self.unit.counted(*values, budget)
        if isinstance(value, EvalError):
            return Outcome(None, value, cost)
        return Outcome(value, None, cost)

    def trace(self, bindings: Mapping[str, Any]) -> Step:
        """What each part of the expression evaluated to."""
        from martello.cel.trace.tracer import trace

        return trace(self.unit, bindings)

    def locate(self, error: EvalError) -> tuple[int, int]:
        """Where in `source` an error happened: start and end in code points."""
        spans: dict[int, tuple[int, int]] = marshal.loads(self.packed[3])[2]  # noqa: S302 - own data
        return spans.get(error.node or 0, (0, len(self.source)))

    @property
    def unit(self) -> Unit:
        """Tree, types and environment; a program from a cache gets them by compiling its text
        again with `attach`.
        """
        if self._unit is None:
            raise EvalError("this program came from a cache: attach it to an environment first")
        return self._unit

    def attach(self, env: Env) -> Program:
        """The same program, compiled in full, for `run`, `trace` and `node`."""
        if self._unit is None:
            self._unit = env.compile(self.source).unit
        return self

    @property
    def node(self) -> Node:
        """The syntax tree."""
        return self.unit.node

    def __repr__(self) -> str:
        return f"Program({self.source!r})"


def link(
    code: CodeType, links: Iterable[tuple[str, tuple[Any, ...]]], libraries: Mapping[str, Library]
) -> Callable[..., Any]:
    """The function of a code object, its globals taken from the fixed table and from libraries."""
    scope: dict[str, Any] = {"__builtins__": {}}
    _gather(code, scope)
    for name, what in links:
        scope[name] = _linked(what, libraries, scope)
    return FunctionType(code, scope, "cel")


def _gather(code: CodeType, scope: dict[str, Any]) -> None:
    for name in code.co_names:
        if name in TABLE:
            scope[name] = TABLE[name]
    for item in code.co_consts:
        if isinstance(item, CodeType):
            _gather(item, scope)


def _linked(what: tuple[Any, ...], libraries: Mapping[str, Library], scope: dict[str, Any]) -> Any:
    kind = what[0]
    if kind == "overload":
        return overload(what[1], what[2], libraries).function
    if kind == "cost":
        return overload(what[1], what[2], libraries).cost
    if kind == "dispatch":
        return dispatcher(what[1], what[2], what[3], libraries)
    if kind == "price":
        return scope[what[1]].cost
    if kind == "uint":
        return UInt(what[1])
    if kind == "pattern":
        return Pattern(what[1])
    if kind == "type":
        return TypeValue(what[1])
    if kind == "folded":
        return overload(what[1], what[2], libraries).function(*what[3])
    return _missing


def _missing() -> Any:
    raise EvalError("undeclared reference")


def find_library(name: str, libraries: Mapping[str, Library]) -> Library:
    """A library of the caller's, or one of this package's."""
    found = libraries.get(name) or library(name)
    if found is None:
        raise EvalError(f"the library {name} is not here", needs=name)
    return found


def overload(source: str, id: str, libraries: Mapping[str, Library]) -> Overload:
    """One overload of a library by its id."""
    found = find_library(source, libraries)
    table = _overloads.get(found)
    if table is None:
        table = _overloads[found] = {one.id: one for one in found.overloads}
    return table[id]


def dispatcher(
    name: str, member: bool, sources: tuple[str, ...], libraries: Mapping[str, Library]
) -> Dispatcher:
    """The dispatcher of a function over some libraries; shared between programs."""
    found = tuple(find_library(source, libraries) for source in sources)
    key = (name, member, found)
    made = _dispatchers.get(key)
    if made is None:
        overloads = [
            one
            for each in found
            for one in each.overloads
            if one.name == name and one.member == member
        ]
        made = _dispatchers[key] = Dispatcher(name, overloads, class_names(found))
    return made


_overloads: Final[dict[Library, dict[str, Overload]]] = {}
_dispatchers: Final[dict[tuple[str, bool, tuple[Library, ...]], Dispatcher]] = {}
