"""Sigma's conditions: `selection and not 1 of filter_*`, read with places and without recursion
limits that a file could reach.

`not` binds before `and`, `and` before `or`. What follows a `|` is the old way of counting; it is
given as text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Final

from martello.practices.monitor.engine.ir import Node, both, either, opposite
from martello.practices.monitor.problems import shown

_DEEPEST: Final = 100
_LONGEST: Final = 20_000
_TOKEN: Final = re.compile(r"\s*(?:([()])|([A-Za-z0-9_*.\-]+))")
_BLANK: Final = re.compile(r"\s*")
_NAME: Final = re.compile(r"[A-Za-z0-9_\-.]+")
_QUANTIFIERS: Final = {"1": either, "any": either, "all": both}


class Wrong(Exception):
    """A condition that cannot be read: why, and at which character."""

    def __init__(self, text: str, offset: int = 0) -> None:
        super().__init__(text)
        self.text = text
        self.offset = offset


def parts_of(condition: str) -> tuple[str, str | None]:
    """The condition proper, and what follows its first `|`; None where there is none."""
    before, bar, after = condition.partition("|")
    return before, after if bar else None


def chosen(pattern: str, names: Collection[str]) -> tuple[str, ...]:
    """The detections that `of PATTERN` means. Names with a leading `_` are outside `them`, and
    outside every pattern that does not begin with one.
    """
    if pattern == "them":
        return tuple(name for name in names if not name.startswith("_"))
    pieces = [re.escape(piece) for piece in re.sub(r"\*+", "*", pattern).split("*")]
    if len(pieces) > 6:
        raise Wrong("a pattern of names has at most five stars")
    match = re.compile(".*".join(pieces)).fullmatch
    hidden = pattern.startswith("_")
    return tuple(name for name in names if (hidden or not name.startswith("_")) and match(name))


def parse(condition: str, detections: Mapping[str, Callable[[], Node]]) -> Node:
    """The tree of a condition over named detections. Raises Wrong, and whatever a detection
    raises.
    """
    if len(condition) > _LONGEST:
        raise Wrong(f"longer than {_LONGEST:,} characters", _LONGEST)
    return _Parser(condition, detections).whole()


class _Parser:
    def __init__(self, text: str, detections: Mapping[str, Callable[[], Node]]) -> None:
        self.detections = detections
        self.tokens = _tokens(text)
        self.at = 0

    @property
    def word(self) -> str:
        return self.tokens[self.at][0]

    @property
    def offset(self) -> int:
        return self.tokens[self.at][1]

    def whole(self) -> Node:
        node = self.any(0)
        if self.word:
            raise Wrong(f"'{shown(self.word)}' is not expected here", self.offset)
        return node

    def any(self, depth: int) -> Node:
        parts = [self.every(depth)]
        while self.word.lower() == "or":
            self.at += 1
            parts.append(self.every(depth))
        return either(*parts)

    def every(self, depth: int) -> Node:
        parts = [self.single(depth)]
        while self.word.lower() == "and":
            self.at += 1
            parts.append(self.single(depth))
        return both(*parts)

    def single(self, depth: int) -> Node:
        if depth > _DEEPEST:
            raise Wrong(f"nested deeper than {_DEEPEST} levels", self.offset)
        negative = False
        while self.word.lower() == "not":
            self.at += 1
            negative = not negative
        node = self.operand(depth)
        return opposite(node) if negative else node

    def operand(self, depth: int) -> Node:
        word, offset = self.tokens[self.at]
        if word == "(":
            self.at += 1
            node = self.any(depth + 1)
            if self.word != ")":
                raise Wrong("a bracket is not closed", offset)
            self.at += 1
            return node
        if not word or word == ")" or word.lower() in ("and", "or", "not"):
            raise Wrong("the name of a detection is missing", offset)
        self.at += 1
        if self.word.lower() == "of":
            return self.selector(word, offset)
        if not _NAME.fullmatch(word):
            raise Wrong("a pattern of names follows `1 of` or `all of`", offset)
        if word not in self.detections:
            raise Wrong(f"there is no detection '{shown(word)}'", offset)
        return self.detections[word]()

    def selector(self, word: str, offset: int) -> Node:
        join = _QUANTIFIERS.get(word.lower())
        if join is None:
            raise Wrong("only `1 of`, `any of` and `all of` are known", offset)
        self.at += 1
        pattern, where = self.tokens[self.at]
        if not pattern or pattern in "()":
            raise Wrong("a name or pattern of names follows `of`", where)
        self.at += 1
        names = chosen(pattern, self.detections)
        if not names:
            raise Wrong(f"no detection is named '{shown(pattern)}'", where)
        return join(*(self.detections[name]() for name in names))


def _tokens(text: str) -> list[tuple[str, int]]:
    """Words and brackets with their places, and an empty one at the end."""
    found: list[tuple[str, int]] = []
    at = 0
    while True:
        match = _TOKEN.match(text, at)
        if match is None:
            break
        found.append((match[1] or match[2], match.start(1) if match[1] else match.start(2)))
        at = match.end()
    blank = _BLANK.match(text, at)
    at = blank.end() if blank else at
    if at < len(text):
        raise Wrong(f"'{shown(text[at])}' is not expected here", at)
    found.append(("", len(text)))
    return found
