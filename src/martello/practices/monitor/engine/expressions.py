"""RE2 expressions for the engines of Polars (Rust's) and DuckDB (RE2 itself), both linear in time.

Engines differ in what `\\d`, `\\w` and case folding mean; so the parsed expression is written out
with code points, and means there just what it means to Martello's own engine.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import polars as pl

from martello.cel.re2.nodes import Node, in_order
from martello.cel.re2.syntax import parse
from martello.cel.values import EvalError
from martello.practices.monitor.engine.compare import expression

_ASSERT: Final = {"A": r"\A", "z": r"\z", "^": "(?m:^)", "$": "(?m:$)"}
_WORD: Final = {"rust": r"(?-u:\b)", "re2": r"\b"}
_SURROGATES: Final = (0xD800, 0xDFFF)
_LARGEST: Final = 50_000  # ranges of code points, repetitions counted as often as they repeat


@lru_cache(maxsize=4096)
def rust(op: str, pattern: str) -> str | None:
    """The expression that finds what the operator (matches, fullmatch, glob, like) means; None
    where Rust's engine has none.
    """
    made = written(op, pattern, "rust")
    if made is not None:
        try:
            pl.Series([""]).str.contains(made)
        except pl.exceptions.PolarsError:
            return None
    return made


def written(op: str, pattern: str, dialect: str) -> str | None:
    """The expression in a dialect (rust, re2); None where it has none, or it is too large."""
    if op in ("glob", "like"):
        pattern = expression(pattern, classes=op == "glob")
    elif op == "fullmatch":
        pattern = rf"\A(?:{pattern})\z"
    elif op != "matches":
        return None
    try:
        return _written(parse(pattern).root, _WORD[dialect])
    except (EvalError, RecursionError):
        return None


def _written(root: Node, word: str) -> str | None:
    made: dict[int, str] = {}
    ranges: dict[int, int] = {}
    for node in in_order(root):
        times = (node.most or node.least or 1) if node.kind == "rep" else 1
        inner = sum(ranges[id(child)] for child in node.children)
        ranges[id(node)] = times * (inner + len(node.ranges))
        if ranges[id(node)] > _LARGEST:
            return None
        parts = [made[id(child)] for child in node.children]
        if node.kind == "class":
            text = _class(node.ranges)
        elif node.kind == "assert":
            text = word if node.name == "b" else _ASSERT.get(node.name, "")
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
