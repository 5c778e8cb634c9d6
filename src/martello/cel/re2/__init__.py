"""Regular expressions with RE2's syntax and Go's results, in time that no text can make explode.

A pattern in which one code point of look-ahead decides everything runs on Python's `re`, where
backtracking then costs at most one pass (or one pass a start, for texts short enough). So does the
mere question whether a short text matches a pattern without endless loops and with few ways through
it. Every other pattern runs on the linear-time machine.
"""

from __future__ import annotations

from typing import Any, Final

from martello.cel.re2.machine import Captures, Machine, work_for
from martello.cel.re2.nodes import Node, in_order
from martello.cel.re2.program import assemble, to_python
from martello.cel.re2.syntax import parse

_SHORT: Final = 512
_CACHE_SIZE: Final = 512
_ANSWERS: Final = 1024
_WAYS: Final = 2048
_cache: dict[str, Regex] = {}


class Regex:
    """A compiled pattern; immutable to its user."""

    __slots__ = (
        "_answers",
        "_machine",
        "_native",
        "_quick",
        "_root",
        "_short_only",
        "groups",
        "names",
        "pattern",
    )

    def __init__(self, pattern: str) -> None:
        tree = parse(pattern)
        self.pattern = pattern
        self.groups = tree.groups
        self.names = tree.names
        self._root = tree.root
        self._machine: Machine | None = None
        self._native: Any = None
        self._answers: dict[str, bool] = {}
        self._short_only = not (_anchored(tree.root) or _bounded(tree.root))
        if tree.root.sure and tree.root.size < 2000 and _portable(tree.root):
            import re

            self._native = re.compile(to_python(tree.root))
        self._quick = self._native
        if self._native is None and _portable(tree.root) and _ways(tree.root) <= _WAYS:
            import re

            self._quick = re.compile(to_python(tree.root))

    def matches(self, text: str) -> bool:
        """Whether the pattern occurs anywhere in `text`."""
        if self._native is not None and (not self._short_only or len(text) <= _SHORT):
            return self._native.search(text) is not None
        if self._quick is not None and len(text) <= _SHORT:
            return self._quick.search(text) is not None
        known = self._answers.get(text)
        if known is None:
            known = self.machine.matches(text)
            self._keep(text, known)
        return known

    def _keep(self, text: str, answer: bool) -> None:
        """Objects repeat their images and names: the machine is asked once for a short text."""
        if len(text) <= _SHORT:
            if len(self._answers) >= _ANSWERS:
                self._answers.clear()
            self._answers[text] = answer

    def find(self, text: str, start: int = 0) -> Captures | None:
        """Offsets of the leftmost match at or after `start` and of its groups (-1: unused)."""
        return self._find(text, start, work_for(text))

    def _find(self, text: str, start: int, work: list[int]) -> Captures | None:
        if self._native is not None and (not self._short_only or len(text) <= _SHORT):
            found = self._native.search(text, start)
            if found is None:
                return None
            return tuple(at for group in range(self.groups + 1) for at in found.span(group))
        return self.machine.find(text, start, 2 * self.groups + 2, work)

    def find_all(self, text: str, limit: int = -1) -> list[Captures]:
        """Successive matches, at most `limit` (negative: all); none empty right after another."""
        work = work_for(text)
        found: list[Captures] = []
        at, previous = 0, -1
        while (limit < 0 or len(found) < limit) and at <= len(text):
            match = self._find(text, at, work)
            if match is None:
                break
            accepted = True
            if match[1] == at:
                accepted = match[0] != previous
                at += 1
            else:
                at = match[1]
            previous = match[1]
            if accepted:
                found.append(match)
        return found

    @property
    def machine(self) -> Machine:
        """The linear-time engine of this pattern, made on first use."""
        if self._machine is None:
            self._machine = Machine(assemble(self._root))
        return self._machine

    @property
    def native(self) -> bool:
        """Whether Python's `re` runs this pattern (on short texts at least)."""
        return self._native is not None


def compile(pattern: str) -> Regex:
    """The compiled pattern, kept for the next caller; `EvalError` when Go would refuse it."""
    known = _cache.get(pattern)
    if known is None:
        known = Regex(pattern)
        if len(_cache) >= _CACHE_SIZE:
            _cache.clear()
        _cache[pattern] = known
    return known


def _anchored(root: Node) -> bool:
    first = root
    while first.kind in ("cat", "cap"):
        first = first.children[0]
    return first.kind == "assert" and first.name == "A"


def _bounded(root: Node) -> bool:
    return root.longest is not None and root.longest <= 64


def _ways(node: Node) -> int:
    """How many ways backtracking can go through a pattern from one start; beyond `_WAYS` it is not
    counted on.
    """
    if node.kind == "rep":
        each = _ways(node.children[0])
        if node.most is None or node.most > 64 or each > _WAYS:
            return _WAYS + 1
        total = 0
        for count in range(node.least, node.most + 1):
            total += each**count
            if total > _WAYS:
                return _WAYS + 1
        return total
    counts = [_ways(child) for child in node.children]
    if node.kind == "alt":
        return min(sum(counts), _WAYS + 1)
    product = 1
    for count in counts:
        product = min(product * count, _WAYS + 1)
    return product


def _portable(root: Node) -> bool:
    # Before Python 3.14 `\B` does not match in an empty text; deep nesting recurses in `re`.
    return root.height < 50 and not any(
        node.kind == "assert" and node.name == "B" for node in in_order(root)
    )
