"""RE2 expressions in the syntax of Rust's engine, which Polars runs in linear time too.

Both engines differ in what `\\d`, `\\w` and case folding mean; so the parsed expression is written
out with code points, and means there just what it means to Martello's own engine.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import polars as pl

from martello.cel.re2.nodes import Node, in_order
from martello.cel.re2.syntax import parse
from martello.cel.values import EvalError
from martello.practices.monitor.compare import expression

_ASSERT: Final = {"A": r"\A", "z": r"\z", "^": "(?m:^)", "$": "(?m:$)", "b": r"(?-u:\b)"}
_SURROGATES: Final = (0xD800, 0xDFFF)
_LARGEST: Final = 4000  # nodes


@lru_cache(maxsize=4096)
def rust(op: str, pattern: str) -> str | None:
    """The expression that finds what the operator (matches, fullmatch, glob, like) means; None
    where Rust's engine has none.
    """
    if op in ("glob", "like"):
        pattern = expression(pattern, classes=op == "glob")
    elif op == "fullmatch":
        pattern = rf"\A(?:{pattern})\z"
    elif op != "matches":
        return None
    try:
        made = _written(parse(pattern).root)
        if made is not None:
            pl.Series([""]).str.contains(made)
    except (EvalError, RecursionError, pl.exceptions.PolarsError):
        return None
    return made


def _written(root: Node) -> str | None:
    if root.size > _LARGEST:
        return None
    made: dict[int, str] = {}
    for node in in_order(root):
        parts = [made[id(child)] for child in node.children]
        if node.kind == "class":
            text = _class(node.ranges)
        elif node.kind == "assert":
            text = _ASSERT.get(node.name, "")
        elif node.kind in ("cap", "alt"):
            text = f"(?:{'|'.join(parts)})"
        elif node.kind == "rep":
            most = "" if node.most is None else node.most
            text = f"(?:{parts[0]}){{{node.least},{most}}}{'' if node.greedy else '?'}"
        else:
            text = "".join(parts)
        if not text and node.kind in ("class", "assert"):
            return None
        made[id(node)] = text
    return made[id(root)]


def _class(ranges: tuple[tuple[int, int], ...]) -> str:
    """A class by its code points; halves of surrogate pairs are in no text."""
    low, high = _SURROGATES
    kept = []
    for first, last in ranges:
        first = high + 1 if low <= first <= high else first
        last = low - 1 if low <= last <= high else last
        if first <= last:
            kept.append(f"\\x{{{first:x}}}-\\x{{{last:x}}}")
    return f"[{''.join(kept)}]" if kept else ""
