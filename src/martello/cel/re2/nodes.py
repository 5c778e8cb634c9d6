"""The tree of a regular expression; every node knows its size and whether it is ambiguous."""

from __future__ import annotations

from typing import Final, NoReturn

from martello.cel.re2.classes import Ranges, overlaps, union
from martello.cel.values import EvalError

MAX_REPEAT: Final = 1000
MAX_HEIGHT: Final = 1000
MAX_SIZE: Final = 40_000


def fail(what: str) -> NoReturn:
    """Refuse a pattern; the message never quotes it."""
    raise EvalError(f"invalid regular expression: {what}")


class Node:
    """A part of a pattern, with the facts that choose its engine.

    `kind`: class, assert, empty, cat, alt, rep or cap. `first`: code points that a non-empty match
    can begin with; `follow`: code points that can extend a complete match. `sure`: one code point
    of look-ahead always decides (a deterministic expression, as Brüggemann-Klein defines them), so
    that backtracking cannot multiply. `longest`: the longest match, None when unbounded.
    `repeats`: the greatest product of nested counts.
    """

    __slots__ = (
        "children",
        "first",
        "follow",
        "greedy",
        "height",
        "kind",
        "least",
        "longest",
        "most",
        "name",
        "nullable",
        "number",
        "ranges",
        "repeats",
        "size",
        "sure",
    )

    def __init__(self, kind: str, children: tuple[Node, ...] = (), size: int = 1) -> None:
        if size > MAX_SIZE:
            fail("too large")
        self.kind = kind
        self.children = children
        self.size = size
        self.first: Ranges = ()
        self.follow: Ranges = ()
        self.nullable = True
        self.sure = True
        self.longest: int | None = 0
        self.ranges: Ranges = ()
        self.name = ""
        self.number = 0
        self.least = 0
        self.most: int | None = None
        self.greedy = True
        self.repeats = 1
        self.height = 1
        for child in children:
            self.repeats = max(self.repeats, child.repeats)
            self.height = max(self.height, child.height + 1)


def one_of(ranges: Ranges) -> Node:
    """One code point out of a class."""
    node = Node("class")
    node.ranges = node.first = ranges
    node.nullable = False
    node.longest = 1
    return node


def assertion(name: str) -> Node:
    """An empty-width condition: `A z ^ $ b B`."""
    node = Node("assert")
    node.name = name
    return node


def capture(child: Node, number: int) -> Node:
    """A numbered group."""
    node = Node("cap", (child,), child.size + 2)
    node.number = number
    node.nullable, node.sure, node.longest = child.nullable, child.sure, child.longest
    node.first, node.follow = child.first, child.follow
    return node


def alternate(children: tuple[Node, ...]) -> Node:
    """The first of several that leads to a match."""
    if len(children) == 1:
        return children[0]
    node = Node("alt", children, sum(child.size for child in children) + 2 * len(children))
    node.nullable = False
    longest: int | None = 0
    for child in children:
        if not child.sure or overlaps(node.first, child.first):
            node.sure = False
        if node.nullable and child.nullable:
            node.sure = False
        node.first = union(node.first, child.first)
        node.follow = union(node.follow, child.follow)
        node.nullable = node.nullable or child.nullable
        bounded = longest is not None and child.longest is not None
        longest = max(longest or 0, child.longest or 0) if bounded else None
    node.longest = longest
    return node


def concatenate(items: list[Node]) -> Node:
    """One after the other."""
    if len(items) == 1:
        return items[0]
    node = Node("cat" if items else "empty", tuple(items), sum(item.size for item in items) or 1)
    longest: int | None = 0
    for child in items:
        if not child.sure or overlaps(node.follow, child.first):
            node.sure = False
        if node.nullable:
            if overlaps(node.first, child.first):
                node.sure = False
            node.first = union(node.first, child.first)
        if child.nullable:
            node.follow = union(child.follow, union(node.follow, child.first))
        else:
            node.follow = child.follow
        node.nullable = node.nullable and child.nullable
        bounded = longest is not None and child.longest is not None
        longest = (longest or 0) + (child.longest or 0) if bounded else None
    node.longest = longest
    return node


def repeat(child: Node, least: int, most: int | None, greedy: bool) -> Node:
    """`child` from `least` to `most` times (None: without end)."""
    times = least if most is None else most
    node = Node("rep", (child,), (child.size + 2) * max(times, 1) + 2)
    node.least, node.most, node.greedy = least, most, greedy
    if times > 1:
        node.repeats = child.repeats * times
        if node.repeats > MAX_REPEAT:
            fail("repeats more than 1,000 times")
    node.nullable = child.nullable or least == 0
    node.first, node.follow = child.first, child.follow
    if least != most and most != 1:
        node.follow = union(node.follow, node.first)
    node.sure = child.sure and not child.nullable
    if most != 1 and overlaps(child.follow, child.first):
        node.sure = False
    if child.longest is not None and most is not None:
        node.longest = child.longest * most
    else:
        node.longest = 0 if child.longest == 0 else None
    return node


def in_order(root: Node) -> list[Node]:
    """Every node, children before their parents (no recursion: patterns nest deeply)."""
    found: list[Node] = []
    waiting = [root]
    while waiting:
        node = waiting.pop()
        found.append(node)
        waiting.extend(node.children)
    found.reverse()
    return found
