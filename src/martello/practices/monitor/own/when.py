"""`when` of own rules: CEL over `e` and `params`, as the tree.

Comparisons, `in`, text functions, `has`, `size`, `exists` and `all` over list columns, and `&&`,
`||`, `!` become atoms, with CEL's logic where something is missing. The rest is evaluated row by
row, by `rowwise.py`; a tree says so by the term `cel`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from martello.cel.compiler import analyse
from martello.cel.issues import CompileError
from martello.cel.reads import reads
from martello.cel.syntax import nodes as cel
from martello.cel.types import BOOL, DYN
from martello.core.event import COLUMNS
from martello.practices.monitor.engine.ir import Call, Node, atoms
from martello.practices.monitor.engine.rowwise import environment
from martello.practices.monitor.own.lowering import Lowering, selected
from martello.practices.monitor.problems import shown


class Wrong(Exception):
    """A `when` that cannot be compiled: why, and at which character."""

    def __init__(self, text: str, offset: int = 0) -> None:
        super().__init__(text)
        self.text = text
        self.offset = offset


def lower(text: str, params: Mapping[str, Any]) -> Node:
    """The tree of a `when`. Raises Wrong with the first fault."""
    try:
        node, checked = analyse(environment(), text)
    except CompileError as error:
        first = error.issues[0] if error.issues else None
        text = first.text if first else "cannot be compiled"
        raise Wrong(text, first.start if first else 0) from None
    if checked.type(node) not in (BOOL, DYN):
        raise Wrong(f"it gives {checked.type(node)!r}, not true or false", node.start)
    node = _plain(node)
    _check(node, params)
    for path in reads(node, checked):
        if path == ("e",):
            raise Wrong("`e` is used as a whole: name its columns", 0)
    return Lowering(params).node(node)


def rowwise(tree: Node) -> tuple[str, ...]:
    """The parts of a tree that are evaluated row by row, as CEL."""
    terms = (each.term for each in atoms(tree))
    texts = (str(t.extra[0]) for t in terms if isinstance(t, Call) and t.name == "cel")
    return tuple(dict.fromkeys(texts))


def _plain(node: cel.Node) -> cel.Node:
    """The expression with `e.proc.exe` as `e.proc_exe`, in place."""
    for one in cel.walk(node):
        if isinstance(one, cel.Select):
            name = one.field
            inner = one.operand
            while isinstance(inner, cel.Select) and not inner.test:
                name = f"{inner.field}_{name}"
                inner = inner.operand
                if name in COLUMNS and isinstance(inner, cel.Ident) and inner.name == "e":
                    one.field, one.operand = name, inner
                    break
    return node


def _check(node: cel.Node, params: Mapping[str, Any]) -> None:
    """Raises Wrong where a column or parameter is named that does not exist."""
    for one in cel.walk(node):
        path = selected(one)
        if path is None:
            continue
        root, name = path
        if root == "e" and name not in COLUMNS:
            near = nearest(name, COLUMNS)
            hint = f"; is {near} meant?" if near else ""
            raise Wrong(f"there is no column {shown(name)}{hint}", one.start)
        if root == "params" and name not in params:
            raise Wrong(f"there is no parameter {shown(name)}", one.start)


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that differs least, where it differs by little."""
    return next(iter(get_close_matches(name, list(known), 1, 0.6)), "")
