"""The Python module of a program: its one function, with the `try` that turns every exception into
an EvalError.
"""

from __future__ import annotations

import ast
from types import CodeType

from martello.cel.check.checker import Checked
from martello.cel.emit.expressions import Emitter, Origins
from martello.cel.emit.writer import Link, define
from martello.cel.runtime import FILE
from martello.cel.syntax.nodes import Node, children


def build(
    node: Node,
    checked: Checked,
    parameters: tuple[str, ...],
    libraries: Origins,
    counted: bool = False,
    boolean: bool = False,
) -> tuple[ast.Module, tuple[tuple[str, Link], ...]]:
    """The module that defines the function `f` of a program, and what must be linked into its
    globals.

    The counted twin takes the budget as its last parameter and gives (value, cost); after an error
    its cost is told by
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
    function = define("f", names, body, {"lineno": 1, "col_offset": 0})
    return ast.Module([function], []), tuple((name, link) for link, name in emitter.links.items())


def assemble(module: ast.Module) -> CodeType:
    """The code object of a module's one function."""
    whole = compile(module, FILE, "exec", dont_inherit=True, optimize=2)
    return next(item for item in whole.co_consts if isinstance(item, CodeType))


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
