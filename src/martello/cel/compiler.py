"""From text to program: parse, check, fold, emit; and what is kept of it for later questions."""

from __future__ import annotations

import marshal
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from martello.cel.check.checker import Checked, Checker
from martello.cel.check.literals import check_literals
from martello.cel.emit.module import assemble, build, variables_of
from martello.cel.issues import CompileError, Issue
from martello.cel.program import Program, link
from martello.cel.reads import reads
from martello.cel.syntax.nodes import Node, walk
from martello.cel.syntax.parse import parse
from martello.cel.types import BOOL, DYN, Type

if TYPE_CHECKING:
    from martello.cel.env import Env


class Unit:
    """The tree of a program with its types and its environment, and the counted twin made on
    demand.
    """

    def __init__(
        self, env: Env, node: Node, checked: Checked, parameters: tuple[str, ...], boolean: bool
    ) -> None:
        self.env = env
        self.node = node
        self.checked = checked
        self.parameters = parameters
        self.boolean = boolean

    @cached_property
    def counted(self) -> Callable[..., tuple[Any, int]]:
        """The twin that counts its cost: takes the parameters and a budget, gives (value or
        EvalError, cost).
        """
        module, links = build(
            self.node,
            self.checked,
            self.parameters,
            self.env.origins,
            counted=True,
            boolean=self.boolean,
        )
        return link(assemble(module), links, self.env.extras)

    @property
    def type(self) -> Type:
        """The static type of the whole expression."""
        return self.checked.type(self.node)


def analyse(env: Env, text: str, lenient: bool = False) -> tuple[Node, Checked]:
    """Parses and checks a text, or raises every issue as one CompileError."""
    issues: list[Issue] = []
    try:
        node = parse(text, env.macros, issues)
        if any(issue.severity == "error" for issue in issues):
            raise CompileError(issues, text)
        checked = Checker(env, issues, lenient).run(node)
    except RecursionError:
        raise CompileError([Issue("error", "nested too deeply", 0, len(text))], text) from None
    if not issues:
        check_literals(env, node, checked, issues)
    if issues:
        raise CompileError(sorted(issues, key=lambda issue: issue.start)[:100], text)
    return node, checked


def compile_text(env: Env, text: str, result: Type | None, lenient: bool = False) -> Program:
    """The program of a text; `result` is the type that it must have."""
    node, checked = analyse(env, text, lenient)
    kind = checked.type(node)
    if result is not None and result not in (kind, DYN) and kind != DYN:
        message = f"expected {result!r}, found {kind!r}"
        raise CompileError([Issue("error", message, node.start, node.end)], text)
    parameters = variables_of(node, checked)
    boolean = result == BOOL
    try:
        module, links = build(node, checked, parameters, env.origins, boolean=boolean)
        code = assemble(module)
    except (RecursionError, MemoryError, SyntaxError):
        raise CompileError([Issue("error", "nested too deeply", 0, len(text))], text) from None
    spans = {each.id: (each.start, each.end) for each in walk(node)}
    packed = (text, parameters, reads(node, checked), marshal.dumps((code, links, spans)))
    return Program(packed, env.extras, Unit(env, node, checked, parameters, boolean))
