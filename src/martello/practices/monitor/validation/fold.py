"""Which atoms of a tree can be true, and which false, of the events of one source.

An atom that cannot be what its tree needs is replaced by a constant and the tree is simplified; one
that becomes false can never fire there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from martello.core.event import COLUMNS
from martello.practices.monitor.engine.compare import Bad
from martello.practices.monitor.engine.ir import (
    FALSE,
    TRUE,
    And,
    At,
    Atom,
    Call,
    Column,
    Constant,
    Key,
    Literally,
    Node,
    Not,
    Pointer,
    Term,
    both,
    either,
)
from martello.practices.monitor.engine.scalar import judge
from martello.practices.monitor.sources import PRESENT, Feed, values
from martello.practices.monitor.validation import audit_paths

_MANY: Final = 50  # operands that are asked one by one
_LISTS: Final = ("texts", "ints", "bools")


class Fate(msgspec.Struct, frozen=True):
    """What an atom can be. `why` is empty, `path`, `column`, `value` (dead whatever is connected)
    or `missing`; `dead` are operands that cannot occur; `columns` those that are not filled.
    """

    true: bool = True
    false: bool = True
    why: str = ""
    dead: tuple[Any, ...] = ()
    columns: tuple[str, ...] = ()


ALIVE: Final = Fate()


def fate(atom: Atom, kind: str, feed: Feed | None) -> Fate:
    """What an atom can be of the events of a kind; with `feed`, of those that it gives."""
    terms = [atom.term] if isinstance(atom.operand, tuple) else [atom.term, atom.operand]
    if kind == "audit" and any(map(_no_path, terms)):
        return _never(atom, "path")
    names = tuple(dict.fromkeys(name for term in terms for name in bases(term)))
    strange = tuple(n for n in names if n not in COLUMNS or kind not in COLUMNS[n].kinds)
    if strange and len(strange) == len(names):
        return _absent(atom, "column", strange)
    if feed is not None and names:
        filled = feed.columns.get(kind, frozenset())
        missing = tuple(name for name in names if name not in filled)
        if len(missing) == len(names):
            return _absent(atom, "missing", missing)
    if len(names) == 1 and isinstance(atom.operand, tuple) and not _opaque(atom.term):
        return _valued(atom, names[0], kind)
    return ALIVE


def _never(atom: Atom, why: str) -> Fate:
    return Fate(true=False, false=not atom.null, why=why)


def _absent(atom: Atom, why: str, columns: Sequence[str]) -> Fate:
    """An atom whose columns are all missing: it is one thing always."""
    try:
        truth = judge(atom)({})
    except (Bad, ValueError):
        return ALIVE
    return Fate(truth is True, truth is False, why, columns=tuple(columns))


def _valued(atom: Atom, name: str, kind: str) -> Fate:
    """An atom over a column that has only some values."""
    known = values(name, kind)
    if known is None:
        return ALIVE
    try:
        truths = _truths(atom, name, known)
        dead = _dead(atom, name, known)
    except (Bad, ValueError):
        return ALIVE
    present = name in PRESENT or (name == "action" and kind == "audit")
    found = Fate(True in truths, False in truths or not present, dead=dead)
    return found if found.true else msgspec.structs.replace(found, why="value")


def _truths(atom: Atom, name: str, known: Sequence[Any]) -> set[bool | None]:
    decide, many = judge(atom), COLUMNS[name].type in _LISTS
    return {decide({name: [one] if many else one}) for one in known}


def _dead(atom: Atom, name: str, known: Sequence[Any]) -> tuple[Any, ...]:
    """The operands that no value of the column meets."""
    assert isinstance(atom.operand, tuple)
    if len(atom.operand) > _MANY or atom.op not in ("=", "in", "iequals", "like", "ilike"):
        return ()
    over = atom.over if atom.over in ("any", "all") else "one"
    found = []
    for operand in atom.operand:
        one = msgspec.structs.replace(atom, operand=(operand,), over=over)
        if True not in _truths(one, name, known):
            found.append(operand)
    return tuple(found)


def _no_path(term: Term) -> bool:
    return any(isinstance(t, Pointer) and audit_paths.unknown(t.path) for t in _parts(term))


def _opaque(term: Term) -> bool:
    return any(isinstance(t, Pointer) or (isinstance(t, Call) and t.name == "cel")
               for t in _parts(term))  # fmt: skip


def _parts(term: Term) -> Iterator[Term]:
    stack = [term]
    while stack:
        one = stack.pop()
        yield one
        if isinstance(one, Call):
            stack.extend(one.of)
        elif isinstance(one, At | Key):
            stack.append(one.of)


def bases(term: Term) -> tuple[str, ...]:
    """The columns that a term is made of; `raw` for a pointer into it."""
    found: dict[str, None] = {}
    for one in _parts(term):
        if isinstance(one, Column):
            found[one.name] = None
        elif isinstance(one, Pointer):
            found["raw"] = None
        elif isinstance(one, Literally):
            continue
    return tuple(found)


class Folded(msgspec.Struct, frozen=True, eq=False):
    """A tree without what cannot be, and the atoms that were found wanting, with their fate."""

    tree: Node
    found: tuple[tuple[Atom, Fate], ...]


def fold(tree: Node, kind: str, feed: Feed | None = None) -> Folded:
    """The tree as it is of the events of a kind; with `feed`, of those that it gives. `Not` stands
    only before atoms in it.
    """
    found: dict[Atom, Fate] = {}
    return Folded(_fold(tree, True, kind, feed, found), tuple(found.items()))


def _fold(
    node: Node, positive: bool, kind: str, feed: Feed | None, found: dict[Atom, Fate]
) -> Node:
    if isinstance(node, Constant):
        return TRUE if node.value is positive else FALSE
    if isinstance(node, Not):
        return _fold(node.part, not positive, kind, feed, found)
    if isinstance(node, Atom):
        one = fate(node, kind, feed)
        if one != ALIVE:
            found[node] = one
        can, cannot = (one.true, one.false) if positive else (one.false, one.true)
        if not can:
            return FALSE
        if not cannot and one.why != "value":
            return TRUE
        return node if positive else Not(node)
    join = both if isinstance(node, And) is positive else either
    return join(*(_fold(part, positive, kind, feed, found) for part in node.parts))
