"""What a field is made of: one term, or cases of which the first that holds gives the term."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import msgspec

from martello.practices.monitor.engine.ir import (
    TRUE,
    Atom,
    Literally,
    Node,
    Pointer,
    Term,
    both,
    columns,
    either,
    opposite,
)
from martello.practices.monitor.engine.scalar import holds


class Cases(msgspec.Struct, frozen=True):
    """Conditions and the term where one holds and none before it; else the field is missing."""

    arms: tuple[tuple[Node, Term], ...]


class Unknown(msgspec.Struct, frozen=True):
    """A field that cannot be told from an event, and why."""

    why: str


Shape: TypeAlias = Term | Cases | Unknown


def exists(term: Term) -> Atom:
    """The term is there."""
    return Atom(term, "exists")


def is_one(term: Term, *values: str) -> Atom:
    """The term is one of these texts."""
    return Atom(term, "in", values)


def otherwise(term: Term, other: Term) -> Cases:
    """The term, or another one where it is missing."""
    return Cases(((exists(term), term), (TRUE, other)))


def pointer(*path: str) -> Pointer:
    """A place in raw whose steps are plain keys."""
    return Pointer(tuple(f"\\{step}" if step[:1] in "*~|+\\" and step else step for step in path))


def arms(shape: Term | Cases) -> Iterator[tuple[Node, Term]]:
    """Each case with the condition under which it is the one."""
    if not isinstance(shape, Cases):
        yield TRUE, shape
        return
    before: Node = TRUE
    for condition, term in shape.arms:
        yield both(before, condition), term
        before = both(before, opposite(condition))


def change(shape: Term | Cases, made: Callable[[Term], Term]) -> Term | Cases:
    """The shape with another term in every case."""
    if isinstance(shape, Cases):
        return Cases(tuple((condition, made(term)) for condition, term in shape.arms))
    return made(shape)


def compared(shape: Term | Cases, atom: Callable[[Term], Node]) -> Node:
    """A comparison of a shape; of a constant it is decided now."""
    return either(*(both(when, _folded(atom(term), term)) for when, term in arms(shape)))


def _folded(node: Node, term: Term) -> Node:
    if not isinstance(term, Literally) or columns(node):
        return node
    return TRUE if holds(node, {}) else opposite(TRUE)
